"""What a matrix shows: a line that changes on a terminal, a line for each server that is done, and the changes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from ..outcome import Result
from ..report.changes import KINDS, Comparison
from ..report.matrix import Column
from ..report.terminal import one_line
from .runner import State

__all__ = ["Progress", "result_of"]

_COLOURS = {
    "conformant": "1;32",
    "nonconformant": "1;31",
    "partial": "1;33",
    "inconclusive": "1;35",
    "not judged": "1;35",
}
_CHANGES = {"worse": "1;31", "better": "1;32", "lost": "1;35"}


def result_of(column: Column) -> str:
    """The word for a column: its report's result, or that it was not judged."""
    return "not judged" if column.trouble or not column.report else str(column.report["summary"]["result"])


class Progress:
    """Writes to *out*."""

    def __init__(self, names: Sequence[str], out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._terminal = self._out.isatty()
        self._coloured = self._terminal and not os.environ.get("NO_COLOR")
        self._width = min(40, max(map(len, names), default=0))
        self._shown: set[str] = set()
        self._line = ""

    def tell(self, state: State) -> None:
        """Show who is done since the last time and, on a terminal, how far the others are."""
        self.rest(list(state.columns.values()))
        if self._terminal:
            parts = [f"{one.job.name} {one.done}/{one.job.expected}" for one in state.running]
            total = len(state.columns) + len(state.running) + len(state.waiting)
            self._redraw(f"{len(state.columns)} of {total} servers; {', '.join(parts)}" if parts else "")

    def rest(self, columns: Sequence[Column]) -> None:
        """Show those that were not shown yet."""
        for column in columns:
            if column.name not in self._shown:
                self._column(column)

    def _column(self, column: Column) -> None:
        """One server's line, and what failed on it."""
        self._shown.add(column.name)
        self._redraw("")
        result = result_of(column)
        text = f"{self._paint(f'{result:<14}', _COLOURS.get(result, '0'))} {one_line(column.name):<{self._width}}  "
        if result == "not judged":
            self._write(text + one_line(str(column.trouble)))
            return
        assert column.report is not None
        outcomes = [one["outcome"] for one in column.report["scenarios"]]
        counts = ", ".join(f"{outcomes.count(one)} {one}" for one in Result if outcomes.count(one))
        self._write(f"{text}{counts} in {column.report['seconds']:.1f} s")
        failed = [one["id"] for one in column.report["scenarios"] if one["outcome"] == Result.FAILED]
        if failed:
            self._write(f"{'':<14} {'':<{self._width}}  failed: {one_line(', '.join(dict.fromkeys(failed)))}")

    def changes(self, found: Comparison, name: str) -> None:
        """What changed since the report called *name*."""
        self._write(f"\nsince {name}, on {one_line(', '.join(found.servers))}:")
        for one in found.changes:
            if one.kind in ("new", "gone"):
                continue
            word = self._paint(f"{one.kind:<7}", _CHANGES.get(one.kind, "0"))
            where = f"{one_line(one.server)} {one_line(one.id)} [{one_line(one.profile)}]"
            self._write(f"{word} {where}: {one.before}, now {one.after or 'not run'}: {one_line(one.reason)}")
        counts = {kind: len(found.of(kind)) for kind in KINDS}
        self._write(", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing has changed")

    def end(self, columns: Sequence[Column], seconds: float) -> None:
        """The last line."""
        results = [result_of(column) for column in columns]
        counts = ", ".join(f"{results.count(one)} {one}" for one in dict.fromkeys(_COLOURS) if results.count(one))
        self._write(f"\n{len(columns)} server{'s' if len(columns) != 1 else ''}: {counts} in {seconds:.1f} s")

    def _redraw(self, line: str) -> None:
        """Replace the line at the bottom by *line*."""
        if not self._terminal or line == self._line:
            return
        cut = one_line(line)[: shutil.get_terminal_size((80, 24)).columns - 1]
        self._out.write(f"\r\033[K{cut}")
        self._out.flush()
        self._line = line

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text

    def _write(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()
