"""What a process that was killed has left is ended by another, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_mtls.harness import leftovers
from pytest_mtls.harness.backend.launch import launch
from pytest_mtls.harness.groups import is_gone, seen
from pytest_mtls.harness.wait import poll_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

SLEEP = ("sleep", "60")


class Starter:
    """Starts processes in groups of their own; all end with the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, *words: str, own_session: bool = True) -> subprocess.Popen[bytes]:
        group = None if own_session else 0
        process = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=own_session, process_group=group)
        self._stack.callback(self._end, process)
        return process

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if not is_gone(process.pid):
            os.killpg(process.pid, 9)
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(autouse=True)
def nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that is no worker, though these tests may run in one."""
    monkeypatch.setattr(leftovers._state, "folder", None)


@pytest.fixture
def start() -> Iterator[Starter]:
    """Starts processes."""
    with ExitStack() as stack:
        yield Starter(stack)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with nothing in it yet."""
    made = tmp_path / "place"
    made.mkdir()
    return made


def began(pid: int) -> str:
    """When a process was started."""
    found = seen(pid)
    assert found is not None
    return found.began


def test_what_is_recorded_is_ended_and_the_folder_goes(start: Starter, place: Path) -> None:
    """The worker first: it could start others."""
    worker, backend = start(*SLEEP), start(*SLEEP)
    (place / f"worker-{worker.pid}-{began(worker.pid)}").touch()
    (place / f"group-{backend.pid}-{began(backend.pid)}").touch()
    (place / "material").mkdir()
    leftovers.clear(place)

    assert (worker.wait(10), backend.wait(10), place.exists()) == (-9, -15, False)


def test_a_later_process_of_the_same_number_is_left_alone(start: Starter, place: Path) -> None:
    """Numbers are given again."""
    other = start(*SLEEP)
    for kind in ("worker", "group"):
        (place / f"{kind}-{other.pid}-1{began(other.pid)}").touch()
    leftovers.interrupt(place)
    leftovers.clear(place)

    assert (other.poll(), place.exists()) == (None, False)


@pytest.mark.parametrize("own_session", [True, False], ids=["a session, as ours are", "a job of a shell"])
def test_a_group_whose_leader_has_gone(start: Starter, place: Path, own_session: bool) -> None:
    """A server may have left its children; a group that is no session is somebody else's by now."""
    leader = start("/bin/sh", "-c", "sleep 60 >/dev/null & echo", own_session=own_session)
    (place / f"group-{leader.pid}-{began(leader.pid)}").touch()
    assert leader.stdout is not None
    leader.stdout.read()
    leader.wait(10)
    leftovers.clear(place)

    assert is_gone(leader.pid) == own_session


def test_one_that_ignores_sigterm_is_killed(start: Starter, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the ordinary end of a backend."""
    monkeypatch.setattr(leftovers, "GRACE", 0.2)
    stubborn = start(
        sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    )
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    (place / f"group-{stubborn.pid}-{began(stubborn.pid)}").touch()
    leftovers.clear(place)

    assert stubborn.wait(10) == -9


def test_a_record_stands_from_the_start_of_a_group_to_its_end(start: Starter, tmp_path: Path) -> None:
    """What is still recorded at the end of the block is ended."""
    place = tmp_path / "place"
    with leftovers.kept_in(place):
        ended, forgotten = start(*SLEEP), start(*SLEEP)
        for process in (ended, forgotten):
            leftovers.record(process.pid)
        leftovers.strike(ended.pid)
        names = {path.name for path in place.iterdir()}
        me = os.getpid()
        assert names == {f"worker-{me}-{began(me)}", f"group-{forgotten.pid}-{began(forgotten.pid)}"}
        assert leftovers.folder() == place

    assert (forgotten.wait(10), ended.poll(), place.exists(), leftovers.folder()) == (-15, None, False, None)


def test_who_comes_after_the_interruption_starts_nothing(tmp_path: Path) -> None:
    """A worker that was still busy with its imports has not heard the signal."""
    leftovers.interrupt(tmp_path / "place")
    with pytest.raises(KeyboardInterrupt), leftovers.kept_in(tmp_path / "place"):
        pytest.fail("it went on")

    assert not (tmp_path / "place").exists()


def test_without_a_place_nothing_is_recorded(start: Starter, tmp_path: Path) -> None:
    """A run of one process has nobody to clear up after it."""
    with leftovers.kept_in(None):
        leftovers.record(start(*SLEEP).pid)

        assert leftovers.folder() is None


def test_the_dead_that_nobody_reaps_do_not_live(start: Starter) -> None:
    """In a container there may be no init process that does it."""
    process = start("true")

    assert poll_until(lambda: is_gone(process.pid), 10)
    found = seen(process.pid)
    assert found is not None
    assert not found.lives


# --- the start of a program


@pytest.mark.parametrize("words", [("env",), ("grep", "SigIgn", "/proc/self/status"), ("cat",)], ids=" ".join)
def test_a_recorded_program_has_what_it_has_without_a_record(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The same environment, the same signals, an empty input."""
    said = []
    for place in (None, tmp_path / "place"):
        with leftovers.kept_in(place), (tmp_path / "output").open("w+b") as output:
            process = launch(words, stdout=output, stderr=subprocess.STDOUT, env={"a.b": "kept"})
            if place is not None:
                assert [path.name.split("-")[1] for path in place.glob("group-*")] == [str(process.pid)]
            assert process.wait(20) == 0
            output.seek(0)
            said.append(output.read())

    assert said[0] == said[1]


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """Recorded or not, the caller is told."""
    with (
        leftovers.kept_in(tmp_path / "place"),
        (tmp_path / "output").open("w+b") as output,
        pytest.raises(FileNotFoundError),
    ):
        launch(["no-such-program"], stdout=output, stderr=output, env={})


def test_a_program_does_not_start_when_who_would_record_it_is_killed(tmp_path: Path) -> None:
    """However short that moment is: what was started already ends by itself."""
    started = tmp_path / "started"
    script = f"""
import os, sys
from pathlib import Path
from pytest_mtls.harness import leftovers
from pytest_mtls.harness.backend import launch
launch.record = lambda group: os.kill(os.getpid(), 9)
with leftovers.kept_in(Path({str(tmp_path / "place")!r})):
    launch.launch(["touch", {str(started)!r}], stdout=sys.stdout.buffer, stderr=sys.stderr.buffer, env={{}})
"""
    # the output is at its end once nobody is left who could write
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr, started.exists()) == (-9, b"", b"", False)
