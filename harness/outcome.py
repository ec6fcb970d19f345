"""Outcomes: what came of a scenario, in a form that can be sent between processes and written into any report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Case", "Event", "Outcome", "Result"]


class Result(StrEnum):
    """The five words of every report."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    """A SHOULD that did not hold."""
    SKIPPED = "skipped"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One expectation under one TLS version (None: no connection was involved), and what was observed."""

    what: str
    tls: str | None
    outcome: Result
    reason: str
    observations: tuple[dict[str, Any], ...] = ()
    """Observations as JSON, each with its ``role``: control or probe."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, in milliseconds from the beginning of the scenario."""

    milliseconds: float
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one scenario in one profile."""

    id: str
    profile: str
    title: str
    level: str
    outcome: Result
    reason: str
    references: tuple[str, ...]
    remedy: str
    reproduce: str
    cases: tuple[Case, ...] = ()
    missing: tuple[str, ...] = ()
    """The capabilities for want of which it was skipped."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    timeline: tuple[Event, ...] = ()
    """Starts, reloads and cases, in order."""
    target: dict[str, Any] = field(default_factory=dict)
    """What was found out of the target by then: capabilities and TLS versions."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types (no enums, no tuples: xdist sends nothing else), with everything."""
        cases = [
            _members(case) | {"outcome": case.outcome.value, "observations": list(case.observations)}
            for case in self.cases
        ]
        return _members(self) | {
            "outcome": self.outcome.value,
            "references": list(self.references),
            "cases": cases,
            "missing": list(self.missing),
            "notes": list(self.notes),
            "timeline": [_members(event) for event in self.timeline],
            "target": json.loads(json.dumps(self.target)),  # words may be enums
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """The inverse of ``to_json``."""
        cases = tuple(
            Case(**{**case, "outcome": Result(case["outcome"]), "observations": tuple(case["observations"])})
            for case in data["cases"]
        )
        tuples = {name: tuple(data[name]) for name in ("references", "missing", "notes")}
        timeline = tuple(Event(**event) for event in data["timeline"])
        return cls(**{**data, **tuples, "outcome": Result(data["outcome"]), "cases": cases, "timeline": timeline})


def _members(of: Outcome | Case | Event) -> dict[str, Any]:
    return {name: getattr(of, name) for name in of.__dataclass_fields__}
