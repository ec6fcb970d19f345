"""The terminal of an audit: a line for each judgement, the findings by check with their remedy, one sentence at the end."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from typing import TextIO

from ..outcome import Result
from ..report.model import tool
from ..report.terminal import COLOURS, SUMMARY_COLOURS, one_line
from .report import AuditReport, Place, reproduce
from .rules import Judgement

__all__ = ["Progress", "show", "show_head"]

_PATIENCE = 1.0
"""Seconds after which somebody at a terminal wants to know what goes on."""


class Progress:
    """One line on standard error that changes, once it takes long; nothing unless *out* is a terminal."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stderr
        self._clock, self._began = clock, clock()
        self._live = self._out is not None and self._out.isatty()
        self._shown = False

    def __call__(self, what: str) -> None:
        """Show *what* is being read."""
        if self._live and self._clock() - self._began >= _PATIENCE:
            width = shutil.get_terminal_size((80, 24)).columns - 1
            self._out.write(f"\r\033[K{f'reading {what} …'[:width]}")
            self._out.flush()
            self._shown = True

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            self._out.write("\r\033[K")
            self._out.flush()
            self._shown = False


def show_head(place: Place, out: TextIO, *, verbosity: int = 0) -> None:
    """What is audited."""
    if verbosity >= 0:
        about = tool()
        out.write(f"{about['name']} {about['version']}: API Gateway in {place.region} ({one_line(place.endpoint)})\n\n")
        out.flush()


def show(report: AuditReport, out: TextIO, *, verbosity: int = 0) -> None:
    """Everything; ``verbosity`` -1 leaves out what passed or does not apply, 1 cuts no line."""
    _Screen(report, out, verbosity).show()


class _Screen:
    def __init__(self, report: AuditReport, out: TextIO, verbosity: int) -> None:
        self._report, self._out, self._verbosity = report, out, verbosity
        self._coloured = out.isatty() and not os.environ.get("NO_COLOR")
        self._width = shutil.get_terminal_size((140, 24)).columns if out.isatty() else 1_000

    def show(self) -> None:
        judgements = self._report.judgements
        ids = max((len(one.check.id) for one in judgements), default=0)
        resources = max((len(_short(one.resource)) for one in judgements), default=0)
        for one in judgements:
            self._judgement(one, ids, min(resources, 60))
        self._findings()
        self._unclear()
        for problem in self._report.problems:
            self._line(f"\n{self._paint('audit inconclusive', '1;35')}: {one_line(problem)}")
        counts = ", ".join(
            f"{self._report.count(result)} {result.value}" for result in Result if self._report.count(result)
        )
        result = self._report.result
        word = self._paint(result.value, SUMMARY_COLOURS[result])
        self._line(f"\n{word}: {counts or 'nothing was judged'} in {self._report.seconds:.1f} s")

    def _judgement(self, one: Judgement, ids: int, resources: int) -> None:
        if self._verbosity < 0 and one.outcome not in (Result.FAILED, Result.WARNED):
            return
        head = f"{one.outcome.value:<12} {one.check.id:<{ids}} {_short(one.resource):<{resources}} "
        reason = one_line(one.reason)
        room = self._width - len(head) - 1
        if self._verbosity < 1 and len(reason) > room:
            reason = f"{reason[: room - 1]}…" if room > 1 else ""
        self._line(f"{self._paint(head[:12], COLOURS[one.outcome])}{head[12:]} {reason}".rstrip())

    def _findings(self) -> None:
        """What does not hold, by check: hundreds of stages may share one remedy."""
        groups: dict[str, list[Judgement]] = {}
        for one in self._report.judgements:
            if one.outcome in (Result.FAILED, Result.WARNED):
                groups.setdefault(one.check.id, []).append(one)
        for name, found in groups.items():
            check, outcome = found[0].check, found[0].outcome
            self._line(f"\n{self._paint(outcome.value, COLOURS[outcome])} {name} ({check.level})")
            self._field("required", check.title)
            for one in found:
                self._field("seen", f"{_short(one.resource)}: {one.reason}")
            self._field("remedy", check.remedy)
            self._field("source", "; ".join(check.references))
            self._line(f"  {'reproduce':<10} {one_line(reproduce(found[0].resource, self._report.place.options))}")

    def _unclear(self) -> None:
        """What was not answered, one explanation for all that share it."""
        groups: dict[str, list[str]] = {}
        for one in self._report.judgements:
            if one.outcome is Result.INCONCLUSIVE:
                groups.setdefault(one.reason, []).append(f"{one.check.id} {_short(one.resource)}")
        for reason, which in groups.items():
            word = self._paint("inconclusive", COLOURS[Result.INCONCLUSIVE])
            self._line(f"\n{word} {len(which)} judgement{'s' * (len(which) > 1)}")
            self._field("why", reason)
            self._field("which", ", ".join(which))

    def _field(self, name: str, text: str) -> None:
        width = max(40, min(self._width, 120) - 13)
        for number, line in enumerate(textwrap.wrap(one_line(text), width, break_on_hyphens=False) or [""]):
            self._line(f"  {name if number == 0 else '':<10} {line}")

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text

    def _line(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()


def _short(arn: str) -> str:
    """What tells resources of one region apart: the path of API Gateway's ARNs, all of others."""
    return one_line(arn.partition("::/")[2] or arn)
