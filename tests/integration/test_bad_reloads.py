"""Reloads that go wrong: the reason is told, nothing passes or fails because of them, and nothing is left running."""

from __future__ import annotations

import os
import re
import shutil
import sys

import pytest

from .checks import SERVERS
from .runs import Run, Runs, unruly

BRIEF = ("--timeout", "0.5", "--json", "report.json")
TWO = ("--scenario", "rotation/old-removed", "--scenario", "trust/gateway-certificate", *BRIEF)
IMPATIENT = (
    sys.executable,
    "-c",
    "import sys; from pytest_mtls.harness.backend import reload; from pytest_mtls.harness.cli import main; "
    "reload._COMMAND_SECONDS = 0.5; sys.exit(main())",
)
"""The program, with less patience for a reload command than half a minute."""
NOBODY = 65_534


def lagging(*options: str) -> tuple[str, ...]:
    """The options for the server whose reload is in effect later."""
    command = " ".join([sys.executable, str(SERVERS / "lagging.py"), *options])
    return "--command", command, "--reload", "signal:HUP", *BRIEF


def reasons(run: Run) -> dict[str, str]:
    """Why each scenario ended so."""
    assert run.report is not None
    return {one["id"]: one["reason"] for one in run.report["scenarios"]}


# --- the reload command


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (
            "sh -c 'echo no such unit >&2; exit 5'",
            r"reload command \(sh -c .*\): expected exit code 0, saw 5: no such unit\. Run it by hand\.",
        ),
        ("no-such-program {port}", r"reload command \(no-such-program\): cannot be run: .*\. Check its name\."),
    ],
    ids=["fails", "cannot-be-run"],
)
def test_a_reload_command_that_does_not_work_is_inconclusive(runs: Runs, command: str, reason: str) -> None:
    """What needs no reload is judged all the same."""
    run = runs("check", *unruly(), "--reload", f"command:{command}", *TWO)
    assert (run.code, run.is_clean) == (3, True)
    assert run.outcomes == {"rotation/old-removed": "inconclusive", "trust/gateway-certificate": "passed"}
    assert re.fullmatch(reason, reasons(run)["rotation/old-removed"])


def test_a_must_that_failed_without_a_reload_still_counts(runs: Runs) -> None:
    """Exit code 1: that strangers are let in is proved, whatever the reload command does."""
    command = f"{sys.executable} {SERVERS / 'limiting.py'} --open"
    run = runs("check", "--command", command, "--reload", "command:false", "--scenario", "presence/no-*", *TWO)
    assert (run.code, run.is_clean) == (1, True)
    assert run.outcomes["presence/no-certificate"] == "failed"
    assert run.outcomes["rotation/old-removed"] == "inconclusive"


def test_a_reload_command_that_hangs_is_waited_for_once(runs: Runs) -> None:
    """Every other reload would hang as well; its children go with it, also those that keep its output open."""
    hanging = "command:sh -c 'echo started >>ran; sleep 600 & sleep 600'"
    scenarios = ("--scenario", "rotation/*", *BRIEF)
    run = runs.end(runs.start("check", *unruly(), "--reload", hanging, *scenarios, words=IMPATIENT))
    assert (run.code, run.is_clean) == (3, True)
    assert (runs.folder / "ran").read_text() == "started\n"
    assert run.outcomes.pop("rotation/new-not-yet-added") == "passed"
    assert set(run.outcomes.values()) == {"passed", "inconclusive"}
    (reason,) = run.reasons
    assert re.fullmatch(r"reload command \(sh .*\): expected it to end within 0\.5 s, and it did not\. Give .*", reason)


def test_what_a_reload_command_leaves_running_ends_with_the_backend(runs: Runs) -> None:
    """It may be the new server, so it is not ended sooner; nor is it waited for."""
    run = runs("check", *unruly(), "--reload", "command:sh -c 'sleep 600 &'", "--reload-within", "0.5", *TWO)
    assert run.left == ()
    assert run.outcomes["trust/gateway-certificate"] == "passed"


