"""What a scenario has found so far: its cases, its remarks and what happened when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .outcome import Case, Event
from .reproduce import Reproducer

__all__ = ["CaseLog"]


@dataclass(slots=True)
class CaseLog:
    """What a scenario has found so far."""

    reproducer: Reproducer
    cases: list[Case] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    timeline: list[Event] = field(default_factory=list)
    late: str | None = None
    """What is known of a reload that was not in effect in time: it explains what failed behind it."""
    began: float = field(default_factory=time.monotonic)

    def add(self, case: Case) -> None:
        """Record a case."""
        self.cases.append(case)
        self.happened(f"{case.what}{f', TLS {case.tls}' if case.tls else ''}: {case.reason}")

    def happened(self, text: str) -> None:
        """Record an event of this moment."""
        self.timeline.append(Event(round((time.monotonic() - self.began) * 1000, 1), text))
