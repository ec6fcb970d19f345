"""Regular expressions that callers give: selection patterns, identity validation expressions."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

__all__ = ["compiles", "fits"]


def compiles(pattern: str) -> bool:
    """Whether *pattern* is a regular expression."""
    return _compiled(pattern) is not None


def fits(pattern: str, text: str) -> bool:
    """Whether the whole of *text* matches *pattern*, as Java's ``matches``; nothing matches what does not compile."""
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(text) is not None


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what may change its meaning some day has one now
            return re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return None
