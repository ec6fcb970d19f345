"""A summary in Markdown, for the job summaries of CI servers."""

from __future__ import annotations

from ..outcome import Outcome, Result
from .model import Report
from .sight import sight_lines

__all__ = ["to_markdown"]

_SIGNS = {
    Result.FAILED: "❌ failed",
    Result.WARNED: "⚠️ warned",
    Result.INCONCLUSIVE: "❔ inconclusive",
    Result.SKIPPED: "➖ skipped",
    Result.PASSED: "✅ passed",
}


def to_markdown(report: Report) -> str:
    """The result, what was seen of the target, a table of what did not pass, and the remedies of what failed."""
    counts = ", ".join(f"{report.count(result)} {result.value}" for result in Result if report.count(result))
    called = f"{report.name} (version {report.version})" if report.version else report.name
    lines = [f"## mTLS: {report.result.value}", "", f"{_text(called)}: {counts or 'no scenario ran'}", ""]
    lines += [f"> {_text(problem)}\n" for problem in report.problems]
    if report.sight is not None:
        lines += ["| what I see | |", "|---|---|"]
        lines += [f"| {name} | {_text(text)} |" for name, text in sight_lines(report.sight, report.kind)]
        lines += [""]
    notable = [one for one in report.outcomes if one.outcome not in (Result.PASSED, Result.SKIPPED)]
    if notable:
        lines += ["| scenario | level | outcome | seen |", "|---|---|---|---|", *map(_row, notable), ""]
    for remedy, ids in _remedies(notable).items():
        lines += [f"**{', '.join(ids)}**: {_text(remedy)}", ""]
    if report.left_out:
        missed = ", ".join(sorted({one.id for one in report.left_out}))
        lines += [f"Not run, because the target cannot be started or reloaded by the harness: {missed}", ""]
    return "\n".join(lines)


def _remedies(outcomes: list[Outcome]) -> dict[str, list[str]]:
    """What to do, once for all that it mends."""
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.outcome in (Result.FAILED, Result.WARNED):
            ids = found.setdefault(outcome.remedy, [])
            ids += [outcome.id] if outcome.id not in ids else []
    return found


def _row(outcome: Outcome) -> str:
    where = f"{outcome.id} [{outcome.profile}]"
    return f"| {where} | {outcome.level} | {_SIGNS[outcome.outcome]} | {_text(outcome.reason)} |"


def _text(text: str) -> str:
    """Text from a server or a command, so that it cannot be anything but text in a table's cell."""
    for mark in ("\\", "|", "<", ">", "`", "*", "_", "[", "]"):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