@pytest.mark.parametrize("scenario", ["rotation/old-removed", "reload/broken-bundle-fails-closed", "rotation/deleted"])
def test_a_reload_command_that_kills_the_server_is_inconclusive(runs: Runs, scenario: str) -> None:
    """A server that is gone refuses everybody, and that proves nothing; nor is it an answer to a broken truststore."""
    _, server = unruly()
    own_pid = f"""sh -c 'echo $$ >"$(dirname "$MTLS_TRUSTSTORE")/pid"; exec {server}' """
    kill = """command:sh -c 'kill -9 "$(cat "$(dirname "{truststore}")/pid")"' """
    run = runs("check", "--command", own_pid.strip(), "--reload", kill.strip(), "--scenario", scenario, *BRIEF)
    assert (run.code, run.is_clean) == (3, True)
    assert run.outcomes == {scenario: "inconclusive"}
    assert "ended by SIGKILL" in reasons(run)[scenario]


# --- reloads that take their time


RELOADS = ("--scenario", "reload/replacement-*", "--scenario", "rotation/both-old-*", "--scenario", "rotation/old-*")


@pytest.mark.parametrize("options", [("--lag=1.5", "--all"), ("--lag=1.5", "--workers=4")], ids=["all", "one-worker"])
def test_a_reload_that_lags_is_waited_for(runs: Runs, options: tuple[str, ...]) -> None:
    """Until the last worker has it: the old truststore is no finding as long as --reload-within is not over."""
    run = runs("check", *lagging(*options), *RELOADS)
    assert (run.code, set(run.outcomes.values())) == (0, {"passed"})


@pytest.mark.parametrize("options", [("--lag=60", "--all"), ("--lag=60", "--workers=4")], ids=["all", "one-worker"])
def test_a_reload_that_lags_too_long_is_named_as_the_reason(runs: Runs, options: tuple[str, ...]) -> None:
    """Else the old certificate's being let in, or the new one's being refused, would send people to the wrong place."""
    run = runs("check", *lagging(*options), *RELOADS, "--reload-within", "0.5")
    assert (run.code, run.is_clean) == (1, True)
    assert run.outcomes["reload/replacement-takes-effect"] == "failed"
    failed = [reasons(run)[one] for one, outcome in run.outcomes.items() if outcome == "failed"]
    assert all("; the reload had not taken effect within --reload-within 0.5 s" in reason for reason in failed)


@pytest.mark.parametrize(("seconds", "code", "outcome"), [("0.4", 0, "passed"), ("600", 3, "inconclusive")])
def test_a_server_that_gives_up_over_a_broken_truststore_holds_once_it_is_gone(
    runs: Runs, seconds: str, code: int, outcome: str
) -> None:
    """Its closes on the way down come before any certificate was asked for: they are no evidence, its end is."""
    scenario = "reload/broken-bundle-fails-closed"
    run = runs("check", *lagging("--lag=0", "--all", f"--give-up={seconds}"), "--scenario", scenario)
    assert (run.code, run.is_clean) == (code, True)
    assert run.outcomes == {scenario: outcome}


def test_a_first_signal_that_comes_before_the_server_listens_to_signals_is_sent_again(runs: Runs) -> None:
    """HAProxy's master ignores SIGUSR2 while its worker serves already; the report says that it had to be told twice."""
    run = runs("check", *lagging("--deaf-to=1"), "--scenario", "rotation/old-removed", "--reload-within", "1")
    assert (run.code, run.outcomes) == (0, {"rotation/old-removed": "passed"})
    assert run.report is not None
    (scenario,) = run.report["scenarios"]
    assert any("told a second time" in note for note in scenario["notes"])


@pytest.mark.parametrize("deaf_to", [("1", "2"), ("2", "3")], ids=["and-the-second", "only-later-ones"])
def test_a_server_that_is_deaf_to_signals_for_longer_fails(runs: Runs, deaf_to: tuple[str, ...]) -> None:
    """Once more is for a server that has just begun; what it does not hear later is a finding."""
    run = runs("check", *lagging("--deaf-to", *deaf_to), "--scenario", "rotation/drill", "--reload-within", "1")
    assert (run.code, run.outcomes) == (1, {"rotation/drill": "failed"})
    assert "the reload had not taken effect within --reload-within 1 s" in reasons(run)["rotation/drill"]


