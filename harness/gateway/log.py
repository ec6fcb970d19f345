"""The gateway's log: what it presented to whom, what came back, and what the control plane was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from ..clock import Clock

__all__ = ["KINDS", "Entry", "Kind", "Log", "iso"]

Kind = Literal["integration", "front_door", "authorizer", "control"]
KINDS: tuple[Kind, ...] = ("integration", "front_door", "authorizer", "control")

Entry = Mapping[str, Any]
"""One entry as it stands in the JSON of ``GET /_mtls/log``: seq, kind, time, request_id, and what the kind adds."""

_KEPT = 10_000


class Log:
    """A ring of the last 10,000 entries. A pytest_mtls gateway writes it on its event loop's thread alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._next = 0

    def add(self, kind: Kind, request_id: str | None, /, **members: Any) -> dict[str, Any]:
        """Append an entry and return it; what is learnt later may still be filled in.

        A member may be a function of no arguments: what it returns takes its place when the entry is first read.
        """
        self._next += 1
        entry = {"seq": self._next, "kind": kind, "time": iso(self._clock()), "request_id": request_id, **members}
        self._entries.append(entry)
        return entry

    @property
    def next(self) -> int:
        """What to give as *since* to see only entries that come after all present ones."""
        return self._next

    def entries(
        self,
        *,
        kind: str | None = None,
        since: int = 0,
        api_id: str | None = None,
        request_id: str | None = None,
        limit: int | None = None,
    ) -> list[Entry]:
        """The entries that fit, oldest first; *limit* keeps the first so many of them."""
        wanted = {"kind": kind, "api_id": api_id, "request_id": request_id}
        conditions = [(name, value) for name, value in wanted.items() if value is not None]
        found = [
            entry
            for entry in self._entries
            if entry["seq"] > since and all(entry.get(name) == value for name, value in conditions)
        ]
        chosen = found if limit is None else found[:limit]
        for entry in chosen:
            entry.update({name: value() for name, value in entry.items() if callable(value)})
        return list(chosen)

    def clear(self) -> None:
        """Forget all entries; the numbers go on."""
        self._entries.clear()


def iso(moment: datetime) -> str:
    """*moment* as ISO 8601 in UTC with Z, to the millisecond if it has any."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")
