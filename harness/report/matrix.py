"""The matrix: the reports of several servers side by side, and its JSON, ``pytest-mtls/matrix/1``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..outcome import Result
from .model import SCHEMA as REPORT_SCHEMA
from .model import tool
from .reading import Malformed, Place

__all__ = ["MATRIX_SCHEMA", "Column", "Matrix", "columns_of", "unique"]

MATRIX_SCHEMA = "pytest-mtls/matrix/1"
_JUDGED = (Result.PASSED.value, Result.FAILED.value, Result.WARNED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One server: its report as JSON, or why there is none, or none that can be trusted."""

    name: str
    report: dict[str, Any] | None
    source: str | None = None
    """The file that it was read from; None when it was made by this run."""
    problem: str | None = None
    """What went wrong with the run as a whole: it hung, it died, it could not be read."""

    @property
    def trouble(self) -> str | None:
        """Why the server was not judged; None when it was, whatever was found."""
        if self.problem is not None or self.report is None:
            return self.problem or "no report"
        problems = self.report["summary"].get("problems") or []
        if problems:
            return str(problems[0])
        if not any(one["outcome"] in _JUDGED for one in self.report["scenarios"]):
            first = next((one["reason"] for one in self.report["scenarios"]), "no scenario ran")
            return f"nothing was judged: {first}"
        return None

    def to_json(self) -> dict[str, Any]:
        """As it stands in the matrix's JSON."""
        return {"name": self.name, "source": self.source, "problem": self.problem, "report": self.report}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Several servers."""

    columns: tuple[Column, ...]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As JSON types, by the schema of ``matrix.schema.json``."""
        return {
            "schema": MATRIX_SCHEMA,
            "tool": tool(),
            "started": self.started.isoformat().replace("+00:00", "Z"),
            "seconds": round(self.seconds, 3),
            "servers": [column.to_json() for column in self.columns],
        }


def columns_of(document: Place, source: Path, name: str | None = None) -> tuple[Column, ...]:
    """The columns of a matrix, or the one of a report (called *name*, or as its target is).

    Raises Malformed for a document that is neither.
    """
    schema = document.text("schema", "")
    if schema == REPORT_SCHEMA:
        check_report(document)
        called = name or document.required("target").text("name")
        return (Column(name=called, report=document.value, source=source.name),)
    if schema != MATRIX_SCHEMA:
        known = f"{REPORT_SCHEMA} or {MATRIX_SCHEMA}"
        raise Malformed(f"schema: expected {known}, saw {schema[:60]!r}" if schema else f"schema: expected {known}")
    if name is not None:
        raise Malformed(f"expected one report for the name {name!r}, saw a matrix, whose servers have names")
    columns = tuple(_column(one, source) for one in document.places("servers"))
    if not columns:
        raise Malformed("servers: expected one at least, saw none")
    return columns


def check_report(document: Place) -> None:
    """Raise Malformed unless what is read of a report is there, and of the right kind."""
    target, summary = document.required("target"), document.required("summary")
    document.text("started")
    document.number("seconds")
    document.required("tool").text("version")
    target.text("name")
    target.text("kind")
    target.maybe("version")
    summary.text("result")
    summary.texts("problems")
    if "scenarios" not in document.value:
        raise Malformed("scenarios: expected a list, saw nothing")
    for scenario in document.places("scenarios"):
        for name in ("id", "profile", "level", "reason", "remedy", "reproduce", "title"):
            scenario.text(name)
        scenario.text("outcome", among=tuple(Result))


def unique(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The same columns, with a number behind names that came before."""
    taken: set[str] = set()
    found = []
    for column in columns:
        name, number = column.name, 1
        while name in taken:
            number += 1
            name = f"{column.name} ({number})"
        taken.add(name)
        found.append(Column(name=name, report=column.report, source=column.source, problem=column.problem))
    return tuple(found)


def _column(place: Place, source: Path) -> Column:
    report = place.place("report")
    if report is not None:
        check_report(report)
    return Column(
        name=place.text("name"),
        report=None if report is None else report.value,
        source=place.maybe("source") or source.name,
        problem=place.maybe("problem") or None,
    )
