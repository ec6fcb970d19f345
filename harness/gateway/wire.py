"""JSON in, JSON out: bodies, dates, names and errors as the three services have them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

from .errors import ApiError, bad_request
from .log import iso

__all__ = [
    "ACM_TARGET",
    "Answer",
    "Service",
    "answer",
    "error_answer",
    "parse_body",
    "parse_query",
    "segments",
    "shown",
]

Service = Literal["apigateway", "apigatewayv2", "acm"]

ACM_TARGET = "CertificateManager."
"""What ``X-Amz-Target`` begins with."""

_JSON: Mapping[str, str] = {"acm": "application/x-amz-json-1.1"}
_RETRY_AFTER_SECONDS = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the control plane answers; the HTTP layer adds ``x-amzn-RequestId``."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    service: Service
    operation: str | None
    """None for what is not emulated."""
    error: str | None = None
    """The code of a refusal."""


def answer(status: int, result: Mapping[str, Any] | None, service: Service, operation: str) -> Answer:
    """Success: *result* as JSON, or no body at all for None."""
    if result is None:
        return Answer(status=status, headers={}, body=b"", service=service, operation=operation)
    headers, body = _encoded(shown(result, service), service)
    return Answer(status=status, headers=headers, body=body, service=service, operation=operation)


def error_answer(error: ApiError, service: Service, operation: str | None) -> Answer:
    """A refusal in the words of *service*: code in the header, message in the body."""
    members = {"message": error.message, **error.members}
    if service == "acm":
        members["__type"] = error.code
    headers, body = _encoded(members, service)
    headers["x-amzn-ErrorType"] = error.code
    if error.code == "TooManyRequestsException":
        headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return Answer(
        status=error.status, headers=headers, body=body, service=service, operation=operation, error=error.code
    )


def _encoded(members: Mapping[str, Any], service: Service) -> tuple[dict[str, str], bytes]:
    return {"Content-Type": _JSON.get(service, "application/json")}, json.dumps(members).encode()


def shown(value: Any, service: Service) -> Any:
    """*value* as it goes on the wire: dates in the service's form, members without value left out."""
    if isinstance(value, Mapping):
        return {name: shown(item, service) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [shown(item, service) for item in value]
    if isinstance(value, datetime):
        return iso(value) if service == "apigatewayv2" else int(value.timestamp())
    return value


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*, empty for an empty one; raises BadRequestException for anything else."""
    if not body.strip():
        return {}
    try:
        found = json.loads(body, parse_float=_finite, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise bad_request("Invalid request body: expected JSON") from None
    if not isinstance(found, dict):
        raise bad_request("Invalid request body: expected a JSON object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)  # it could not be written as JSON again
    return number


def _no_constant(text: str) -> float:
    raise ValueError(text)  # NaN and Infinity are Python's, not JSON's


def parse_query(text: str) -> dict[str, list[str]]:
    """The query's values by name, in their order; raises BadRequestException for far too many of them."""
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        raise bad_request("Invalid query string") from None


def segments(raw_path: str) -> tuple[str, ...]:
    """The parts of a path, each decoded by itself: an ARN's encoded slashes stay within its part."""
    return tuple(unquote(part) for part in raw_path.strip("/").split("/"))
