"""Outcomes on their way between processes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pytest_mtls.harness.backend.contract import Capability
from pytest_mtls.harness.outcome import Case, Outcome, Result

_PLAIN = Outcome(
    id="trust/self-signed-stranger",
    profile="gateway",
    title="A fresh self-signed certificate of an unknown name MUST be refused.",
    level="MUST",
    outcome=Result.PASSED,
    reason="rejected: alert 48 unknown_ca",
    references=("RFC 5280 6.1",),
    remedy="Verify the certificate.",
    reproduce="openssl s_client",
)

_SEEN: dict[str, Any] = {
    "role": "probe",
    "alert": {"number": 48, "name": "unknown_ca", "phase": "handshake"},
    "http": None,
    "milliseconds": {"connected": 0.25},
    "acceptable_issuers": ["CN=ApiGateway,L=Seattle,C=US"],
}

_FULL = Outcome(
    id="rotation/both-old-first",
    profile="gateway",
    title="Both MUST be accepted.",
    level="MUST",
    outcome=Result.FAILED,
    reason="expected accepted, saw rejected: ünïcode",
    references=("RFC 5280 6.1", "API Gateway: rotate"),
    remedy="Set X509_V_FLAG_PARTIAL_CHAIN.",
    reproduce="curl --cert old.pem",
    cases=(
        Case(what="old", tls="1.2", outcome=Result.PASSED, reason="accepted: HTTP 200", observations=(_SEEN, _SEEN)),
        Case(what="start", tls=None, outcome=Result.INCONCLUSIVE, reason="it does not start"),
    ),
    missing=("reload", "live-reload"),
    seconds=1.25,
    notes=("the rotation trap",),
    target={"capabilities": ["start"], "tls": ["1.2", "1.3"]},
)


@pytest.mark.parametrize("outcome", [_PLAIN, _FULL], ids=["plain", "full"])
def test_an_outcome_survives_the_way_through_json(outcome: Outcome) -> None:
    """What a worker process found is what the report's process reads, types included."""

    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


def test_only_plain_types_are_written() -> None:
    """execnet, by which xdist's workers send them, knows no subclasses of str either."""
    outcome = replace(_FULL, target={"capabilities": [Capability.START]})
    assert types_in(outcome.to_json()) <= {dict, list, str, int, float, bool, type(None)}


def types_in(value: object) -> set[type]:
    """The exact types of *value* and all within."""
    within = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return {type(value)}.union(*(types_in(one) for one in within))


@pytest.mark.parametrize("result", Result)
def test_every_result_survives(result: Result) -> None:
    """All five words are written as themselves and read as members again."""

    case = Case(what="it", tls="1.3", outcome=result, reason="")
    data = replace(_PLAIN, outcome=result, cases=(case,)).to_json()
    read = Outcome.from_json(json.loads(json.dumps(data)))
    assert (read.outcome, read.cases[0].outcome) == (result, result)
    assert isinstance(read.outcome, Result) and isinstance(read.cases[0].outcome, Result)


def test_a_written_outcome_is_a_copy() -> None:
    """Who changes what was written does not change the outcome."""

    _FULL.to_json()["target"]["capabilities"].append("reload")
    assert _FULL.target["capabilities"] == ["start"]


def test_an_unknown_result_is_an_error() -> None:
    """A sixth word must not slip into a report."""

    data = _PLAIN.to_json() | {"outcome": "maybe"}
    with pytest.raises(ValueError, match="'maybe' is not a valid Result"):
        Outcome.from_json(data)


def test_the_words_are_the_reports() -> None:
    """They are a contract: scripts read them."""

    assert [result.value for result in Result] == ["passed", "failed", "warned", "skipped", "inconclusive"]
