"""What a function is told of a request: the events of Lambda authorizers, REST and HTTP APIs, payload 1.0 and 2.0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, unquote_plus

from .context import Context
from .mapping import Call
from .routing import Endpoint
from .settings import Settings

__all__ = ["Asked", "ClientCert", "flattened", "http_event", "request_event", "token_event"]


class ClientCert(Protocol):
    """A client's certificate that a custom domain has verified."""

    def as_json(self, settings: Settings) -> dict[str, Any]:
        """``clientCertPem``, ``subjectDN``, ``issuerDN``, ``serialNumber`` and ``validity``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that an authorizer is asked about."""

    region: str
    endpoint: Endpoint
    call: Call
    context: Context
    client_cert: Mapping[str, Any] | None = None
    """``clientCert``; None where no client certificate was verified."""

    @property
    def arn(self) -> str:
        """``methodArn`` or ``routeArn``."""
        context = self.context
        place = f"{context.account_id}:{context.api_id}/{context.stage}/{self.call.method}/{_sound(self.call.path[1:])}"
        return f"arn:aws:execute-api:{self.region}:{place}"


def flattened(client_cert: Mapping[str, Any]) -> dict[str, str]:
    """``clientCert`` by the names that mappings have for it: ``subjectDN`` …, ``validity.notBefore``."""
    flat = {}
    for name, value in client_cert.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        flat.update({f"{name}.{key}": str(one) for key, one in inner} if inner else {name: str(value)})
    return flat


# --- REST APIs, and payload 1.0


def token_event(asked: Asked, token: str) -> dict[str, Any]:
    """For an authorizer of the type TOKEN."""
    return {"type": "TOKEN", "authorizationToken": _sound(token), "methodArn": asked.arn}


def request_event(asked: Asked, identity: Sequence[str] | None = None) -> dict[str, Any]:
    """For an authorizer of the type REQUEST; *identity*, the sources' values, makes it an HTTP API's payload 1.0."""
    call, context = asked.call, asked.context
    headers = _headers(call)
    query = _gathered(_query(call.query))
    sources = _sound(",".join(identity or ()))
    http_api = {"version": "1.0", "identitySource": sources, "authorizationToken": sources}
    return {
        **({} if identity is None else http_api),
        "type": "REQUEST",
        "methodArn": asked.arn,
        "resource": asked.endpoint.resource_path,
        "path": _sound(call.path),
        "httpMethod": call.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()},
        "multiValueQueryStringParameters": query,
        "pathParameters": {name: _sound(value) for name, value in call.parameters.items()},
        "stageVariables": dict(call.variables),
        "requestContext": {
            "accountId": context.account_id,
            "apiId": context.api_id,
            "stage": context.stage,
            "requestId": context.request_id,
            "resourceId": context.resource_id,
            "resourcePath": context.resource_path,
            "path": _sound(context.path),
            "httpMethod": context.http_method,
            "identity": {
                "sourceIp": context.source_ip,
                "userAgent": _sound(context.user_agent) or None,
                "apiKey": next((values[-1] for name, values in headers.items() if name.lower() == "x-api-key"), None),
                **_shown(asked),
            },
        },
    }


# --- HTTP APIs, payload 2.0


def http_event(asked: Asked, identity: Sequence[str]) -> dict[str, Any]:
    """For an HTTP API's authorizer with payload 2.0; *identity* are the values of the identity sources."""
    call, context = asked.call, asked.context
    headers = {name.lower(): values for name, values in _headers(call).items()}
    query = _gathered(_query(call.query))
    cookies = [one.strip() for value in headers.pop("cookie", ()) for one in value.split(";") if one.strip()]
    path, route_key = _sound(context.path), asked.endpoint.route_key
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": asked.arn,
        "identitySource": [_sound(value) for value in identity],
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": _sound(call.query),
        "cookies": cookies,
        "headers": {name: ",".join(values) for name, values in headers.items()},
        "queryStringParameters": {name: ",".join(values) for name, values in query.items()},
        "pathParameters": {name: unquote(_sound(value)) for name, value in call.parameters.items()},
        "stageVariables": dict(call.variables),
        "requestContext": {
            "accountId": context.account_id,
            "apiId": context.api_id,
            "domainName": context.domain_name,
            "domainPrefix": context("domainPrefix"),
            "http": {
                "method": call.method,
                "path": path,
                "protocol": context.protocol,
                "sourceIp": context.source_ip,
                "userAgent": _sound(context.user_agent),
            },
            "requestId": context.request_id,
            "routeKey": route_key,
            "stage": context.stage,
            "time": context("requestTime"),
            "timeEpoch": int(context.moment.timestamp() * 1000),
            "authentication": _shown(asked),
        },
    }


# --- parts


def _shown(asked: Asked) -> dict[str, Any]:
    return {} if asked.client_cert is None else {"clientCert": dict(asked.client_cert)}


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Values by name, in the order in which they came."""
    gathered: dict[str, list[str]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return gathered


def _headers(call: Call) -> dict[str, list[str]]:
    """Headers by name, in the spelling that came first."""
    spelling: dict[str, str] = {}
    pairs = ((_sound(name), _sound(value)) for name, value in call.headers)
    return _gathered((spelling.setdefault(name.lower(), name), value) for name, value in pairs)


def _query(query: str) -> Iterable[tuple[str, str]]:
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield unquote_plus(name), unquote_plus(value)


def _sound(text: str) -> str:
    """*text* off the wire without octets that are no UTF-8: JSON has no place for them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
