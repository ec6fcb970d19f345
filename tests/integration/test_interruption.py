"""Runs that are broken off: by Ctrl-C, by SIGTERM, by a terminal that closes, by a pipe that nobody reads any more."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pytest_mtls.harness import interrupt
from pytest_mtls.harness.backend import process as process_module
from pytest_mtls.harness.backend.contract import Material
from pytest_mtls.harness.backend.faulty import start_faulty
from pytest_mtls.harness.backend.process import running
from pytest_mtls.harness.groups import is_gone
from pytest_mtls.harness.pki.gateway_certificate import control_credential
from pytest_mtls.harness.tls.notes import Notes
from pytest_mtls.harness.tls.observation import Phase, TlsVersion
from pytest_mtls.harness.wait import poll_until

from .checks import PROGRAM
from .runs import Run, Runs, unruly

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = "interrupted before the run had come to its end"
REPORT = ("--json", "report.json", "--junit", "junit.xml")
AT_A_LINE = (
    sys.executable,
    "-c",
    "import os, sys; from pytest_mtls.harness.report.terminal import Terminal; from pytest_mtls.harness.cli import main; "
    "line = Terminal.scenario; Terminal.scenario = lambda *both: (os.kill(os.getpid(), 15), line(*both)); sys.exit(main())",
)
"""The program, which gets SIGTERM when it is about to print the first scenario's line."""
PYTEST = (sys.executable, "-u", "-m", "pytest", "-v", "-p", "no:cacheprovider", "--pyargs", "pytest_mtls.scenarios")


@pytest.fixture(params=SIGNALS, ids=lambda one: one.name)
def stop(request: pytest.FixtureRequest) -> signal.Signals:
    """Each signal that ends a run."""
    return signal.Signals(request.param)


def read_until(process: subprocess.Popen[str], pattern: str, times: int = 1) -> str:
    """What the process prints up to the line that matches *pattern* for the last of so many times."""
    assert process.stdout is not None
    printed = ""
    for line in iter(process.stdout.readline, ""):
        printed += line
        times -= bool(re.search(pattern, line))
        if times == 0:
            return printed
    raise AssertionError(f"it ended before {pattern!r}: {printed}{process.stderr and process.stderr.read()}")


def assert_partial(run: Run) -> None:
    """That the reports have what was done, say that it is not all, and that nothing is left, by name or by port."""
    assert run.left == ()
    assert "Traceback" not in run.err
    assert run.report is not None
    summary = run.report["summary"]
    assert (summary["result"], summary["problems"]) == ("inconclusive", [INTERRUPTED])
    assert {one["outcome"] for one in run.report["scenarios"]} <= {"passed"}
    url = run.report["target"]["url"]
    assert url is None or not listens(urlsplit(url).port or 0)


def listens(port: int) -> bool:
    """Whether somebody takes connections."""
    with socket.socket() as candidate:
        candidate.settimeout(1)
        return candidate.connect_ex(("127.0.0.1", port)) == 0


# --- check


def test_an_interruption_while_the_backend_starts(runs: Runs, stop: signal.Signals) -> None:
    """The half-started backend ends with the run."""

    process = runs.start("check", "--command", f"{sys.executable} -c 'import signal; signal.pause()'", *REPORT)
    assert poll_until(lambda: bool(runs.processes("-c import signal; signal.pause()")), 20)
    process.send_signal(stop)
    run = runs.end(process, within=20)
    assert (run.code, run.err) == (3, "")
    assert_partial(run)
    assert f"run inconclusive: {INTERRUPTED}\n\ninconclusive: no scenario ran in " in run.out


def test_an_interruption_in_the_middle(runs: Runs, stop: signal.Signals) -> None:
    """The summary and both reports have what was done by then."""

    process = runs.start("check", *unruly("--grandchild"), *REPORT)
    printed = read_until(process, "^passed ", times=4)
    process.send_signal(stop)
    run = runs.end(process, within=20)
    assert (run.code, run.err) == (3, "")
    assert_partial(run)
    assert run.report is not None
    done = [one["id"] for one in run.report["scenarios"]]
    assert re.findall("^passed +(\\S+)", printed + run.out, re.MULTILINE) == done
    assert f"inconclusive: {len(done)} passed in " in run.out
    assert (runs.folder / "junit.xml").read_bytes().count(b"<testcase ") == len(done) + 1


def test_an_interruption_while_an_outcome_is_recorded(runs: Runs) -> None:
    """What is in the report is on the terminal."""
    run = runs.end(runs.start("check", *unruly(), *REPORT, words=AT_A_LINE), within=20)
    assert_partial(run)
    assert run.report is not None
    (done,) = run.report["scenarios"]
    assert re.findall("^passed +(\\S+)", run.out, re.MULTILINE) == [done["id"]]


