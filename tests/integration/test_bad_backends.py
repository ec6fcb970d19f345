"""Backends that cannot be judged: exit code 3, one explanation, nothing left running, and no pass that was not proved."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_mtls.harness.backend import process
from pytest_mtls.harness.backend.contract import Material
from pytest_mtls.harness.backend.faulty import start_faulty
from pytest_mtls.harness.backend.process import running
from pytest_mtls.harness.pki.gateway_certificate import control_credential
from pytest_mtls.harness.wait import poll_until

from .runs import Run, Runs, unruly

ONE = ("--scenario", "presence/no-certificate", "--json", "report.json")
ALL = ("--json", "report.json")
SOME = ("--scenario", "p*/*", "--scenario", "trust/*", "--json", "report.json")
BRIEF = ("--timeout", "0.3")


def assert_inconclusive(run: Run, reason: str) -> None:
    """That the run says *reason*, once for all scenarios, and nothing else."""
    assert (run.code, run.is_clean, run.err) == (3, True, "")
    assert run.report is not None
    assert run.report["summary"]["result"] == "inconclusive"
    assert {one["outcome"] for one in run.report["scenarios"]} <= {"inconclusive", "skipped"}
    (said,) = run.reasons
    assert re.fullmatch(reason, said)
    assert len(run.explanations) == 1


# --- commands that do not become backends


def test_the_last_words_of_a_command_that_ends_at_once_are_shown(runs: Runs) -> None:
    """Exit code and the end of its output are what its author needs."""

    command = "sh -c 'echo starting; echo cannot read settings.toml >&2; exit 7'"
    assert_inconclusive(
        runs("check", "--command", command, *ALL),
        r"sh -c .*: the command exited with code 7; its last lines: starting \| cannot read settings\.toml\. "
        r"It has to keep running and listen on 127\.0\.0\.1:\d+\.",
    )


def test_a_command_that_never_listens_is_given_up(runs: Runs) -> None:
    """The message has the address where it was expected, and what to do."""

    command = f"{sys.executable} -c 'import signal; signal.pause()'"
    run = runs("check", "--command", command, "--start-within", "0.5", *ALL)
    assert_inconclusive(
        run,
        r".*: expected a TLS server on 127\.0\.0\.1:\d+ within 0\.5 s, saw: the connection was refused: nobody listens "
        r"there\. Use \{port\} or MTLS_PORT, or allow more by --start-within\.",
    )


def test_a_server_on_another_port_is_not_found(runs: Runs) -> None:
    """It would be judged by its own material otherwise, if somebody else listened there."""

    run = runs("check", *unruly("--other-port"), "--start-within", "0.8", *ALL)
    assert_inconclusive(
        run, r".*, saw: the connection was refused: nobody listens there\. Use \{port\} or MTLS_PORT, .*"
    )


def test_an_application_that_fails_from_the_start_is_told(runs: Runs) -> None:
    """5xx is no verdict on anybody's certificate, and no matter of ports."""

    run = runs("check", *unruly("--status", "500"), "--start-within", "0.8", *ALL)
    assert_inconclusive(
        run, r".*, saw: HTTP 500.*\. The application failed: look at its log, and whether --path exists\."
    )


# --- backends that refuse the good credential


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (
            "--no-trust",
            r"alert 48 unknown_ca\. .* does the backend read it from \{truststore\} \(MTLS_TRUSTSTORE, .*\)\?",
        ),
        (
            "--status 401",
            r"HTTP 401\. .* give another --path, or say by --accept-status what the good credential gets .*",
        ),
        (
            "--status 403",
            r"HTTP 403\. .* give another --path, or say by --accept-status what the good credential gets .*",
        ),
    ],
)
def test_a_backend_that_refuses_the_good_credential_is_not_judged(runs: Runs, option: str, reason: str) -> None:
    """It refuses everybody, which looks perfect; the message says what to look at."""

    run = runs("check", *unruly(*option.split()), *SOME, "--scenario", "rotation/both-*")
    assert_inconclusive(
        run, rf".*: expected the good credential \(CN=ApiGateway,.*\) to be let in at \S+, saw it refused: {reason}"
    )


def test_a_missing_page_is_an_answer(runs: Runs) -> None:
    """404 comes from behind the TLS layer, so the good credential was let in, and others can be told from it."""

    assert runs("check", *unruly("--status", "404"), *ONE).code == 0


# --- URLs behind which there is no backend


@pytest.fixture
def credential(runs: Runs) -> tuple[str, ...]:
    """The options for a client certificate of which the backend knows nothing."""
    control_credential().write(runs.folder, "client")
    return "--client-cert", "client.pem", "--client-key", "client.key"


@contextmanager
def nobody() -> Iterator[int]:
    """A port that is bound, so that nobody else takes it, and on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def silence() -> Iterator[int]:
    """A port where TCP opens and nothing follows."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]


