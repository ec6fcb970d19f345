"""The authorizers of docs/samples, called as Lambda calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pytest_mtls import Credential, RevocationPki

__all__ = ["ARN", "BOTH", "NOW", "SAMPLES", "WEEK", "Authorizer", "Clock", "Load", "NewPki", "event"]

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
ARN = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/pets"
NOW = datetime(2031, 2, 3, tzinfo=UTC)
WEEK = timedelta(days=7)


NewPki = Callable[..., RevocationPki]


@dataclass(slots=True)
class Clock:
    """A time that a test sets."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def event(presented: Credential | None, version: str = "1.0") -> dict[str, Any]:
    """What API Gateway sends in that payload format (only what the samples read)."""
    pem = presented.leaf.public_bytes(Encoding.PEM).decode() if presented else None
    shown = {"clientCert": {"clientCertPem": pem, "subjectDN": "CN=whoever"}} if presented else {}
    if version == "2.0":
        return {"version": "2.0", "type": "REQUEST", "routeArn": ARN, "requestContext": {"authentication": shown}}
    return {"type": "REQUEST", "methodArn": ARN, "requestContext": {"identity": {"sourceIp": "127.0.0.1", **shown}}}


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A sample, as a fresh Lambda instance has it."""

    module: ModuleType

    def __call__(self, presented: Credential | None, version: str = "1.0") -> dict[str, Any]:
        """What the handler answers."""
        answer: dict[str, Any] = self.module.handler(event(presented, version), None)
        return answer

    def says(self, presented: Credential | None) -> str:
        """``good``, or why it is refused; the effect has to fit."""
        answer = self(presented)
        (statement,) = answer["policyDocument"]["Statement"]
        reason = str(answer["context"]["revocation"])
        assert statement["Effect"] == ("Allow" if reason == "good" else "Deny")
        return reason


Load = Callable[..., Authorizer]


BOTH = pytest.mark.parametrize("name", ["crl_authorizer", "ocsp_authorizer"])
