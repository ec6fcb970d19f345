"""boto3 clients whose requests end at a ControlPlane instead of a socket: the SDK's real building and parsing."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import rsa

from pytest_mtls.harness.gateway.control_plane import ControlPlane, Fetch
from pytest_mtls.harness.gateway.errors import bad_request
from pytest_mtls.harness.gateway.model import TestInvoke
from pytest_mtls.harness.gateway.state import State
from pytest_mtls.harness.gateway.truststores import Location
from pytest_mtls.harness.gateway.wire import Answer
from pytest_mtls.harness.pki.key_pool import KeyPool
from pytest_mtls.harness.pki.keys import new_rsa_key

__all__ = ["Account", "few_keys"]


def few_keys() -> KeyPool:
    """A handful of keys, over and over, without a thread: keys are slow to make, and few tests ask for fresh ones."""
    return _FewKeys()


class _FewKeys(KeyPool):
    def start(self) -> None:
        """Never in advance."""

    def take(self) -> rsa.RSAPrivateKey:
        return next(_keys())


@functools.cache
def _keys() -> Iterator[rsa.RSAPrivateKey]:
    return itertools.cycle([new_rsa_key(), new_rsa_key()])


class _Raw:
    """A body as botocore reads it from urllib3."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


@dataclass
class Account:
    """A control plane with a client for each of its services, and what went over the wire."""

    state: State = field(default_factory=State)
    answers: list[Answer] = field(default_factory=list)
    objects: dict[Location, bytes] | bytes = b""
    """What S3 holds; octets, if that is so whatever is asked for."""
    fetched: list[Location] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plane = ControlPlane(self.state, few_keys())
        self.clients: dict[str, Any] = {name: self._client(name) for name in ("apigateway", "apigatewayv2", "acm")}
        self.v1, self.v2, self.acm = self.clients.values()

    def _client(self, service: str) -> Any:
        client = boto3.client(
            service,  # type: ignore[call-overload, unused-ignore]
            endpoint_url="http://127.0.0.1:1",  # nobody listens there
            region_name=self.state.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        url, body = urlsplit(request.url), request.body or b""
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        answer = self.plane.handle(
            request.method, url.path, url.query, headers, body.encode() if isinstance(body, str) else body
        )
        while isinstance(answer, Fetch):
            self.fetched.append(answer.location)
            held = self.objects if isinstance(self.objects, bytes) else self.objects.get(answer.location)
            answer = answer.again(bad_request("no such object") if held is None else held)
        if isinstance(answer, TestInvoke):
            found = {"status": 200, "body": "", "headers": {}, "multiValueHeaders": {}, "log": "", "latency": 1}
            answer = Answer(
                status=200,
                headers={"Content-Type": "application/json"},
                body=json.dumps(found).encode(),
                service="apigateway",
                operation="TestInvokeMethod",
            )
        self.answers.append(answer)
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Raw(answer.body))
