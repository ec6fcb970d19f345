"""What runs show on a terminal, and where there is none."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_mtls.harness.options import OPTIONS

from .checks import PROGRAM, clean_environment
from .reported import Reported
from .runs import Runs


def normalised(text: str) -> str:
    """*text* without what differs from run to run."""
    text = re.sub(r"in \d+\.\d s", "in N s", text)
    text = re.sub(r"Python/\S+ aiohttp/\S+", "Python/V aiohttp/V", text)
    return re.sub(r"pytest-mtls \S+ \(OpenSSL [^)]+\)", "pytest-mtls V (OpenSSL)", text)


SIGHT = """
what I see
  TLS        1.2 (ECDHE-ECDSA-AES256-GCM-SHA384); 1.3 (TLS_AES_256_GCM_SHA384)
  asks for   a client certificate, of CN=ApiGateway,L=Seattle,C=US
  HTTP       1.1; no HTTP/2: chooses nothing by ALPN
  sessions   gives tickets
  server     Python/V aiohttp/V
"""
FINDING = """
failed trust/other-customer-same-name (MUST)
  required   Another AWS customer's gateway certificate MUST be refused.
  seen       TLS 1.2, other-customer: expected rejected, saw accepted: HTTP 200
  seen       TLS 1.3, other-customer: expected rejected, saw accepted: HTTP 200
  remedy     Verify the certificate against the truststore, or compare its SHA-256 fingerprint with the pinned one.
             Names, serial numbers and dates prove nothing: every API Gateway certificate of every AWS customer bears
             the name C=US, L=Seattle, CN=ApiGateway, and the rest of a certificate is readable by anyone with API
             access.
  source     RFC 5280 6.1
  reproduce  pytest-mtls check --fault dn-only --scenario trust/other-customer-same-name --profile gateway --keep DIR
"""
TWO = ("--scenario", "presence/*")
ONE_FAILS = ("--fault", "dn-only", "--scenario", "trust/other-*", "--scenario", "trust/self-*")
SNAPSHOTS = {
    "conformant": (
        TWO,
        f"""\
pytest-mtls V (OpenSSL): reference, profile gateway
{SIGHT}
passed       presence/no-certificate                        rejected: alert 40 handshake_failure (TLS 1.2); \
rejected: alert 116 certificate_required (TLS 1.3)
passed       presence/certificate-requested                 CertificateRequest sent

conformant: 2 passed in N s
""",
    ),
    "quiet": ((*TWO, "-q"), "\nconformant: 2 passed in N s\n"),
    "verbose": (
        (*TWO, "-v"),
        f"""\
pytest-mtls V (OpenSSL): reference, profile gateway
{SIGHT}
passed       presence/no-certificate                        rejected: alert 40 handshake_failure (TLS 1.2); \
rejected: alert 116 certificate_required (TLS 1.3)
               TLS 1.2  no certificate: rejected: alert 40 handshake_failure
               TLS 1.3  no certificate: rejected: alert 116 certificate_required
passed       presence/certificate-requested                 CertificateRequest sent
               TLS 1.2  certificate request: CertificateRequest sent
               TLS 1.3  certificate request: CertificateRequest sent

conformant: 2 passed in N s
""",
    ),
    "failing": (
        ONE_FAILS,
        f"""\
pytest-mtls V (OpenSSL): reference (dn-only), profile gateway
{SIGHT}
failed       trust/other-customer-same-name                 other-customer: expected rejected, saw accepted: HTTP 200
passed       trust/self-signed-stranger                     stranger, stranger of an authority of its own: rejected: HTTP 403
{FINDING}
nonconformant: 1 passed, 1 failed in N s
""",
    ),
    "failing, quiet": (
        (*ONE_FAILS, "-q"),
        f"""\
failed       trust/other-customer-same-name                 other-customer: expected rejected, saw accepted: HTTP 200
{FINDING}
nonconformant: 1 passed, 1 failed in N s
""",
    ),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_the_terminal_shows_this(tmp_path: Path, name: str) -> None:
    """As it is meant to look where there is neither colour nor width."""

    options, expected = SNAPSHOTS[name]
    assert normalised(Runs(tmp_path)("check", *options).out) == expected


def on_a_terminal(*arguments: str, columns: int, **environment: str) -> str:
    """What a pseudo-terminal of so many columns shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {
        name: value for name, value in clean_environment().items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
    }
    with subprocess.Popen(
        [PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=inherited | environment
    ) as process:
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
        process.wait(timeout=60)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux: nobody has the other end open any more
        return b""


def test_a_terminal_gets_colours_and_lines_that_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long reasons end in an ellipsis, findings are wrapped; nothing runs over the edge but the command to copy."""

    monkeypatch.chdir(tmp_path)
    shown = on_a_terminal("check", *ONE_FAILS, *TWO, columns=80)
    assert "\x1b[1;31mfailed      \x1b[0m trust/other-customer-same-name" in shown
    assert "\x1b[32mpassed      \x1b[0m presence/no-certificate" in shown
    assert "\x1b[1;31mnonconformant\x1b[0m: 3 passed, 1 failed" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert re.search(r"^passed {7}presence/no-certificate {24}rejected: alert 40 …$", plain, re.MULTILINE)
    assert [line for line in plain.splitlines()[1:] if len(line) > 80 and "reproduce" not in line] == []


def test_a_terminal_gets_no_colours_when_it_wants_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR, see no-color.org."""

    monkeypatch.chdir(tmp_path)
    shown = on_a_terminal("check", *TWO, columns=132, NO_COLOR="1")
    assert "\x1b" not in shown
    assert "conformant: 2 passed in" in shown


def test_a_partial_result_is_said_loudly(reported: Callable[[str], Reported]) -> None:
    """Exit code 0, but nobody should take it for the whole."""

    out = reported("partial").run.out
    assert re.search(r"^PARTIAL: \d+ MUST scenarios were not run, because the target lacks: start$", out, re.MULTILINE)
    assert "remedy     Let the harness start the backend (--command, --server) for the whole judgement." in out
    assert re.search(r"^partial: \d+ passed, \d+ skipped in ", out, re.MULTILINE)


def test_a_warning_is_shown_with_its_remedy(reported: Callable[[str], Reported]) -> None:
    """A SHOULD that does not hold does not fail the run."""

    out = reported("warned").run.out
    assert re.search(
        r"^warned readiness/gateway-certificate-expiry \(SHOULD\)$\n  required .*\n  seen ", out, re.MULTILINE
    )
    assert re.search(r"^conformant: 1 warned in ", out, re.MULTILINE)


def test_help_has_every_option(tmp_path: Path) -> None:
    """And says what it does."""

    out = Runs(tmp_path)("check", "--help").out
    assert [one.name for one in OPTIONS if f"--{one.name} " not in out] == []
