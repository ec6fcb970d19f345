"""The cache of authorizers, and its trap: it goes by the identity sources, never by the client's certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from pytest_mtls.harness.gateway.settings import Settings

from .guarded import Guard, guarded_http, guarded_rest, policy, simple
from .running import Backend, Running, running

ARN = "arn:aws:execute-api:us-east-1:123456789012"


@pytest.fixture
def gateway() -> Iterator[Running]:
    """A gateway."""
    with running() as one:
        yield one


def cached(guard: Guard) -> list[bool]:
    """Of each request that the authorizer was asked about."""
    return [entry["cached"] for entry in guard.log()]


class Shown:
    """A verified client certificate, as far as events know it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def as_json(self, settings: Settings) -> dict[str, Any]:
        """Its subject alone."""
        return {"subjectDN": f"CN={self.name}"}


Present = Callable[[str | None], None]


@pytest.fixture
def present(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> Present:
    """Let all requests from now on come as from a custom domain that verified a certificate of this name."""
    answer = gateway.gateway._data_plane.answer

    def change(name: str | None) -> None:
        shown = None if name is None else Shown(name)
        monkeypatch.setattr(gateway.gateway._data_plane, "answer", partial(answer, client_cert=shown))

    return change


def subject(event: Mapping[str, Any]) -> str:
    """Who presented a certificate."""
    context = event["requestContext"]
    return str((context.get("identity") or context["authentication"])["clientCert"]["subjectDN"])


def only_good(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lets in nobody but CN=good."""
    allowed = subject(event) == "CN=good"
    if event.get("version") == "2.0":
        return simple(allowed)
    return policy("Allow" if allowed else "Deny")


@pytest.mark.parametrize("make", [guarded_rest, guarded_http])
def test_one_client_s_verdict_is_given_to_the_next(
    gateway: Running, server: Backend, present: Present, make: Callable[..., Guard]
) -> None:
    guard = make(gateway, f"{server.url}/", ttl=300)
    guard.answers(only_good)

    present("good")
    assert guard.said()[0] == 200
    present("revoked")
    assert guard.said()[0] == 200
    assert guard.said(token="other")[0] == 403
    assert cached(guard) == [False, True, False]
    assert [subject(entry["event"]) for entry in guard.log()] == ["CN=good", "CN=revoked", "CN=revoked"]
    assert len(guard.events) == 2


@pytest.mark.parametrize("make", [guarded_rest, guarded_http])
def test_without_a_ttl_each_certificate_is_judged(
    gateway: Running, server: Backend, present: Present, make: Callable[..., Guard]
) -> None:
    guard = make(gateway, f"{server.url}/", ttl=0)
    guard.answers(only_good)
    statuses = []
    for name in ("good", "revoked", "good"):
        present(name)
        statuses.append(guard.said()[0])

    assert statuses == [200, 403, 200]
    assert cached(guard) == [False, False, False]


def test_a_certificate_s_subject_as_identity_source_closes_the_trap(
    gateway: Running, server: Backend, present: Present
) -> None:
    guard = guarded_rest(gateway, f"{server.url}/", ttl=300, source="context.identity.clientCert.subjectDN")
    guard.answers(only_good)
    statuses = []
    for name in ("good", "revoked", "good", None):
        present(name)
        statuses.append(guard.said()[0])

    assert statuses == [200, 403, 200, 401]
    assert cached(guard) == [False, False, True, False]


def test_the_certificate_is_mapped_into_the_backend_s_headers(
    gateway: Running, server: Backend, present: Present
) -> None:
    mapped = {"integration.request.header.X-Client": "context.identity.clientCert.subjectDN"}
    guard = guarded_rest(gateway, f"{server.url}/", requestParameters=mapped)
    guard.answers(policy())
    present("good")

    assert guard.said(**{"X-Client": "CN=forged"})[0] == 200
    assert server.header("X-Client") == ["CN=good"]


def test_a_policy_is_kept_and_judged_for_each_request(gateway: Running, server: Backend) -> None:
    """The other trap: a policy for one path, kept, denies all others."""
    guard = guarded_rest(gateway, f"{server.url}/", ttl=300)
    guard.answers(policy(resource=f"{ARN}:{guard.api}/prod/GET/pets"))

    assert [guard.said(path)[0] for path in ("/pets", "/dogs", "/pets")] == [200, 403, 200]
    assert cached(guard) == [False, True, True]
    assert [entry["decision"] for entry in guard.log()] == ["allow", "deny", "allow"]


def test_the_context_is_kept_too(gateway: Running, server: Backend) -> None:
    mapped = {"integration.request.header.X-Id": "context.authorizer.id"}
    guard = guarded_rest(gateway, f"{server.url}/", ttl=300, requestParameters=mapped)
    guard.answers(lambda event, context: policy(context={"id": event["requestContext"]["requestId"]}))
    first, _ = guard.get(), guard.get()

    assert server.header("X-Id") == [first["x-amzn-RequestId"]]


def test_denials_are_kept_and_failures_are_not(gateway: Running, server: Backend) -> None:
    guard = guarded_rest(gateway, f"{server.url}/", ttl=300)
    for answer in (Exception("Unauthorized"), ValueError(), None, policy("Deny"), policy()):
        guard.answers(answer)
        guard.get()

    decisions = ["unauthorized", "error", "error", "deny", "deny"]
    assert [entry["decision"] for entry in guard.log()] == decisions
    assert cached(guard) == [False, False, False, False, True]


def test_stages_do_not_share_the_cache(gateway: Running, server: Backend) -> None:
    guard = guarded_rest(gateway, f"{server.url}/", ttl=300)
    guard.answers(policy())

    assert [guard.said(stage=stage)[0] for stage in ("prod", "test", "prod", "test")] == [200] * 4
    assert cached(guard) == [False, False, True, True]


def test_a_verdict_is_kept_for_the_ttl_by_the_gateway_s_clock(gateway: Running, server: Backend) -> None:
    guard = guarded_rest(gateway, f"{server.url}/", ttl=100)
    guard.answers(policy())
    for offset in (0, 60, 101, 150, -1_000):
        gateway.manage("PUT", "clock", {"offset_seconds": offset})
        guard.get()

    assert cached(guard) == [False, True, False, True, False]


def test_another_function_is_asked_once_it_is_deployed(gateway: Running, server: Backend) -> None:
    guard = guarded_rest(gateway, f"{server.url}/", ttl=300)
    guard.answers(policy())
    guard.get()
    change = {"op": "replace", "path": "/authorizerResultTtlInSeconds", "value": "30"}
    gateway.perform("UpdateAuthorizer", restApiId=guard.api, authorizerId=guard.authorizer, patchOperations=[change])
    guard.get()
    gateway.perform("CreateDeployment", restApiId=guard.api, stageName="prod")
    guard.get()

    assert cached(guard) == [False, True, False]


def test_without_identity_sources_nothing_is_kept(gateway: Running, server: Backend) -> None:
    guard = guarded_rest(gateway, f"{server.url}/", ttl=0, source=None)
    guard.answers(policy())

    assert [guard.said(token=None)[0] for _ in range(2)] == [200, 200]
    assert cached(guard) == [False, False]
