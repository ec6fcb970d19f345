"""The report of a run: outcomes, what the target is, and the one word that sums it up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from typing import Any

from ..backend.contract import Capability
from ..outcome import Outcome, Result

__all__ = ["SCHEMA", "Report", "Summary"]

SCHEMA = "pytest-mtls/report/1"


class Summary(StrEnum):
    """The result of a run."""

    CONFORMANT = "conformant"
    NONCONFORMANT = "nonconformant"
    PARTIAL = "partial"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run, complete or cut short (then ``problems`` says why)."""

    started: datetime
    seconds: float
    kind: str
    name: str
    version: str | None = None
    """Of the server program; None where nothing tells."""
    profiles: tuple[str, ...]
    capabilities: tuple[str, ...]
    strict: bool
    outcomes: tuple[Outcome, ...]
    problems: tuple[str, ...] = ()
    """What makes the run as a whole inconclusive: a backend that died, an interruption."""

    def count(self, result: Result) -> int:
        """How many scenarios ended so."""
        return sum(outcome.outcome is result for outcome in self.outcomes)

    @property
    def result(self) -> Summary:
        """The result: what is proved wrong comes before what is not proved, and that before what was not tried."""
        if self.problems or not self.outcomes:
            return Summary.INCONCLUSIVE
        if self.count(Result.FAILED):
            return Summary.NONCONFORMANT
        if self.count(Result.INCONCLUSIVE):
            return Summary.INCONCLUSIVE
        return Summary.PARTIAL if self.left_out else Summary.CONFORMANT

    @property
    def exit_code(self) -> int:
        """0 conformant (or partial), 1 nonconformant, 3 inconclusive (with strict: or partial)."""
        if self.result is Summary.NONCONFORMANT:
            return 1
        if self.result is Summary.INCONCLUSIVE or (self.strict and self.result is Summary.PARTIAL):
            return 3
        return 0

    @property
    def left_out(self) -> tuple[Outcome, ...]:
        """The MUSTs that were skipped for want of a core capability: they make the result partial."""
        return tuple(
            outcome
            for outcome in self.outcomes
            if outcome.level == "MUST" and any(Capability(one).core for one in outcome.missing)
        )

    @property
    def url(self) -> str | None:
        """Where the target answered, once it was reached."""
        return next((outcome.target["url"] for outcome in self.outcomes if outcome.target.get("url")), None)

    @property
    def tls(self) -> tuple[str, ...]:
        """The TLS versions that the target speaks, of those selected."""
        return tuple(sorted({one for outcome in self.outcomes for one in outcome.target.get("tls", ())}))

    @property
    def sight(self) -> dict[str, Any] | None:
        """What was seen of the target before anything was judged, once it was reached."""
        return next((outcome.target["sight"] for outcome in self.outcomes if outcome.target.get("sight")), None)

    def to_json(self) -> dict[str, Any]:
        """As JSON types, by the schema of ``report.schema.json``."""
        return {
            "schema": SCHEMA,
            "tool": tool(),
            "started": self.started.isoformat().replace("+00:00", "Z"),
            "seconds": round(self.seconds, 3),
            "target": {
                "kind": self.kind,
                "name": self.name,
                "version": self.version,
                "url": self.url,
                "profile": list(self.profiles),
                "capabilities": list(self.capabilities),
                "tls": list(self.tls),
            },
            "seen": self.sight,
            "summary": {
                "result": self.result.value,
                **{result.value: self.count(result) for result in Result},
                "problems": list(self.problems),
            },
            "scenarios": [_outcome_json(outcome) for outcome in self.outcomes],
        }


def tool() -> dict[str, str]:
    """Who made the report."""
    from OpenSSL import SSL

    openssl = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()
    return {"name": "pytest-mtls", "version": version("pytest-mtls"), "openssl": openssl}


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    data = outcome.to_json()
    for name in ("target", "missing"):
        del data[name]
    return data
