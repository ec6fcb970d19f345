"""APIs behind an authorizer, and functions that remember what they were asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pytest_mtls.harness.gateway.functions import Function, Handler

from .running import Got, Running

__all__ = [
    "ERROR",
    "UNAUTHORIZED",
    "FunctionServer",
    "Guard",
    "function_server",
    "guarded_http",
    "guarded_rest",
    "policy",
    "simple",
    "uri_of",
]

HEADER = "method.request.header.Authorization"
ERROR = 500, b'{"message":null}', "AuthorizerConfigurationException"
"""Status, body and error type where an authorizer fails."""
UNAUTHORIZED = 401, b'{"message":"Unauthorized"}', "UnauthorizedException"
"""The same where it fails with ``Unauthorized``, or is not asked for want of an identity source."""


def uri_of(name: str) -> str:
    """An ``authorizerUri`` that names a function."""
    function = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"


def policy(effect: str = "Allow", resource: str = "*", **more: Any) -> dict[str, Any]:
    """An IAM policy."""
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
    return {"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}, **more}


def simple(authorized: Any = True, **more: Any) -> dict[str, Any]:
    """A simple response."""
    return {"isAuthorized": authorized, **more}


@dataclass
class Guard:
    """An API behind an authorizer; ``events`` is what its function ``f`` was asked."""

    gateway: Running
    api: str
    authorizer: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def answers(self, value: Any) -> None:
        """Let the function answer this; an exception is raised, a callable is called with event and context."""

        def function(event: dict[str, Any], context: Any) -> Any:
            self.events.append(event)
            if isinstance(value, BaseException):
                raise value
            return value(event, context) if callable(value) else value

        self.bind(function)

    def bind(self, handler: Handler | None, url: str = "module:f") -> None:
        """Bind ``f`` to a callable, or to a URL."""
        self.gateway.gateway.functions["f"] = Function(url, handler)

    def get(self, path: str = "/pets", token: str | None = "t", stage: str = "prod", **headers: str) -> Got:
        """A request with a token in its Authorization."""
        given = {} if token is None else {"Authorization": token}
        return self.gateway.call("GET", self.gateway.path(self.api, path, stage), headers={**given, **headers})

    def said(self, path: str = "/pets", **more: Any) -> tuple[int, bytes, str | None]:
        """Status, body and error type."""
        got = self.get(path, **more)
        return got.status, got.body, got["x-amzn-ErrorType"]

    def log(self) -> list[dict[str, Any]]:
        """The authorizer entries of this API."""
        return list(self.gateway.manage("GET", f"log?kind=authorizer&api_id={self.api}").json["entries"])


def guarded_rest(
    gateway: Running,
    backend: str,
    *,
    kind: str = "REQUEST",
    source: str | None = HEADER,
    ttl: int = 0,
    uri: str = uri_of("f"),
    **integration: Any,
) -> Guard:
    """A REST API whose ``/{proxy+}`` is behind an authorizer, on the stages prod and test."""
    created = gateway.perform("CreateRestApi", name="guarded")
    members = {} if source is None else {"identitySource": source}
    authorizer = gateway.perform(
        "CreateAuthorizer",
        restApiId=created["id"],
        name="a",
        type=kind,
        authorizerUri=uri,
        authorizerResultTtlInSeconds=ttl,
        **members,
    )["id"]
    place = gateway.method(created["id"], created["rootResourceId"], "/{proxy+}", backend, **integration)
    changes = [("authorizerId", authorizer), ("authorizationType", "CUSTOM")]
    operations = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in changes]
    gateway.perform("UpdateMethod", **place, patchOperations=operations)
    for stage in ("prod", "test"):
        gateway.perform("CreateDeployment", restApiId=created["id"], stageName=stage)
    return Guard(gateway, created["id"], authorizer)


def guarded_http(
    gateway: Running,
    backend: str,
    *,
    payload: str = "2.0",
    simple_responses: bool = True,
    sources: tuple[str, ...] = ("$request.header.Authorization",),
    ttl: int = 0,
    mapped: dict[str, str] | None = None,
) -> Guard:
    """An HTTP API whose route ``GET /{proxy+}`` is behind an authorizer, on the stage prod."""
    api = gateway.perform_v2("CreateApi", name="guarded", protocolType="HTTP")["apiId"]
    authorizer = gateway.perform_v2(
        "CreateAuthorizer",
        apiId=api,
        name="a",
        authorizerType="REQUEST",
        authorizerUri=uri_of("f"),
        identitySource=list(sources),
        authorizerPayloadFormatVersion=payload,
        enableSimpleResponses=simple_responses,
        authorizerResultTtlInSeconds=ttl,
    )["authorizerId"]
    integration = gateway.perform_v2(
        "CreateIntegration",
        apiId=api,
        integrationType="HTTP_PROXY",
        integrationMethod="ANY",
        integrationUri=backend,
        payloadFormatVersion="1.0",
        requestParameters=mapped or {},
    )["integrationId"]
    gateway.perform_v2(
        "CreateRoute",
        apiId=api,
        routeKey="GET /{proxy+}",
        target=f"integrations/{integration}",
        authorizationType="CUSTOM",
        authorizerId=authorizer,
    )
    gateway.perform_v2("CreateStage", apiId=api, stageName="prod", autoDeploy=True)
    return Guard(gateway, api, authorizer)


# --- a function behind a URL


@dataclass
class FunctionServer:
    """An HTTP server that keeps the events it gets and answers by ``answer``: status and body."""

    url: str
    answer: Callable[[bytes], tuple[int, bytes]] = lambda body: (200, b"null")
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, Content-Type, body."""


@contextmanager
def function_server() -> Iterator[FunctionServer]:
    """Such a server, gone with the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one.requests.append((self.command, self.headers["Content-Type"], body))
            status, answer = one.answer(body)
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Not to standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    one = FunctionServer(f"http://127.0.0.1:{server.server_address[1]}/2015-03-31/functions/function/invocations")
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
