"""Surroundings that are against us: limits, clocks, folders, addresses, proxies. The run says so, and is never wrong."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_mtls.harness.backend.ports import free_port
from pytest_mtls.harness.pki.authority import server_credential
from pytest_mtls.harness.pki.gateway_certificate import control_credential

from .checks import PROGRAM, SERVERS, require, serve
from .runs import Runs, unruly

REPORT = ("--json", "report.json")
DATES = (
    *(f"--scenario={one}" for one in ("validity/expired", "validity/not-*", "trust/self-*", "server-*/c*")),
    *REPORT,
)
"""Without what expires while we look: on a busy machine it may have expired before."""
NEGATIVE = {
    "presence/no-certificate",
    "trust/self-signed-stranger",
    "trust/other-customer-same-name",
    "rotation/deleted",
}
"""What a backend that lets in everybody gets wrong."""
LIMITED = (
    *(f"--scenario={one}" for one in sorted(NEGATIVE)),
    *("--scenario=trust/gateway-*", "--scenario=rotation/both-*", "--scenario=rotation/switch"),
    *(
        "--scenario=server-identity/tls12-*",
        "--scenario=reload/replacement-*",
        "--timeout=1",
        "--reload-within=0.5",
        *REPORT,
    ),
)


# --- limits: in the way of whoever comes


def limiting(*options: str) -> tuple[str, str]:
    """The options for the server that limits requests."""
    return "--command", " ".join([sys.executable, str(SERVERS / "limiting.py"), *options])


limits = pytest.mark.parametrize(
    "limit",
    [
        ("--every=5", "--by=429"),
        ("--every=5", "--by=503"),
        ("--every=5", "--by=reset"),
        ("--every=5", "--by=reset-at-once"),
        ("--every=2", "--by=reset"),
        ("--every=3", "--by=429"),
        ("--a-second=25", "--by=429"),
        ("--a-second=25", "--by=reset"),
    ],
    ids=" ".join,
)


@limits
def test_a_limit_is_no_refusal_of_the_good(runs: Runs, limit: tuple[str, ...]) -> None:
    """A right backend that limits requests may come out inconclusive, never wrong: no certificate was refused."""
    run = runs("check", *limiting(*limit), *LIMITED)
    assert (run.code in (0, 3), run.is_clean) == (True, True)
    assert {one for one, outcome in run.outcomes.items() if outcome == "failed"} == set()


@limits
def test_a_limit_is_no_refusal_of_strangers(runs: Runs, limit: tuple[str, ...]) -> None:
    """A backend that lets in everybody passes nothing because a stranger's connection happened to be one too many."""
    run = runs("check", *limiting("--open", *limit), *LIMITED)
    assert (run.code in (1, 3), run.is_clean) == (True, True)
    assert {one for one in NEGATIVE if run.outcomes[one] == "passed"} == set()


def test_a_limit_on_requests_is_told_as_such(runs: Runs) -> None:
    """429 is a word about requests; the message says what to do."""
    run = runs("check", *limiting("--a-second=1", "--by=429"), "--scenario=trust/gateway-*", *REPORT)
    assert run.code == 3
    assert "HTTP 429" in run.said
    assert "lift the limit" in run.said


# --- clocks


@pytest.mark.parametrize("target", [(), unruly()], ids=["embedded", "command"])
def test_another_time_for_all_changes_nothing(runs: Runs, target: tuple[str, ...]) -> None:
    """Three years from now: nothing that is made or judged has a date of its own."""
    words = (require("faketime"), "-f", "+3y", PROGRAM)
    # waiting is by the monotonic clock; faked too, a wait that began before would never end
    run = runs.end(runs.start("check", *target, *DATES, words=words, FAKETIME_DONT_FAKE_MONOTONIC="1"))
    assert run.reasons == set()
    assert (run.code, set(run.outcomes.values()), run.left) == (0, {"passed"}, ())


def test_a_backend_whose_clock_is_ahead_is_told_so(runs: Runs) -> None:
    """By its Date header; what it makes of dates proves nothing then."""
    command = f"{require('faketime')} -f +2d {sys.executable} {SERVERS / 'python_server.py'}"
    run = runs("check", "--command", command, *DATES)
    assert (run.code, run.is_clean) == (3, True)
    assert {one for one, outcome in run.outcomes.items() if outcome != "passed"} == {"validity/not-yet-valid"}
    (reason,) = run.reasons
    assert reason.startswith(
        "the backend's clock is 2 days ahead of this machine's, by its Date header. Set both right"
    )


def test_a_backend_whose_clock_is_behind_is_told_so(runs: Runs) -> None:
    """It refuses every certificate that was made today; the first message asks for its clock."""
    command = f"{require('faketime')} -f -2d {sys.executable} {SERVERS / 'python_server.py'}"
    run = runs("check", "--command", command, *DATES)
    assert (run.code, run.is_clean) == (3, True)
    (reason,) = run.reasons
    assert "Is the backend's clock right? It is valid from " in reason


