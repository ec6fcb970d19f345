"""Outcomes and reports that no run has made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pytest_mtls.harness.outcome import Case, Outcome, Result
from pytest_mtls.harness.report.model import Report

__all__ = ["FAILED", "FAILS", "HOLDS", "INCONCLUSIVE", "PASSED", "SKIPPED", "WARNED", "outcome", "report"]

PASSED, FAILED, WARNED, SKIPPED, INCONCLUSIVE = Result
HOLDS = Case(what="good", tls="1.3", outcome=PASSED, reason="accepted: HTTP 200")
FAILS = Case(what="stranger", tls="1.3", outcome=FAILED, reason="expected rejected, saw accepted: HTTP 200")


def outcome(result: Result, **changes: Any) -> Outcome:
    """An outcome of the ordinary kind, with *changes*."""
    ordinary = Outcome(
        id=f"trust/{result}",
        profile="gateway",
        title="A stranger MUST be refused.",
        level="SHOULD" if result is WARNED else "MUST",
        outcome=result,
        reason=f"because it {result}",
        references=("RFC 5280 6.1",),
        remedy="Verify it.",
        reproduce="pytest-mtls check",
        cases=() if result in (SKIPPED, INCONCLUSIVE) else (FAILS if result in (FAILED, WARNED) else HOLDS,),
    )
    return replace(ordinary, **changes)


def report(*outcomes: Outcome, strict: bool = False, problems: tuple[str, ...] = ()) -> Report:
    """The report of a run with these outcomes."""
    return Report(
        started=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        seconds=1.25,
        kind="command",
        name="./server",
        profiles=("gateway",),
        capabilities=("reload", "start"),
        strict=strict,
        outcomes=outcomes,
        problems=problems,
    )
