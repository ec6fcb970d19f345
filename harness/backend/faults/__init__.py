"""Faults: switches that break the reference backend on purpose, one check or one step each, to prove that a scenario can fail.

A fault is a function from a correct ``Behaviour`` to one that is wrong in one thing; several can be combined. The modules
of this folder define them, by what they are about; nothing else lists them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from ...errors import UsageError, did_you_mean
from ..reference import Behaviour
from .registry import FAULTS, Fault

__all__ = ["FAULTS", "Fault", "behaviour_with"]

for _module in sorted(one.name for one in pkgutil.iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")


def behaviour_with(names: Iterable[str], behaviour: Behaviour = Behaviour()) -> Behaviour:
    """*behaviour* with the named faults; raises UsageError for an unknown name."""
    for name in names:
        if name not in FAULTS:
            raise UsageError(
                f"--fault ({name}): expected one of {', '.join(sorted(FAULTS))}.{did_you_mean(name, FAULTS)} "
                "See 'pytest-mtls backend --list-faults'."
            )
        behaviour = FAULTS[name].change(behaviour)
    return behaviour
