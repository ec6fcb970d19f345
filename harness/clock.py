"""The time, passed in wherever certificates are made or judged, so that tests can choose it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "system_clock"]

Clock = Callable[[], datetime]
"""Returns the present moment as an aware UTC datetime."""


def system_clock() -> datetime:
    """The machine's time, aware, in UTC, without fractions: X.509 knows whole seconds only (RFC 5280 4.1.2.5)."""
    return datetime.now(UTC).replace(microsecond=0)
