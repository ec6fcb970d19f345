"""The scenario decorator: what the catalogue, the reports and the documentation know of a scenario comes from here.

    @scenario(level=MUST, profiles=(GATEWAY,), references=("RFC 5280 6.1",), remedy="…")
    def other_customer_same_name(mtls_trial: Trial) -> None:
        \"\"\"The requirement, with MUST or SHOULD.

        What is done to provoke it.
        \"\"\"

The id is ``<module>/<function>`` with hyphens for underscores, and final: reports and scripts use it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import import_module
from inspect import cleandoc, isgeneratorfunction
from typing import TYPE_CHECKING

from .backend.contract import Capability

if TYPE_CHECKING:
    from .trial import Trial

__all__ = [
    "BOTH",
    "GATEWAY",
    "INFO",
    "MUST",
    "PRIVATE_CA",
    "SHOULD",
    "Level",
    "Profile",
    "Scenario",
    "catalogue",
    "scenario",
]

CATALOGUE_PACKAGE = "pytest_mtls.scenarios"


class Level(StrEnum):
    """How much a scenario matters."""

    MUST = "MUST"
    """Failing means that somebody is served who must not be, or that a legitimate gateway is not."""
    SHOULD = "SHOULD"
    """Hardening, or an RFC's SHOULD; failing is a warning."""
    INFO = "INFO"
    """Reported, never failed."""


class Profile(StrEnum):
    """How trust is set up."""

    GATEWAY = "gateway"
    """The backend pins gateway certificates."""
    PRIVATE_CA = "private-ca"
    """The backend trusts a hierarchy."""
    FORWARDED_HEADER = "forwarded-header"
    """TLS ends at a proxy, which forwards the certificate in a header."""


MUST, SHOULD, INFO = Level.MUST, Level.SHOULD, Level.INFO
GATEWAY, PRIVATE_CA = Profile.GATEWAY, Profile.PRIVATE_CA
BOTH = (GATEWAY, PRIVATE_CA)

Function = Callable[["Trial"], "Iterator[datetime] | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One requirement."""

    id: str
    level: Level
    profiles: tuple[Profile, ...]
    needs: tuple[Capability, ...]
    references: tuple[str, ...]
    requirement: str
    """The docstring's first paragraph, in one line."""
    provoked_by: str
    """The rest of the docstring."""
    remedy: str
    function: Function

    @property
    def waits(self) -> bool:
        """Whether it waits for a clock: a generator of the moments that it waits for."""
        return isgeneratorfunction(self.function)

    @property
    def area(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]


_registered: dict[str, Scenario] = {}


def scenario(
    *,
    level: Level,
    profiles: tuple[Profile, ...],
    references: tuple[str, ...],
    remedy: str,
    needs: tuple[Capability | str, ...] = (),
) -> Callable[[Function], Function]:
    """Register a function of a module in ``scenarios/`` as the scenario of its name.

    Raises ValueError at import for a duplicate id, an unknown capability, a missing docstring, reference or remedy.
    """

    def register(function: Function) -> Function:
        one = _describe(function, level, profiles, references, remedy, needs)
        before = _registered.get(one.id)
        if before is not None and before.function.__code__.co_filename != function.__code__.co_filename:
            raise ValueError(f"duplicate scenario {one.id}: in {_place(before.function)} and in {_place(function)}")
        if before is not None and before.function.__code__.co_firstlineno != function.__code__.co_firstlineno:
            raise ValueError(f"duplicate scenario {one.id}: in {_place(before.function)} and in {_place(function)}")
        _registered[one.id] = one
        if one.waits:
            function = _stand_in(function)
        function.__mtls_scenario__ = one  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
        return function

    return register


@cache
def catalogue() -> dict[str, Scenario]:
    """All scenarios by id, in the order of their modules' names and, within one, of their definition."""
    package = import_module(CATALOGUE_PACKAGE)
    for module in sorted(one.name for one in pkgutil.iter_modules(package.__path__)):
        import_module(f"{CATALOGUE_PACKAGE}.{module}")
    return dict(_registered)


def _stand_in(function: Function) -> Function:
    """A plain function in a generator's place, because pytest refuses to collect generators."""

    def scenario_that_waits(mtls_trial: Trial) -> None:
        mtls_trial.run()

    scenario_that_waits.__name__, scenario_that_waits.__qualname__ = function.__name__, function.__qualname__
    scenario_that_waits.__module__, scenario_that_waits.__doc__ = function.__module__, function.__doc__
    return scenario_that_waits


def _describe(
    function: Function,
    level: Level,
    profiles: tuple[Profile, ...],
    references: tuple[str, ...],
    remedy: str,
    needs: tuple[Capability | str, ...],
) -> Scenario:
    area = function.__module__.rpartition(".")[2].replace("_", "-")
    name = f"{area}/{function.__name__.replace('_', '-')}"
    unknown = [need for need in needs if need not in list(Capability)]
    if unknown:
        raise ValueError(
            f"scenario {name} ({_place(function)}): unknown capability {unknown[0]!r}; known: {', '.join(Capability)}"
        )
    requirement, _, rest = cleandoc(function.__doc__ or "").partition("\n\n")
    if not requirement.strip() or not references or not remedy or not profiles:
        raise ValueError(f"scenario {name} ({_place(function)}): needs a docstring, profiles, references and a remedy")
    return Scenario(
        id=name,
        level=level,
        profiles=profiles,
        needs=tuple(Capability(need) for need in needs),
        references=references,
        requirement=" ".join(requirement.split()),
        provoked_by=" ".join(rest.split()),
        remedy=" ".join(remedy.split()),
        function=function,
    )


def _place(function: Function) -> str:
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
