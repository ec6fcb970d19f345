"""Collects outcomes as they come, shows them, and writes the reports at the end, also after an interruption."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from ..backend.server import version_by
from ..errors import UsageError
from ..outcome import Outcome
from ..settings import Settings
from .junit import to_junit
from .markdown import to_markdown
from .model import Report
from .terminal import Terminal

__all__ = ["Recorder", "to_text", "write"]


class Recorder:
    """One run's outcomes. *terminal* None: nothing is shown (pytest's own reporter does it)."""

    def __init__(self, settings: Settings, terminal: Terminal | None = None) -> None:
        self._settings, self._terminal = settings, terminal
        self._started, self._began = datetime.now(UTC), time.monotonic()
        self._outcomes: list[Outcome] = []
        self._problems: list[str] = []
        if terminal is not None:
            terminal.begin(settings.target.name, self._version, settings.selection.profiles)

    def add(self, outcome: Outcome) -> None:
        """Take note of a scenario's outcome."""
        self._outcomes.append(outcome)
        if self._terminal is not None:
            self._terminal.scenario(outcome)

    def problem(self, text: str) -> None:
        """Take note of something that makes the whole run inconclusive."""
        if text not in self._problems:
            self._problems.append(text)

    @property
    def _version(self) -> str | None:
        command = self._settings.target.version_command
        return version_by(command) if command else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded."""
        return not self._outcomes and not self._problems

    @property
    def report(self) -> Report:
        """The report of what was recorded so far."""
        target, selection = self._settings.target, self._settings.selection
        # a repository's own factory is known to who ran the scenarios, not to the options
        facts = next((outcome.target for outcome in self._outcomes if outcome.target), {})
        kind = facts.get("kind", target.kind)
        return Report(
            started=self._started,
            seconds=time.monotonic() - self._began,
            kind=kind,
            name=facts.get("name", target.name),
            version=self._version if kind == target.kind else None,
            profiles=tuple(selection.profiles),
            capabilities=tuple(facts.get("capabilities", sorted(target.all_capabilities))),
            strict=self._settings.strict,
            outcomes=tuple(self._outcomes),
            problems=tuple(self._problems),
        )

    def finish(self) -> Report:
        """Write the files, then show the end; raises UsageError when a file cannot be written."""
        report = self.report
        output, trouble = self._settings.output, []
        if output.json is not None:
            trouble += write("--json", output.json, to_text(report).encode("utf-8", "replace"))
        if output.junit is not None:
            trouble += write("--junit", output.junit, to_junit(report))
        if output.html is not None:
            from .html import report_to_html  # the template engine is loaded by those alone who want a page

            trouble += write("--html", output.html, report_to_html(report).encode("utf-8", "replace"))
        if output.summary_markdown is not None:
            text = to_markdown(report).encode("utf-8", "replace")
            trouble += write("--summary-markdown", output.summary_markdown, text, add=True)
        if self._terminal is not None:
            self._terminal.end(report)
        if trouble:
            raise UsageError(" ".join(trouble))
        return report


def to_text(report: Report) -> str:
    """The report as JSON text."""
    return json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n"


def write(option: str, path: Path, content: bytes, *, add: bool = False) -> list[str]:
    """Write a report; returns what went wrong, if anything, so that the other ones are written all the same.

    *add* puts it behind what the file holds: a CI server's job summary is shared by all steps.
    """
    try:
        with path.open("ab" if add else "wb") as file:
            file.write(content)
    except OSError as error:
        return [f"{option} ({path}): expected a file that can be written, saw: {error.strerror}. Give another path."]
    return []
