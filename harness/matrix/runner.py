"""Runs checks side by side, as many at once as there is room for, and makes a column of each, whatever becomes of it."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from ..interrupt import held
from ..report.matrix import Column, columns_of
from ..report.reading import load
from ..wait import poll_until
from .plan import Job
from .processes import CheckProcess

__all__ = ["Run", "State"]

_LAST_SAID = 300


@dataclass(slots=True)
class State:
    """How far a run is, for whoever shows it."""

    waiting: list[Job]
    running: list[CheckProcess] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)


class Run:
    """Carries *jobs* out. *tell* is called again and again while something is under way."""

    def __init__(self, jobs: Sequence[Job], *, at_once: int, within: float, tell: Callable[[State], None]) -> None:
        self._jobs, self._at_once, self._within, self._tell = list(jobs), at_once, within, tell
        self._state = State(list(jobs))
        self.interrupted = False

    def carry_out(self) -> list[Column]:
        """All columns, in the order of the jobs; after an interruption (``interrupted``) also those that were broken off."""
        with _folder() as folder:
            try:
                poll_until(lambda: self._step(folder), float("inf"), first=0.02)
            except KeyboardInterrupt:
                self.interrupted = True
            finally:
                with held():
                    self._break_off()
        return [self._state.columns[job.name] for job in self._jobs]

    def _step(self, folder: Path) -> bool:
        """Take note of what has ended, start what there is room for; returns whether all is done."""
        state = self._state
        for process in list(state.running):
            if process.code is not None:
                self._finish(process, None)
            elif process.seconds > self._within:
                self._finish(process, f"not done within {self._within:g} s (--within)")
        while state.waiting and len(state.running) < self._at_once:
            with held():
                job = state.waiting[0]
                own = folder / str(len(self._jobs) - len(state.waiting))
                own.mkdir()
                state.running.append(CheckProcess(job, own))
                state.waiting.pop(0)
        self._tell(state)
        return not state.running and not state.waiting

    def _break_off(self) -> None:
        for process in list(self._state.running):
            self._finish(process, "interrupted before its run had come to its end")
        for job in self._state.waiting:
            self._state.columns[job.name] = Column(
                name=job.name, report=None, problem="interrupted before its run began"
            )
        self._state.waiting.clear()

    def _finish(self, process: CheckProcess, trouble: str | None) -> None:
        """Make a column of a check that has ended, or that is to be ended because of *trouble*."""
        with held():
            process.end()
            self._state.running.remove(process)
            self._state.columns[process.job.name] = _column(process, trouble)


def _column(process: CheckProcess, trouble: str | None) -> Column:
    report = None
    if process.report.exists():
        try:
            (column,) = load(process.report, "the report", lambda place: columns_of(place, process.report))
            report = column.report
        except UsageError as error:
            trouble = trouble or str(error)
    code = process.code or 0
    if trouble is None and (code < 0 or report is None):
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        said = process.said()
        trouble = f"the check {how}{f': {said[:_LAST_SAID]}' if said else ''}"
    return Column(name=process.job.name, report=report, problem=trouble)


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder, with a short name: servers put sockets into it, whose paths may have 107 octets."""
    path = Path(tempfile.mkdtemp(prefix="mtls-"))
    try:
        yield path
    finally:
        with held():
            shutil.rmtree(path, ignore_errors=True)