@contextmanager
def plain_http() -> Iterator[int]:
    """A web server without TLS."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (nobody, r"expected a server at https://\S+, saw: the connection was refused: .*\. Check host and port, .*"),
        (
            silence,
            r"expected an answer from https://\S+, saw silence: nothing came after our ClientHello\. Check the port, .*",
        ),
        (plain_http, r"expected TLS at https://\S+, saw something else \(.*\)\. Check the port; mTLS needs https\."),
    ],
    ids=["nobody", "silence", "plain-http"],
)
def test_a_url_behind_which_nobody_speaks_tls_is_told(
    runs: Runs, credential: tuple[str, ...], server: object, reason: str
) -> None:
    """What is there instead is named, within a few time-outs."""

    assert callable(server)
    with server() as port:
        run = runs("check", "--url", f"https://localhost:{port}/", *credential, *BRIEF, *ALL)
    assert_inconclusive(run, rf"https://localhost:\d+/: {reason}")
    assert run.seconds < 10


def test_a_host_name_that_does_not_exist_is_told(runs: Runs, credential: tuple[str, ...]) -> None:
    """RFC 6761 keeps .invalid free of hosts."""

    run = runs("check", "--url", "https://backend.invalid/", *credential, *ALL)
    assert_inconclusive(
        run, r".*: expected a server at \S+, saw: the host name cannot be resolved: .*\. Check host and port, .*"
    )


def test_a_certificate_that_the_backend_does_not_know_is_told(
    runs: Runs, credential: tuple[str, ...], tmp_path: Path
) -> None:
    """Its dates are shown, because they are mostly it."""

    with start_faulty(tmp_path / "server", (), control_credential()) as backend:
        run = runs("check", "--url", backend.url, *credential, *ALL)
    assert_inconclusive(
        run,
        r".* saw it refused: alert 48 unknown_ca\. Is it in the backend's truststore, with its intermediates in the PEM "
        r"file, and current \(valid \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d\)\?",
    )


def test_a_server_that_is_somebody_else_is_not_judged(runs: Runs, tmp_path: Path) -> None:
    """Its certificate does not lead to --server-ca."""

    good = control_credential()
    good.write(runs.folder, "client")
    with start_faulty(tmp_path / "server", (), good) as backend:
        options = ("--client-cert", "client.pem", "--client-key", "client.key", "--server-ca", "client.pem")
        run = runs("check", "--url", backend.url, *options, *ALL)
    assert_inconclusive(
        run, r".*: expected a server certificate that leads to --server-ca, saw .*\. Check the URL, or give .*"
    )


# --- backends that break down in the middle


def unproved(run: Run) -> list[str]:
    """The passed scenarios in which the good credential was not let in at last."""
    assert run.report is not None
    return [
        one["id"]
        for one in run.report["scenarios"]
        if one["outcome"] == "passed"
        for case in one["cases"]
        if len(case["observations"]) > 1 and (case["observations"][-1]["http"] or {}).get("status") != 200
    ]


@pytest.mark.parametrize(
    ("mischief", "reason"),
    [
        (
            "die",
            r".*: expected it to run until the end, saw: the command exited with code 9; .*out of memory.*\. Look at .*",
        ),
        (
            "hang",
            r".*: expected the twin .* to be let in to the end, saw it refused from some moment on: silence: .*\. Look .*",
        ),
        (
            "fail",
            r".*: expected the twin .* to be let in to the end, saw it refused from some moment on: HTTP 500 .*\. Look .*",
        ),
        (
            "close",
            r".*: expected the twin .* to be let in to the end, saw it refused from some moment on: .*closed.*\. Look .*",
        ),
    ],
    ids=["die", "hang", "fail", "close"],
)
def test_a_backend_that_breaks_down_makes_the_run_inconclusive(runs: Runs, mischief: str, reason: str) -> None:
    """What was proved before stands; the rest is explained once, soon, and nothing passes because nobody was there."""

    run = runs("check", *unruly("--after", "12", "--then", mischief), *BRIEF, *SOME)
    assert (run.code, run.is_clean, run.err) == (3, True, "")
    assert run.report is not None
    assert run.report["summary"]["result"] == "inconclusive"
    assert {one["outcome"] for one in run.report["scenarios"]} == {"passed", "inconclusive"}
    assert not unproved(run)
    (said,) = run.reasons
    assert re.fullmatch(reason, said)
    assert len(run.explanations) == 1
    assert run.report["summary"]["problems"] == [said]
    assert run.seconds < 20


@pytest.mark.parametrize("mischief", ["die", "fail"])
def test_a_backend_that_breaks_down_shortly_before_the_end_is_noticed(runs: Runs, mischief: str) -> None:
    """By the check that closes the run, if by nothing else."""

    scenarios = ("--scenario", "presence/*", "--json", "report.json")
    run = runs("check", *unruly("--after", "13", "--then", mischief), *BRIEF, *scenarios)
    assert (run.code, run.is_clean, run.err) == (3, True, "")
    assert run.report is not None
    assert len(run.report["summary"]["problems"]) == 1
    assert {one["outcome"] for one in run.report["scenarios"]} == {"passed"}
    assert not unproved(run)


@pytest.mark.parametrize("mischief", ["die", "fail"])
def test_a_backend_of_one_scenarios_own_that_breaks_down_spoils_that_one(runs: Runs, mischief: str) -> None:
    """The shared one goes on, and so does the run."""

    command = unruly("--after", "30", "--then", mischief)
    scenarios = ("--scenario", "rotation/old-removed", "--scenario", "trust/gateway-certificate")
    run = runs("check", *command, *scenarios, *BRIEF, *ALL)
    assert (run.code, run.is_clean) == (3, True)
    assert run.report is not None
    assert {one["id"]: one["outcome"] for one in run.report["scenarios"]}["rotation/old-removed"] == "inconclusive"
    assert {one["id"]: one["outcome"] for one in run.report["scenarios"]}["trust/gateway-certificate"] == "passed"
    assert not unproved(run)
    assert run.seconds < 20


# --- "does not start" is proof only beside a start


@pytest.mark.parametrize("scenario", ["trust/missing-truststore", "trust/empty-truststore"])
def test_a_server_of_which_only_one_can_run_does_not_pass_for_not_starting(runs: Runs, scenario: str) -> None:
    """A second one would not start with any truststore, so that it does not start without proves nothing."""

    run = runs("check", *unruly("--lock", "lock"), "--scenario", scenario, *ALL)
    assert_inconclusive(run, r"a second backend with good material does not start beside the first: .*File exists.*")


def test_a_server_that_gives_up_tls_without_a_truststore_does_not_pass_for_not_starting(runs: Runs) -> None:
    """It does start, and serves everybody in the clear."""

    options = ("--scenario", "trust/missing-truststore", "--start-within", "2", *BRIEF, *ALL)
    run = runs("check", *unruly("--careless"), *options)
    assert_inconclusive(run, r".*expected a TLS server on .*")


# --- what is left


def test_children_of_a_backend_end_with_it(runs: Runs) -> None:
    """The whole process group is ended."""

    run = runs("check", *unruly("--grandchild"), *ONE)
    assert (run.code, run.left) == (0, ())


def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has some grace, and no more."""

    monkeypatch.setattr(process, "GRACE", 0.2)
    ready = tmp_path / "ready"
    program = f"import signal; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w').close(); signal.pause()"
    with running([sys.executable, "-c", program], Material(tmp_path, "127.0.0.1", 1), folder=tmp_path) as server:
        assert poll_until(ready.exists, 10)
    assert server.trouble() == "the command ended by SIGKILL"


