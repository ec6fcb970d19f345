"""Identifiers as API Gateway makes them: short words of ``[a-z0-9]``, request ids, trace ids."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Container

__all__ = ["API", "RESOURCE", "ROUTE", "SHORT", "new_id", "new_request_id", "new_trace_id"]

_ALPHABET = string.ascii_lowercase + string.digits

SHORT = 6
"""Client certificates, deployments, authorizers, mappings."""
RESOURCE = 6
"""Resources but the root, which has ten as its API has."""
ROUTE = 7
"""Routes and integrations of apigatewayv2."""
API = 10
"""APIs of both kinds, and root resources."""


def new_id(length: int, taken: Container[str] = ()) -> str:
    """A fresh identifier of *length* characters that is not among *taken*."""
    while True:
        word = "".join(secrets.choice(_ALPHABET) for _ in range(length))
        if word not in taken:
            return word


def new_request_id() -> str:
    """For ``x-amzn-RequestId``."""
    return str(uuid.uuid4())


def new_trace_id(epoch_seconds: float) -> str:
    """The root of an ``X-Amzn-Trace-Id``: version, time in hex, 96 random bits."""
    return f"Root=1-{int(epoch_seconds):08x}-{secrets.token_hex(12)}"
