"""The register of faults: what each is called, what is wrong, and who is known to behave so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..reference import Behaviour

__all__ = ["FAULTS", "Change", "Fault", "fault"]

Change = Callable[[Behaviour], Behaviour]


@dataclass(frozen=True, slots=True)
class Fault:
    """One switch: what is wrong, and which CVE or measured server behaves so (empty: none is known)."""

    name: str
    wrong: str
    like: str
    change: Change


FAULTS: dict[str, Fault] = {}
"""All faults by name."""


def fault(like: str = "") -> Callable[[Change], Change]:
    """Register a change as the fault of its name; its docstring says what is wrong, *like* who behaves so.

    Raises ValueError at import for a name that another fault has.
    """

    def register(change: Change) -> Change:
        name = change.__name__.replace("_", "-")
        if name in FAULTS:
            raise ValueError(f"duplicate fault: {name} is already registered")
        FAULTS[name] = Fault(name, (change.__doc__ or "").strip().rstrip("."), like, change)
        return change

    return register