def test_a_server_that_ends_in_order_is_not_killed(tmp_path: Path) -> None:
    """SIGTERM comes first, and is enough."""

    ready = tmp_path / "ready"
    program = f"import signal; open({str(ready)!r}, 'w').close(); signal.pause()"
    with running([sys.executable, "-c", program], Material(tmp_path, "127.0.0.1", 1), folder=tmp_path) as server:
        assert poll_until(ready.exists, 10)
    assert server.trouble() == f"the command ended by {signal.SIGTERM.name}"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, where every write fails")
def test_a_report_that_cannot_be_written_is_told_after_the_summary(runs: Runs) -> None:
    """A disk that is full loses one report, not the other, and not what the terminal shows."""

    run = runs("check", "--scenario", "presence/*", "--json", "/dev/full", "--junit", "junit.xml")
    assert (run.code, run.is_clean) == (2, True)
    assert "conformant: 2 passed" in run.out
    assert run.err == (
        "pytest-mtls: --json (/dev/full): expected a file that can be written, saw: No space left on device. "
        "Give another path.\n"
    )
    assert ElementTree.parse(runs.folder / "junit.xml").getroot()[0].get("tests") == "2"


def test_control_characters_of_a_log_reach_no_terminal(runs: Runs) -> None:
    """A backend may write what it likes; the reports can be read all the same."""

    program = "import sys; sys.stdout.buffer.write(b'\\x1b[31mred\\x07 \\x00 \\xff\\xfe end\\n'); sys.exit(1)"
    (runs.folder / "server.py").write_text(program)
    run = runs("check", "--command", f"{sys.executable} server.py", *ONE, "--junit", "junit.xml")
    assert run.code == 3
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", run.out)
    assert re.search(
        r"red.* end", ElementTree.parse(runs.folder / "junit.xml").findall(".//error")[0].get("message", "")
    )
    assert "red" in json.dumps(run.report)