def test_a_server_that_is_one_truststore_behind_does_not_pass(runs: Runs) -> None:
    """It takes over with each signal what it read at the one before: being told twice gives it the right one by chance."""
    run = runs("check", *lagging("--one-behind"), *RELOADS, "--reload-within", "1")
    assert (run.code, set(run.outcomes.values())) == (3, {"inconclusive"})
    assert all(
        "the reload had not taken effect within --reload-within 1 s" in reason for reason in reasons(run).values()
    )


BROKEN = ("--scenario", "reload/broken-bundle-fails-closed", "--reload-within", "1")


def test_a_server_that_does_not_hear_of_a_broken_truststore_proves_nothing(runs: Runs) -> None:
    """It goes on with the good one because it was never told."""
    run = runs("check", *lagging("--deaf-to", "1", "2", "3", "4"), *BROKEN)
    assert (run.code, run.is_clean) == (3, True)
    (reason,) = run.reasons
    assert re.search(r"reload not in effect within .* with a good truststore, so nobody knows when a broken", reason)


def test_a_server_that_answers_without_tls_over_a_broken_truststore_does_not_pass(runs: Runs) -> None:
    """It has not ended: somebody listens there, whoever it is."""
    server = f"{sys.executable} {SERVERS / 'lagging.py'} --plain"
    run = runs("check", "--command", server, "--start-within", "3", *BROKEN, *BRIEF)
    assert (run.code, run.is_clean) == (3, True)
    (reason,) = run.reasons
    assert "somebody listens, and it is no TLS server" in reason


@pytest.mark.parametrize("number", range(31, 39))
def test_a_worker_that_refuses_once_more_within_the_time_for_reloads_is_no_finding(runs: Runs, number: int) -> None:
    """30 connections went past it, and then it refuses the new certificate; one of these numbers is that connection's."""
    run = runs("check", *lagging("--lag=0", f"--relapse={number}"), "--scenario", "rotation/both-old-first")
    assert (run.code, set(run.outcomes.values())) == (0, {"passed"})


def test_a_removed_certificate_that_is_let_in_once_is_a_finding(runs: Runs) -> None:
    """However young the reload is: it was believed, and a lucky second try proves nothing."""
    run = runs("check", *lagging("--lag=0", "--relapse=45"), "--scenario", "rotation/old-removed")
    assert (run.code, run.outcomes) == (1, {"rotation/old-removed": "failed"})


def test_a_reload_in_time_is_not_blamed(runs: Runs) -> None:
    """A backend that lets in everybody does so whatever its reload does."""
    command = f"{sys.executable} {SERVERS / 'limiting.py'} --open"
    run = runs("check", "--command", command, "--reload", "signal:HUP", *RELOADS, *BRIEF)
    assert run.outcomes["rotation/old-removed"] == "failed"
    assert "--reload-within" not in reasons(run)["rotation/old-removed"]


# --- a truststore that the server may not read

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to become somebody else")


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs the program 'setpriv'")
def test_a_server_of_another_user_is_told_whose_the_material_is(runs: Runs) -> None:
    """The key is for one user's eyes, so a server that gives up root's rights before it reads it cannot start."""
    command = f"setpriv --reuid {NOBODY} --clear-groups cat {{server_key}}"
    run = runs("check", "--command", command, *TWO)
    assert (run.code, run.is_clean) == (3, True)
    (reason,) = run.reasons
    assert re.search(r"Permission denied \(only the user who runs the check may read the material: run .*\)", reason)


@as_root
def test_a_server_that_cannot_read_the_truststore_again_is_told_so(runs: Runs) -> None:
    """It started as root, became somebody else, and could read the truststore only once: its own words are shown."""
    run = runs("check", *lagging("--lag=0", "--all", f"--user={NOBODY}"), *RELOADS, "--reload-within", "1")
    assert (run.code, run.is_clean) == (1, True)
    for reason in reasons(run).values():
        assert re.search(r"had not taken effect within .*Permission denied \(only the user who runs the check", reason)