@pytest.mark.parametrize(
    ("number", "everybody"),
    [(signal.SIGINT, True), (signal.SIGTERM, False)],
    ids=["SIGINT-to-all-by-a-terminal", "SIGTERM-to-one-by-a-supervisor"],
)
def test_an_interruption_of_several_processes(runs: Runs, number: signal.Signals, everybody: bool) -> None:
    """Workers end their backends, whether the controller alone is told or, as by a terminal, all of them."""

    process = runs.start("check", "-n", "2", *unruly(), *REPORT)
    read_until(process, "^passed ", times=2)
    (os.killpg if everybody else os.kill)(process.pid, number)
    run = runs.end(process, within=40)
    assert (run.code, run.left) == (3, ())
    assert_partial(run)


def workers(runs: Runs) -> list[int]:
    """The process numbers of the workers that have backends."""
    return [int(path.name.split("-")[1]) for path in runs.temporary.glob("*/worker-*")]


def backends(runs: Runs, worker: int) -> list[int]:
    """The process groups that a worker has started."""
    (place,) = (path.parent for path in runs.temporary.glob(f"*/worker-{worker}-*"))
    return [int(path.name.split("-")[1]) for path in place.glob("group-*")]


def test_a_worker_that_cannot_clean_up(runs: Runs) -> None:
    """It is killed by xdist in the end; its controller ends what it has left."""

    process = runs.start("check", "-n", "2", *unruly("--grandchild"), *REPORT)
    read_until(process, "^passed ", times=2)
    assert poll_until(lambda: len(workers(runs)) == 2 and all(backends(runs, one) for one in workers(runs)), 30)
    for worker in workers(runs):
        os.kill(worker, signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    run = runs.end(process, within=60)
    assert (run.code, run.left) == (3, ())
    assert_partial(run)


def test_a_worker_that_is_killed(runs: Runs) -> None:
    """By a system that is short of memory: its backends end at once, and the run goes on."""

    process = runs.start("check", "-n", "2", *unruly("--grandchild"), *REPORT)
    read_until(process, "^passed ", times=2)
    assert poll_until(lambda: any(backends(runs, one) for one in workers(runs)), 30)
    killed, groups = next((one, groups) for one in workers(runs) if (groups := backends(runs, one)))
    os.kill(killed, signal.SIGKILL)
    assert poll_until(lambda: killed not in workers(runs) and all(map(is_gone, groups)), 60)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    run = runs.end(process, within=60)
    assert (run.code, run.left) == (3, ())


def test_an_interruption_of_workers_before_the_first_outcome(runs: Runs) -> None:
    """Also in a plain run of pytest, which has nothing to report by then."""

    pause = f"{sys.executable} -c 'import signal; signal.pause()'"
    options = ("-p", "no:tmpdir", "-n", "2", "--mtls-command", pause)
    process = runs.start(*options, words=PYTEST)
    assert poll_until(lambda: bool(runs.processes("-c import signal; signal.pause()")), 60)
    process.send_signal(signal.SIGTERM)
    run = runs.end(process, within=60)
    assert (run.code, run.left) == (pytest.ExitCode.INTERRUPTED, ())


def test_an_interruption_before_anything_was_started(runs: Runs, stop: signal.Signals) -> None:
    """There is nothing to report, and no traceback to show."""

    (runs.folder / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'pytest_mtls.harness.settings':\n"
        f"            os.kill(os.getpid(), {int(stop)})\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    run = runs("check", *REPORT, PYTHONPATH=str(runs.folder))
    assert (run.code, run.out, run.err.strip(), run.left) == (3, "", "pytest-mtls: interrupted", ())


# --- backend


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_backend_in_the_foreground_ends_in_order(runs: Runs, number: signal.Signals) -> None:
    """To be ended is its ordinary end: exit code 0, and the port is free."""

    process = runs.start("backend", PYTHONUNBUFFERED="1")
    printed = read_until(process, "^try it: ")
    port = int(re.findall(r"https://localhost:(\d+)/", printed)[0])
    assert poll_until(lambda: listens(port), 20)
    process.send_signal(number)
    run = runs.end(process, within=20)
    assert (run.code, run.err, run.left) == (0, "", ())
    assert not listens(port)


# --- pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_an_interruption_of_a_plain_pytest_run(runs: Runs, number: signal.Signals) -> None:
    """SIGTERM ends it as Ctrl-C does: with pytest's exit code for that, and our reports."""

    command, reports = unruly("--grandchild"), [f"--mtls-{word[2:]}" if word[:2] == "--" else word for word in REPORT]
    process = runs.start("--mtls-command", command[1], *reports, words=PYTEST)
    read_until(process, "PASSED", times=3)
    process.send_signal(number)
    run = runs.end(process, within=20)
    assert run.code == pytest.ExitCode.INTERRUPTED
    assert_partial(run)
    assert "mtls: inconclusive" in run.out
    assert "no tests ran" not in run.out


# --- output that goes away


def test_a_reader_that_has_seen_enough(runs: Runs) -> None:
    """``check | head -1`` ends the run: exit code 3, since it was not judged, and reports of what was done."""

    process = runs.start("check", *REPORT)
    read_until(process, "^pytest-mtls ")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=20), errors, list(runs.temporary.iterdir())) == (3, "", [])
    summary = json.loads((runs.folder / "report.json").read_text())["summary"]
    assert summary["problems"] == ["the output was closed before the run had come to its end"]


