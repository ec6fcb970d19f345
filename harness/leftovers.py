"""What one process of several has started and laid down, written down so that another can clear it away.

The workers of pytest-xdist are killed when they take longer than ten seconds to end; on a busy machine they do, and a
process that is killed ends no backend. So each has a folder, of which its controller knows, for its temporary files and
for the names of what runs: ``worker-PID-BEGAN`` for itself, ``group-PID-BEGAN`` for each process group that it started.
An empty file is there or is not; no reader sees the half of it. The moment of the start tells a process from a later one
of the same number.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .groups import is_gone, members, seen, signal_group
from .interrupt import held
from .wait import poll_until

__all__ = ["GRACE", "clear", "folder", "interrupt", "kept_in", "record", "strike"]

GRACE = 5.0
"""Seconds that processes have to end after SIGTERM."""
_INTERRUPTED = "interrupted"


@dataclass(slots=True)
class _State:
    """Where this process writes down what it starts, if anywhere."""

    folder: Path | None = None


_state = _State()


# --- in the process that starts backends


@contextmanager
def kept_in(place: Path | None) -> Iterator[None]:
    """Within the block, what this process starts is recorded in *place*, which goes at its end with all that is left.

    Raises KeyboardInterrupt at once if the controller has interrupted the run before. None records nothing.
    """
    if place is None or _state.folder is not None:
        yield
        return
    place.mkdir(mode=0o700, exist_ok=True)
    _state.folder = place
    try:
        _write("worker", os.getpid())
        if (
            place / _INTERRUPTED
        ).exists():  # asked after we said that we are here: the controller does it the other way
            raise KeyboardInterrupt
        yield
    finally:
        with held():
            _state.folder = None
            _end_groups(place)
            shutil.rmtree(place, ignore_errors=True)


def folder() -> Path | None:
    """Where temporary files of this process belong; None for the system's own place."""
    return _state.folder


def record(group: int) -> None:
    """Write down a process group that was just started; its leader must not have been waited for."""
    _write("group", group)


def strike(group: int) -> None:
    """Strike out a process group that has ended."""
    if _state.folder is not None:
        for path in _state.folder.glob(f"group-{group}-*"):
            path.unlink(missing_ok=True)


def _write(kind: str, pid: int) -> None:
    process = seen(pid)
    if _state.folder is not None and process is not None:
        with suppress(OSError):  # a full disk must not keep a backend that runs from being ended by its owner
            (_state.folder / f"{kind}-{pid}-{process.began}").touch()


# --- in the controller


def interrupt(place: Path) -> None:
    """Tell the process that is kept in *place*, or will be, that the run was interrupted."""
    with suppress(OSError):  # it has ended, and its folder is gone
        place.mkdir(mode=0o700, exist_ok=True)
        (place / _INTERRUPTED).touch()
    _signal_workers(place, signal.SIGTERM)


def clear(place: Path) -> None:
    """End the process that is kept in *place* if it still runs, then what it started, and remove the folder.

    Nothing is signalled that was not recorded there, or whose number is another's by now.
    """
    if place.exists():
        with held():
            _signal_workers(place, signal.SIGKILL)
            poll_until(lambda: not _workers(place), GRACE)  # or it could start another backend meanwhile
            _end_groups(place)
            shutil.rmtree(place, ignore_errors=True)


def _signal_workers(place: Path, number: signal.Signals) -> None:
    for pid in _workers(place):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _workers(place: Path) -> list[int]:
    """The workers recorded in *place* that live."""
    return [
        pid
        for pid, began in _recorded(place, "worker")
        if (process := seen(pid)) is not None and process.began == began and process.lives
    ]


def _end_groups(place: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        groups = [group for group, began in _recorded(place, "group") if _is_the_same(group, began)]
        for group in groups:
            signal_group(group, number)
        if poll_until(partial(_are_gone, groups), GRACE):
            return


def _are_gone(groups: Iterable[int]) -> bool:
    return all(map(is_gone, groups))


def _is_the_same(group: int, began: str) -> bool:
    """Whether a group is still the one that was recorded.

    Its number is not given to another process while somebody is left in it. Of a group without its leader we ask that it
    be a session of its own, as ours are: a job of somebody's shell is not.
    """
    leader = seen(group)
    if leader is not None:
        return leader.began == began
    return any(process.session == group for process in members(group))


def _recorded(place: Path, kind: str) -> list[tuple[int, str]]:
    found = [path.name.split("-") for path in place.glob(f"{kind}-*-*")]
    return [(int(pid), began) for _, pid, began in found]
