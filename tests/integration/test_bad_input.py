"""What cannot be used is refused before anything starts: one line that says what, its value, what to do; exit code 2."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_mtls.harness.cli import main

from .checks import PYTEST
from .refusals import Refuse, table
from .runs import Runs

# --- the foreground backend


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_backend_says_that_its_port_is_taken(refuse: Refuse, taken_port: int) -> None:
    """The message has address and port."""

    assert refuse(f"backend --port {taken_port}") == (
        f"port (127.0.0.1:{taken_port}): expected one to listen on, saw: Address already in use. Choose another one."
    )


@table(
    ("options", "message"),
    ("--port 0", r"--port \(0\): expected a number from 1 to 65535\. Leave it out for a free one\."),
    ("--port https", r"--port \(https\): expected a number from 1 to 65535\. Leave it out for a free one\."),
    (
        "--host 192.0.2.1",
        r"port \(192\.0\.2\.1:\d+\): expected one to listen on, saw: [^()]+\. Choose another one\.",
    ),
    (
        "--truststore none.pem",
        r"truststore \(none\.pem\): expected a readable file, saw: No such file or directory\. Check the path\.",
    ),
    ("--truststore garbage.pem", r"truststore \(garbage\.pem\): expected PEM certificates, saw none\. Put in .*"),
    (
        "--truststore cut.pem",
        r"truststore \(cut\.pem\): expected an END CERTIFICATE line in block 1, saw the end .*",
    ),
    (
        "--server-cert client.pem --server-key other.key",
        r"private key \(other\.key\): expected the key of the certificate in client\.pem, saw another one\. Give .*",
    ),
    ("--server-cert garbage.pem --server-key other.key", r"server certificate \(garbage\.pem\): expected PEM .*"),
    ("--refuse maybe", r"Invalid value for '--refuse': .*\. See 'pytest-mtls backend --help'\."),
)
def test_backend_refuses_material_that_it_cannot_serve_with(refuse: Refuse, options: str, message: str) -> None:
    """It does not listen before all of it was read."""

    assert re.fullmatch(message, refuse(f"backend {options}"))


# --- the command line itself


@table(
    ("command", "message"),
    ("chek", r"No such command 'chek'\..* See 'pytest-mtls --help'\."),
    (
        "check --comand x",
        r"No such option '?--comand'?\. .*--command.* See 'pytest-mtls check --help'\.",
    ),
    ("check server.py", r"Got unexpected extra argument \(server\.py\)\. See 'pytest-mtls check --help'\."),
    ("check --path", r"Option '--path' requires an argument\. See 'pytest-mtls.* --help'\."),
    ("check -n many", r"-n \(many\): expected a number of processes, or auto\. Leave it out for one\."),
)
def test_a_slip_of_the_keyboard_is_told_with_where_to_look(refuse: Refuse, command: str, message: str) -> None:
    """Click's words, in our one line."""

    assert re.fullmatch(message, refuse(command))


def test_a_mistake_leaves_the_shell_clean(tmp_path: Path) -> None:
    """In a process of its own too: exit code 2, one line, no traceback, nothing left."""

    run = Runs(tmp_path)("check", "--server", "nod")
    assert (run.code, run.out, run.err.count("\n"), run.is_clean) == (2, "", 1, True)


def test_a_fault_of_our_own_does_not_look_like_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A traceback would end with exit code 1, which says that a MUST failed."""

    nothing: dict[str, str] = {}
    monkeypatch.setattr("pytest_mtls.harness.settings.parse", lambda _: nothing["a key that is not there"])
    assert main(["check"]) == 3
    assert re.fullmatch(
        r"pytest-mtls: internal error: KeyError: 'a key that is not there' \(test_bad_input\.py:\d+\)\. Please report it\.\n",
        capsys.readouterr().err,
    )


def test_the_same_mistakes_are_told_by_pytest(tmp_path: Path) -> None:
    """As an option of pytest: its own exit code for usage, and our sentence."""

    runs = Runs(tmp_path)
    run = runs.end(runs.start("--pyargs", "pytest_mtls.scenarios", "--mtls-server", "nod", words=PYTEST))
    assert (run.code, run.is_clean) == (4, True)
    assert "ERROR: --server (nod): expected one of" in run.said