def test_a_check_without_any_output_writes_its_report(runs: Runs) -> None:
    """A service may close its streams."""

    words = ("/bin/sh", "-c", 'exec "$@" >&-', "sh", PROGRAM)
    run = runs.end(runs.start("check", "--scenario", "presence/*", *REPORT, words=words))
    assert (run.code, run.out, run.err, run.left) == (0, "", "", ())
    assert run.report is not None
    assert run.report["summary"]["result"] == "conformant"


# --- the signals themselves


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts the handlers back; they are set as an ordinary program has them."""
    before = {one: signal.signal(one, signal.SIG_DFL) for one in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.usefixtures("handlers")
def test_a_signal_raises_once_so_that_cleaning_up_is_not_disturbed(stop: signal.Signals) -> None:
    """Who presses Ctrl-C twice does not want orphans."""

    with interrupt.in_order():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(stop)
        signal.raise_signal(stop)
        assert interrupt.is_noted()
    assert not interrupt.is_noted()


@pytest.mark.usefixtures("handlers")
def test_whoever_goes_on_asking_is_heard_in_the_end(monkeypatch: pytest.MonkeyPatch, stop: signal.Signals) -> None:
    """A clean-up that hangs can be broken off too."""

    monkeypatch.setattr(interrupt, "_UNDISTURBED", 0)
    with interrupt.in_order():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(stop)


@pytest.mark.usefixtures("handlers")
def test_a_step_that_must_not_be_done_by_halves_is_done(stop: signal.Signals) -> None:
    """The signal is heard at its end, and not again while backends are ended."""

    done = []

    def step() -> None:
        with interrupt.held(), interrupt.held():
            signal.raise_signal(stop)
            done.append("the whole step")

    with interrupt.in_order():
        with pytest.raises(KeyboardInterrupt):
            step()
        with interrupt.held():
            done.append("what follows")
    assert done == ["the whole step", "what follows"]


@pytest.mark.usefixtures("handlers")
def test_an_interruption_while_a_backend_is_ended_does_not_leave_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: signal.Signals
) -> None:
    """One that ignores SIGTERM is killed all the same."""

    monkeypatch.setattr(process_module, "GRACE", 0.2)

    def interrupted(group: int) -> bool:
        signal.raise_signal(stop)
        return is_gone(group)

    monkeypatch.setattr(process_module, "is_gone", interrupted)
    ready = tmp_path / "ready"
    program = f"import signal; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w').close(); signal.pause()"
    material = Material(tmp_path, "127.0.0.1", 1)
    with (
        interrupt.in_order(),
        pytest.raises(KeyboardInterrupt),
        running([sys.executable, "-c", program], material, folder=tmp_path) as server,
    ):
        assert poll_until(ready.exists, 10)
    assert server.trouble() == "the command ended by SIGKILL"


@pytest.mark.usefixtures("handlers")
def test_handlers_of_others_stay_and_ours_go() -> None:
    """A signal that is ignored (nohup) or handled by somebody else is left to him."""

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interrupt.in_order(), interrupt.in_order():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("handlers")
def test_a_signal_inside_a_callback_of_openssl_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is raised there goes nowhere; the connection ends, and then the interruption comes."""

    good, reach = control_credential(), Notes.reach

    def reach_and_signal(notes: Notes, phase: Phase) -> None:
        reach(notes, phase)
        if phase is Phase.SERVER_HELLO:  # which the callback notes
            signal.raise_signal(signal.SIGTERM)

    with start_faulty(tmp_path, (), good) as backend, interrupt.in_order():
        monkeypatch.setattr(Notes, "reach", reach_and_signal)
        with pytest.raises(KeyboardInterrupt):
            backend.probe(good, TlsVersion.TLS13)
