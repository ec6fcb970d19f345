"""The report of an audit: as JSON (``pytest-mtls/audit/1``), as JUnit XML, and its result."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..outcome import Outcome, Result
from ..report.junit import to_junit
from ..report.model import Report, Summary, tool
from .rules import Judgement

__all__ = ["SCHEMA", "AuditReport", "Place", "reproduce"]

SCHEMA = "pytest-mtls/audit/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What was audited. ``options`` are the words that make the AWS CLI ask there too."""

    region: str
    endpoint: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """One audit, complete or cut short (then ``problems`` says why)."""

    started: datetime
    seconds: float
    place: Place
    rotation_days: int
    judgements: tuple[Judgement, ...]
    problems: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    """How many of which kind of resource were read."""

    @property
    def result(self) -> Summary:
        """As of a check: problems of the whole come first, then findings, then what is not proved."""
        return self._as_check.result

    @property
    def exit_code(self) -> int:
        """0 conformant, 1 nonconformant, 3 inconclusive."""
        return self._as_check.exit_code

    def count(self, result: Result) -> int:
        """How many judgements have this outcome."""
        return sum(one.outcome is result for one in self.judgements)

    def to_json(self) -> dict[str, Any]:
        """As JSON types, by the schema of ``audit.schema.json``."""
        return {
            "schema": SCHEMA,
            "tool": tool(),
            "started": self.started.isoformat().replace("+00:00", "Z"),
            "seconds": round(self.seconds, 3),
            "target": {
                "region": self.place.region,
                "endpoint": self.place.endpoint,
                "rotation_days": self.rotation_days,
                "read": self.counts,
            },
            "summary": {
                "result": self.result.value,
                **{result.value: self.count(result) for result in Result},
                "problems": list(self.problems),
            },
            "outcomes": [self._outcome_json(one) for one in self.judgements],
        }

    def to_text(self) -> str:
        """The JSON document."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"

    def to_junit(self) -> bytes:
        """One test case for each judgement, named by check and resource."""
        return to_junit(self._as_check)

    @property
    def _as_check(self) -> Report:
        """In the form that the writers of a check's report take: the resource stands where theirs have the profile."""
        return Report(
            started=self.started,
            seconds=self.seconds,
            kind="audit",
            name=f"API Gateway in {self.place.region}",
            profiles=(),
            capabilities=(),
            strict=False,  # a SHOULD that fails when strict is a failure already
            outcomes=tuple(self._outcome(one) for one in self.judgements),
            problems=self.problems,
        )

    def _outcome(self, one: Judgement) -> Outcome:
        return Outcome(
            id=one.check.id,
            profile=one.resource,
            title=one.check.title,
            level=one.check.level,
            outcome=one.outcome,
            reason=one.reason,
            references=one.check.references,
            remedy=one.check.remedy,
            reproduce=reproduce(one.resource, self.place.options),
        )

    def _outcome_json(self, one: Judgement) -> dict[str, Any]:
        return {
            "id": one.check.id,
            "resource": one.resource,
            "level": one.check.level,
            "outcome": one.outcome.value,
            "reason": one.reason,
            "title": one.check.title,
            "references": list(one.check.references),
            "remedy": one.check.remedy,
            "reproduce": reproduce(one.resource, self.place.options),
        }


def reproduce(arn: str, options: Sequence[str]) -> str:
    """The command of the AWS CLI that shows the resource."""
    if ":acm:" in arn:
        words = ["acm", "describe-certificate", "--certificate-arn", arn]
    else:
        words = _words(arn.split(":", 5)[5].strip("/").split("/"))
    return shlex.join(["aws", *words, *options])


def _words(path: list[str]) -> list[str]:
    match path:
        case ["restapis", api, "stages", stage]:
            return ["apigateway", "get-stage", "--rest-api-id", api, "--stage-name", stage]
        case ["restapis", api]:
            return ["apigateway", "get-rest-api", "--rest-api-id", api]
        case ["apis", api, "stages", stage]:
            return ["apigatewayv2", "get-stage", "--api-id", api, "--stage-name", stage]
        case ["apis", api]:
            return ["apigatewayv2", "get-api", "--api-id", api]
        case ["apis"]:
            return ["apigatewayv2", "get-apis"]
        case ["domainnames", name]:
            return ["apigateway", "get-domain-name", "--domain-name", name.partition("+")[0]]
        case _:
            return ["apigateway", "get-domain-names"]
