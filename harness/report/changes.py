"""What changed between two reports: scenario by scenario, on the servers that both have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from ..outcome import Result
from .matrix import Column

__all__ = ["KINDS", "Change", "Comparison", "compare"]

_RANKS = {Result.FAILED.value: 0, Result.WARNED.value: 1, Result.PASSED.value: 2}
"""What is proved, from bad to good. What is skipped or inconclusive proves nothing and has no rank."""

KINDS = ("worse", "better", "lost", "proved", "other", "new", "gone")
"""It got worse or better; it was proved and is not any more (lost), or the opposite (proved); neither outcome proves anything
(other); only one of the two reports has it (new, gone)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One scenario that has another outcome than before.

    ``kind`` is one of ``KINDS``.
    """

    server: str
    id: str
    profile: str
    before: str | None
    after: str | None
    kind: str
    reason: str
    """Why it is as it is now, in one line; empty when it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All changes, and the servers that only one of the reports has."""

    changes: tuple[Change, ...]
    servers: tuple[str, ...]
    """Those that were compared."""
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    def of(self, *kinds: str) -> tuple[Change, ...]:
        """The changes of these kinds."""
        return tuple(one for one in self.changes if one.kind in kinds)

    def to_json(self, name: str) -> dict[str, object]:
        """As it stands in the matrix's JSON; *name* is the earlier report's."""
        return {
            "with": name,
            "servers": list(self.servers),
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
            "changes": [asdict(one) for one in self.changes],
        }


def compare(before: Sequence[Column], after: Sequence[Column]) -> Comparison:
    """What changed from *before* to *after*. Columns belong together by name; where both have but one, those do."""
    old = {column.name: column for column in before}
    if len(before) == len(after) == 1:
        old = {after[0].name: before[0]}
    both = [column for column in after if column.name in old]
    return Comparison(
        changes=tuple(change for column in both for change in _changes(old[column.name], column)),
        servers=tuple(column.name for column in both),
        only_before=tuple(name for name in old if name not in {column.name for column in after}),
        only_after=tuple(column.name for column in after if column.name not in old),
    )


def _changes(before: Column, after: Column) -> Iterable[Change]:
    old, new = _outcomes(before), _outcomes(after)
    broken = after.report is None
    for key in {**new, **old}:  # in the order of the new report; what is gone comes last
        was, now = old.get(key, (None, ""))[0], new.get(key, (None, ""))[0]
        if was != now:
            kind = "lost" if now is None and broken and was in _RANKS else _kind(was, now)
            reason = after.problem or "" if broken else new.get(key, (None, ""))[1]
            yield Change(server=after.name, id=key[0], profile=key[1], before=was, after=now, kind=kind, reason=reason)


def _outcomes(column: Column) -> dict[tuple[str, str], tuple[str, str]]:
    """Outcome and reason by id and profile."""
    scenarios = column.report["scenarios"] if column.report else ()
    return {(one["id"], one["profile"]): (one["outcome"], one["reason"]) for one in scenarios}


def _kind(before: str | None, after: str | None) -> str:
    if before is None:
        return "new"
    if after is None:
        return "gone"
    if after == Result.FAILED.value:
        return "worse"  # also what was skipped or unclear: a finding that was not there before
    if before in _RANKS and after in _RANKS:
        return "worse" if _RANKS[after] < _RANKS[before] else "better"
    if before in _RANKS:
        return "lost"
    return "proved" if after in _RANKS else "other"
