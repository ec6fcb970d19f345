"""Waiting: poll with a deadline and growing pauses. Nothing else in the harness pauses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["poll_until"]


def poll_until(condition: Callable[[], bool], seconds: float, *, first: float = 0.002, longest: float = 0.1) -> bool:
    """Ask *condition* until it is true or *seconds* have passed; returns its last answer.

    The pause between two questions grows from *first* to *longest* seconds. The condition is asked at least once.
    """
    deadline, pause = time.monotonic() + seconds, first
    never = threading.Event()
    while not condition():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        never.wait(min(pause, remaining))
        pause = min(pause * 1.5, longest)
    return True
