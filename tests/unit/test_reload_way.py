"""``--reload``: how a backend is told that its truststore changed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from pytest_mtls.harness.backend.contract import Material
from pytest_mtls.harness.backend.process import BackendProcess, running
from pytest_mtls.harness.backend.reload import RESTART, ReloadWay, parse_reload
from pytest_mtls.harness.errors import BackendError, UsageError
from pytest_mtls.harness.wait import poll_until


class Signalled(BackendProcess):
    """A process that was never started, and remembers what it is told."""

    def __init__(self) -> None:
        self.signals: list[signal.Signals] = []
        self.cwd = None
        self._others = []

    def signal(self, number: signal.Signals) -> None:
        """Remember *number*."""
        self.signals.append(number)


@pytest.fixture
def process() -> Signalled:
    """A process to be told."""
    return Signalled()


@pytest.fixture
def material(tmp_path: Path) -> Material:
    """Material in a folder of the test's own."""
    return Material(tmp_path, "127.0.0.1", 20443)


# --- reading the option


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("restart", RESTART),
        ("watch", ReloadWay("watch")),
        ("signal:HUP", ReloadWay("signal", ("HUP",))),
        ("signal:hup", ReloadWay("signal", ("HUP",))),
        ("signal:SIGHUP", ReloadWay("signal", ("HUP",))),
        ("signal:sigusr1", ReloadWay("signal", ("USR1",))),
        ("command:nginx -s reload", ReloadWay("command", ("nginx", "-s", "reload"))),
        ("command:sh -c 'kill -HUP {port}'", ReloadWay("command", ("sh", "-c", "kill -HUP {port}"))),
        ("command:curl http://localhost:9/", ReloadWay("command", ("curl", "http://localhost:9/"))),
    ],
)
def test_each_way_is_read(text: str, way: ReloadWay) -> None:
    """The four ways; only the first colon divides."""

    assert parse_reload(text) == way


@pytest.mark.parametrize("text", ["", "hup", "HUP", "reload", "Restart", "restart:now", "watch:5", ":", "signals:HUP"])
def test_another_way_is_refused(text: str) -> None:
    """The message repeats what was given and lists what can be."""

    message = rf"^--reload \({text}\): expected restart, signal:NAME, command:CMD or watch\. Choose one of these\.$"
    with pytest.raises(UsageError, match=message):
        parse_reload(text)


@pytest.mark.parametrize(
    ("text", "seen"), [("signal:FOO", "FOO"), ("signal:1", "1"), ("signal:", "none"), ("signal", "none")]
)
def test_an_unknown_signal_is_refused(text: str, seen: str) -> None:
    """The message says how a signal is written, and where the names are listed."""

    message = rf"^--reload \({text}\): expected a signal's name as in signal:HUP, saw {seen}\. See 'kill -l'\.$"
    with pytest.raises(UsageError, match=message):
        parse_reload(text)


@pytest.mark.parametrize("text", ["command:", "command", "command:  "])
def test_an_empty_command_is_refused(text: str) -> None:
    """There is nothing to run."""

    with pytest.raises(UsageError, match=r"^--reload command: expected a command line, saw nothing"):
        parse_reload(text)


def test_a_misspelt_placeholder_is_refused() -> None:
    """The same words can be filled in as in --command."""

    with pytest.raises(UsageError, match=r"^--reload command: unknown placeholder \{prot\}.*Did you mean \{port\}\?$"):
        parse_reload("command:reload {prot}")


@pytest.mark.parametrize(
    ("text", "live"), [("restart", False), ("watch", True), ("signal:HUP", True), ("command:true", True)]
)
def test_all_but_a_restart_are_live(text: str, live: bool) -> None:
    """Live means that the backend stays up."""

    assert parse_reload(text).live is live


@pytest.mark.parametrize("text", ["restart", "watch", "signal:HUP", "command:nginx -s reload"])
def test_a_way_reads_as_it_was_given(text: str) -> None:
    """Reports show it."""

    assert str(parse_reload(text)) == text


# --- carrying it out


def test_a_signal_is_sent(process: Signalled, material: Material) -> None:
    """To the process that was started."""

    parse_reload("signal:usr2").carry_out(process, material)
    assert process.signals == [signal.SIGUSR2]


@pytest.mark.parametrize("text", ["watch", "restart"])
def test_nothing_is_sent_to_who_notices_by_himself(process: Signalled, material: Material, text: str) -> None:
    """A watching backend is told nothing; a restart is not carried out here."""

    parse_reload(text).carry_out(process, material)
    assert process.signals == []


def test_a_command_is_run_with_the_materials_values(process: Signalled, material: Material, tmp_path: Path) -> None:
    """Placeholders are filled in, one word each."""

    out = tmp_path / "said"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    ReloadWay("command", (sys.executable, "-c", code, str(out), "{host} {port}")).carry_out(process, material)
    assert out.read_text() == "127.0.0.1 20443"


def test_a_command_that_fails_is_told_with_its_last_words(process: Signalled, material: Material) -> None:
    """The exit code and the last three lines of what it said, in one line."""

    code = "import sys; print('to stdout'); sys.stderr.write('one\\ntwo\\nthree\\nfour\\n'); sys.exit(3)"
    message = r"expected exit code 0, saw 3: two \| three \| four\. Run it by hand\.$"
    with pytest.raises(BackendError, match=message):
        ReloadWay("command", (sys.executable, "-c", code)).carry_out(process, material)


def test_a_command_that_fails_may_have_written_to_its_output_only(process: Signalled, material: Material) -> None:
    """Then that is what it said."""

    code = "import sys; print('no such server'); sys.exit(1)"
    with pytest.raises(BackendError, match=r"saw 1: no such server\. Run it by hand\.$"):
        ReloadWay("command", (sys.executable, "-c", code)).carry_out(process, material)


def test_a_command_that_does_not_exist_is_told(process: Signalled, material: Material) -> None:
    """By its name, with what to look at."""

    with pytest.raises(BackendError, match=r"^reload command \(no-such-program\): cannot be run: .* Check its name\.$"):
        parse_reload("command:no-such-program --now").carry_out(process, material)


def test_a_command_that_never_ends_is_told(
    process: Signalled, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended after its time; the run must not hang."""

    monkeypatch.setattr("pytest_mtls.harness.backend.reload._COMMAND_SECONDS", 0.05)
    code = "import threading; threading.Event().wait()"
    with pytest.raises(BackendError, match=r"expected it to end within [\d.]+ s, and it did not\. Give a command"):
        ReloadWay("command", (sys.executable, "-c", code)).carry_out(process, material)


def test_a_process_that_has_ended_cannot_be_signalled(material: Material, tmp_path: Path) -> None:
    """The message says how it ended, with its last lines, but for those that underline another one."""

    words = [sys.executable, "-c", "import sys; print('no port left\\n  ~~~~^^^'); sys.exit(4)"]
    message = r"^reload by SIGHUP: the command exited with code 4; its last lines: no port left\. It has to run"
    with running(words, material, folder=tmp_path) as ended:
        assert poll_until(lambda: ended.trouble() is not None, 10)
        with pytest.raises(BackendError, match=message):
            parse_reload("signal:HUP").carry_out(ended, material)
