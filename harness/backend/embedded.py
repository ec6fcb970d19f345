"""The embedded reference backend as a target, with faults on request."""

from __future__ import annotations

from collections.abc import Iterable

from .contract import Capability
from .faults import behaviour_with
from .reference import Behaviour, embedded
from .target import QUICK, Target

__all__ = ["reference_target"]


def reference_target(faults: Iterable[str] = (), behaviour: Behaviour = Behaviour()) -> Target:
    """The reference backend with *behaviour* and the named *faults*, in a thread of this process.

    Raises UsageError for an unknown fault. What a fault changes in the material is in the target too.
    """
    names = tuple(faults)
    faulty = behaviour_with(names, behaviour)
    return Target(
        kind="embedded",
        name=f"reference ({', '.join(names)})" if names else "reference",
        factory=lambda material: embedded(material, faulty),
        capabilities=frozenset({Capability.LIVE_RELOAD}),
        alter_server=faulty.alter_server,
        good_days=faulty.good_days,
        pace=QUICK,
    )
