"""The terminal: one line a scenario while it runs, then what failed with its remedy, then one sentence."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import textwrap
from typing import Any, TextIO

from ..outcome import Outcome, Result
from .model import Report, Summary, tool
from .sight import sight_lines

__all__ = ["COLOURS", "SUMMARY_COLOURS", "Terminal", "one_line"]

COLOURS = {
    Result.PASSED: "32",
    Result.FAILED: "1;31",
    Result.WARNED: "33",
    Result.SKIPPED: "36",
    Result.INCONCLUSIVE: "35",
}
"""What outcomes look like: parameters of SGR (ECMA-48 8.3.117)."""
SUMMARY_COLOURS = {
    Summary.CONFORMANT: "1;32",
    Summary.NONCONFORMANT: "1;31",
    Summary.PARTIAL: "1;33",
    Summary.INCONCLUSIVE: "1;35",
}
"""What results look like."""
_WORD_WIDTH, _ID_WIDTH = 12, 46
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Terminal:
    """Writes to *out*; ``verbosity`` -1 leaves out what passed, 1 adds every case."""

    def __init__(self, out: TextIO | None = None, *, verbosity: int = 0, several_profiles: bool = False) -> None:
        self._out = out or sys.stdout or io.StringIO()  # no stdout at all: somebody wants the files alone
        self._verbosity = verbosity
        self._several_profiles = several_profiles
        self._coloured = self._out.isatty() and not os.environ.get("NO_COLOR")
        self._has_seen = False
        self._width = shutil.get_terminal_size((140, 24)).columns if self._out.isatty() else 1_000

    def begin(self, target: str, version: str | None, profiles: tuple[str, ...]) -> None:
        """The head line; *version* is the server's, where it is known."""
        about = tool()
        if self._verbosity >= 0:
            judged = f"{target} (version {version})" if version else target
            profile = f"profile {', '.join(profiles)}"
            self._line(f"{about['name']} {about['version']} ({about['openssl']}): {judged}, {profile}\n")

    def scenario(self, outcome: Outcome) -> None:
        """One scenario's line; before the first one that reached the target, what was seen of it."""
        if outcome.target.get("sight") and not self._has_seen and self._verbosity >= 0:
            self._sight(outcome.target["sight"], outcome.target["kind"])
        if self._verbosity < 0 and outcome.outcome in (Result.PASSED, Result.SKIPPED, Result.INCONCLUSIVE):
            return  # what is inconclusive is explained at the end, all together
        word = self._paint(f"{outcome.outcome.value:<{_WORD_WIDTH}}", COLOURS[outcome.outcome])
        # why something is inconclusive is said once, at the end: it is mostly the same for many
        reason = "" if outcome.outcome is Result.INCONCLUSIVE and self._verbosity < 1 else outcome.reason
        label = f"{self._id(outcome):<{_ID_WIDTH}}"
        if self._verbosity < 1:
            reason = _cut(one_line(reason), self._width - _WORD_WIDTH - len(label) - 2)
        self._line(f"{word} {label} {one_line(reason)}".rstrip())
        if self._verbosity > 0:
            for case in outcome.cases:
                version = f"TLS {case.tls}" if case.tls else "start"
                self._line(f"{'':<{_WORD_WIDTH}}   {version}  {one_line(f'{case.what}: {case.reason}')}")

    def end(self, report: Report) -> None:
        """What did not hold, what was left out, and the summary."""
        self._findings(report)
        self._unclear(report)
        self._left_out(report)
        told = {outcome.reason for outcome in report.outcomes if outcome.outcome is Result.INCONCLUSIVE}
        for problem in report.problems:
            if problem in told:
                continue
            self._line(f"\n{self._paint('run inconclusive', '1;35')}: {one_line(problem)}")
        counts = ", ".join(f"{report.count(result)} {result.value}" for result in Result if report.count(result))
        word = self._paint(report.result.value, SUMMARY_COLOURS[report.result])
        self._line(f"\n{word}: {counts or 'no scenario ran'} in {report.seconds:.1f} s")

    # --- parts

    def _sight(self, seen: dict[str, Any], kind: str) -> None:
        self._has_seen = True
        self._line("what I see")
        for name, text in sight_lines(seen, kind):
            self._field(name, text)
        self._line("")

    def _findings(self, report: Report) -> None:
        told: dict[str, str] = {}  # a remedy that several scenarios share is told once
        for outcome in report.outcomes:
            if outcome.outcome not in (Result.FAILED, Result.WARNED):
                continue
            word = self._paint(outcome.outcome.value, COLOURS[outcome.outcome])
            self._line(f"\n{word} {self._id(outcome)} ({outcome.level})")
            self._field("required", outcome.title)
            for case in outcome.cases:
                if case.outcome is Result.FAILED:
                    version = f"TLS {case.tls}, " if case.tls else ""
                    self._field("seen", f"{version}{case.what}: {case.reason}")
            for note in outcome.notes:
                self._field("note", note)
            first = told.setdefault(outcome.remedy, outcome.id)
            self._field("remedy", outcome.remedy if first == outcome.id else f"as for {first}")
            self._field("source", "; ".join(outcome.references))
            self._field("reproduce", outcome.reproduce, wrap=False)

    def _unclear(self, report: Report) -> None:
        """Inconclusive scenarios, one explanation for all that share it."""
        groups: dict[str, list[str]] = {}
        for outcome in report.outcomes:
            if outcome.outcome is Result.INCONCLUSIVE:
                groups.setdefault(outcome.reason, []).append(self._id(outcome))
        for reason, ids in groups.items():
            word = self._paint("inconclusive", COLOURS[Result.INCONCLUSIVE])
            self._line(f"\n{word} {len(ids)} scenario{'s' if len(ids) > 1 else ''}")
            self._field("why", reason)
            self._field("which", "all" if len(ids) == len(report.outcomes) > 1 else ", ".join(ids))

    def _left_out(self, report: Report) -> None:
        core = {outcome.id for outcome in report.left_out}
        if core:
            word = self._paint("PARTIAL", "1;33")
            needs = sorted({one for outcome in report.left_out for one in outcome.missing})
            self._line(
                f"\n{word}: {len(core)} MUST scenario{'s were' if len(core) > 1 else ' was'} not run, "
                f"because the target lacks: {', '.join(needs)}"
            )
            self._field("which", ", ".join(sorted(core)))
            self._field("remedy", "Let the harness start the backend (--command, --server) for the whole judgement.")
        others: dict[str, int] = {}
        for outcome in report.outcomes:
            if outcome.missing and outcome.id not in core:
                key = ", ".join(outcome.missing)
                others[key] = others.get(key, 0) + 1
        if others:
            text = "; ".join(f"{count} for want of {key}" for key, count in sorted(others.items()))
            self._line(f"\nnot assessed: {text}")

    def _id(self, outcome: Outcome) -> str:
        return f"{outcome.id} [{outcome.profile}]" if self._several_profiles else outcome.id

    def _field(self, name: str, text: str, *, wrap: bool = True) -> None:
        width = max(40, min(self._width, 120) - 13)
        lines = textwrap.wrap(one_line(text), width, break_on_hyphens=False) if wrap else [text]
        for number, line in enumerate(lines or [""]):
            self._line(f"  {name if number == 0 else '':<10} {line}")

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text

    def _line(self, text: str) -> None:
        self._out.write(f"{text}\n")  # at once, not the line break apart: whoever reads along may stop at any time
        self._out.flush()


def one_line(text: str) -> str:
    """*text* without line breaks, and without what a server's certificate or log could do to a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…" if width > 1 else ""