def test_a_backend_that_does_not_tell_the_time_leaves_a_note(runs: Runs) -> None:
    """Without a Date header nobody can tell a wrong clock from a wrong check."""
    require("faketime")
    option, command = unruly()
    run = runs("check", option, f"faketime -f +2d {command}", "--scenario=validity/not-yet-valid", *REPORT)
    assert run.report is not None
    assert run.report["scenarios"][0]["notes"] == ["it sends no Date header: make sure that its clock is right"]


# --- folders


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, where nobody can make a file, not even root")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "--json", "/proc/report"),
        ("check", "--junit", "/proc/report"),
        ("check", "--summary-markdown", "/proc/report"),
        ("check", "--keep", "/proc/new/folder"),
        ("kit", "/proc/kit"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_place_where_nothing_can_be_written_is_refused_before_the_run(runs: Runs, words: tuple[str, ...]) -> None:
    """Nobody wants to lose a report of a run that is over; permissions alone do not tell root."""
    run = runs(*words)
    assert (run.code, run.out, run.err.count("\n"), run.is_clean) == (2, "", 1, True)
    assert "can be written" in run.err or "to write to" in run.err


def test_a_place_that_was_tried_is_left_as_it_was(runs: Runs) -> None:
    """A report of an earlier run is there until the new one is."""
    (runs.folder / "report.json").write_text("the old one")
    run = runs.start("check", "--json", "report.json", "--server", "nod")
    assert run.wait(60) == 2
    assert (runs.folder / "report.json").read_text() == "the old one"
    run.communicate()


def test_a_temporary_folder_that_cannot_be_used_is_no_obstacle(runs: Runs) -> None:
    """Python takes another one."""
    assert runs("check", "--scenario=presence/*", TMPDIR="/proc").code == 0


# --- addresses


@contextmanager
def only_at_ipv6(folder: Path) -> Iterator[int]:
    """The port of a TLS server that listens on ::1 and nowhere else."""
    port = free_port()
    certificate, key = server_credential().write(folder, "server")
    listen = ["-accept", f"[::1]:{port}", "-cert", str(certificate), "-key", str(key), "-www", "-quiet"]
    with serve([require("openssl"), "s_server", *listen], port=port, host="::1"):
        yield port


def has_ipv6() -> bool:
    """Whether this machine has ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
"""The other way round, ::1 first and a backend at 127.0.0.1, stands in test_probe_connection."""


@needs_ipv6
def test_a_command_that_listens_at_another_address_is_told_where_it_is_expected(runs: Runs) -> None:
    """{host} is 127.0.0.1."""
    openssl = f"{require('openssl')} s_server -accept [::1]:{{port}} -cert {{server_cert}} -key {{server_key}} -www"
    run = runs("check", "--command", openssl, "--start-within=1", "--scenario=presence/*", *REPORT)
    assert (run.code, run.is_clean) == (3, True)
    (reason,) = run.reasons
    assert "expected a TLS server on 127.0.0.1:" in reason
    assert "nobody listens there" in reason


@needs_ipv6
def test_the_addresses_of_a_name_that_were_tried_are_told(runs: Runs) -> None:
    """The backend is at ::1, and this machine's localhost may be 127.0.0.1 alone."""
    found = {address[0] for *_, address in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
    if "::1" in found:
        pytest.skip("localhost has both addresses here, so the backend is found")
    control_credential().write(runs.folder, "client")
    with only_at_ipv6(runs.folder) as port:
        options = ("--client-cert=client.pem", "--client-key=client.key", "--scenario=presence/*", *REPORT)
        run = runs("check", "--url", f"https://localhost:{port}/", *options)
    assert (run.code, run.is_clean) == (3, True)
    (reason,) = run.reasons
    assert "nobody listens there (tried 127.0.0.1). Check host and port" in reason


@needs_ipv6
def test_a_backend_at_ipv6_alone_is_judged(runs: Runs) -> None:
    """By its address, if its name does not lead there. This one asks for no certificate."""
    control_credential().write(runs.folder, "client")
    with only_at_ipv6(runs.folder) as port:
        options = ("--client-cert=client.pem", "--client-key=client.key", "--scenario=presence/*", *REPORT)
        run = runs("check", "--url", f"https://[::1]:{port}/", *options)
    assert (run.code, set(run.outcomes.values())) == (1, {"failed"})


# --- proxies


def test_proxies_of_the_environment_are_not_asked(runs: Runs) -> None:
    """The gateway's place is taken by us, and by nobody in between."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    nobody = dict.fromkeys(names, "http://127.0.0.1:1")
    run = runs("check", *unruly(), "--scenario=presence/*", "--scenario=trust/g*", within=60, **nobody)
    assert run.code == 0
