"""Observations that no probe has made, of a handshake and what followed it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_mtls.harness.tls.alerts import Alert
from pytest_mtls.harness.tls.observation import HttpAnswer, Observation, Phase, TlsVersion

__all__ = ["CONTROL", "alerted", "answered", "seen"]

_NOTHING_YET = Observation(
    url="https://localhost:8443/",
    tls=TlsVersion.TLS13,
    server_name="localhost",
    presented=None,
    phase=Phase.REQUEST_SENT,
    times=(),
    negotiated="TLSv1.3 TLS_AES_256_GCM_SHA384",
    certificate_requested=True,
    acceptable_issuers=(),
    alert=None,
    closing=None,
    trouble=None,
    detail="",
    received=0,
    answer=None,
    session_ticket=False,
    resumed=False,
    server_chain=(),
)
"""A complete handshake with CertificateRequest, and a request that nobody has answered yet."""


def seen(**changes: Any) -> Observation:
    """An observation that differs from an unanswered request in *changes*."""
    return replace(_NOTHING_YET, **changes)


def answered(status: int, **changes: Any) -> Observation:
    """An observation of a complete answer."""
    answer = HttpAnswer(status=status, version="1.1", headers=(), head="hello", length=5, complete=True)
    return seen(**({"phase": Phase.ANSWER, "received": 100, "answer": answer} | changes))


def alerted(number: int, *, fatal: bool = True, **changes: Any) -> Observation:
    """An observation of an alert."""
    return seen(alert=Alert(number, fatal, "request_sent"), **changes)


CONTROL = answered(200)
"""What the control got, where nothing else is said."""
