"""Trouble on purpose: ``PUT /_mtls/faults``."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Faults", "InjectedError"]


@dataclass(slots=True)
class InjectedError:
    """Answers an operation in its place, ``times`` times."""

    operation: str
    status: int
    code: str
    times: int


@dataclass(slots=True)
class Faults:
    """What is to go wrong; replaced as a whole. Latencies are in seconds."""

    control_latency: float = 0.0
    integration_latency: float = 0.0
    errors: list[InjectedError] = field(default_factory=list)

    def replace(self, other: Faults) -> None:
        """Let *other*'s faults take the place of all present ones."""
        self.control_latency, self.integration_latency = other.control_latency, other.integration_latency
        self.errors = other.errors

    def take(self, operation: str | None) -> InjectedError | None:
        """The error that answers *operation* this time, which uses it up by one; None: the operation acts."""
        for error in self.errors:
            if error.operation == operation and error.times > 0:
                error.times -= 1
                return error
        return None
