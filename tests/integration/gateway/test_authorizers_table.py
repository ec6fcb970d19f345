"""Authorizers of REST and HTTP APIs: the table of answers, the events that arrive, what the backend is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .guarded import ERROR, UNAUTHORIZED, Guard, guarded_http, guarded_rest, policy, simple, uri_of
from .running import Backend, Running

ARN = "arn:aws:execute-api:us-east-1:123456789012"


def http(gateway: Running, server: Backend, payload: str, **members: Any) -> Guard:
    """An HTTP API; simple responses with payload 2.0."""
    return guarded_http(gateway, f"{server.url}/", payload=payload, simple_responses=payload == "2.0", **members)


def refuse(event: Any, context: Any) -> Any:
    """Fails."""
    raise ValueError("no such client")


async def refuse_later(event: Any, context: Any) -> Any:
    """Fails, asynchronously."""
    await asyncio.sleep(0)
    raise RuntimeError("Unauthorized")


class Nonsense:
    """No JSON."""


SAID_NO = b'{"Message":"User is not authorized to access this resource"}'
SAID_DENY = b'{"Message":"User is not authorized to access this resource with an explicit deny"}'
HTTP_ERROR = 500, b'{"message":"Internal Server Error"}', None
HTTP_FORBIDDEN = 403, b'{"message":"Forbidden"}', None

REST_TABLE: dict[str, tuple[Any, tuple[int, bytes, str | None], str]] = {
    "allowed": (policy(), (200, b"ok", None), "allow"),
    "not allowed": (policy(resource=f"{ARN}:other/*"), (403, SAID_NO, "AccessDeniedException"), "deny"),
    "denied": (policy("Deny"), (403, SAID_DENY, "AccessDeniedException"), "deny"),
    "fails with Unauthorized": (Exception("Unauthorized"), UNAUTHORIZED, "unauthorized"),
    "async, fails with Unauthorized": (refuse_later, UNAUTHORIZED, "unauthorized"),
    "fails with another word": (Exception("unauthorized"), ERROR, "error"),
    "fails": (refuse, ERROR, "error"),
    "exits": (SystemExit(0), ERROR, "error"),
    "interrupts": (KeyboardInterrupt(), ERROR, "error"),
    "answers nothing": (None, ERROR, "error"),
    "answers a text": ("Allow", ERROR, "error"),
    "answers what is no JSON": (Nonsense(), ERROR, "error"),
    "answers what is not a number": (policy(context={"x": float("nan")}), ERROR, "error"),
    "answers without principal": ({"policyDocument": policy()["policyDocument"]}, ERROR, "error"),
    "answers a nested context": (policy(context={"a": {}}), ERROR, "error"),
    "answers simply": (simple(), ERROR, "error"),
}


@pytest.mark.parametrize("case", REST_TABLE)
def test_a_rest_api_answers_as_the_table_says(rest: Guard, server: Backend, case: str) -> None:
    answer, expected, decision = REST_TABLE[case]
    rest.answers(answer)

    assert rest.said() == expected
    (entry,) = rest.log()
    assert (entry["function"], entry["stage"], entry["cached"], entry["decision"]) == ("f", "prod", False, decision)
    assert entry["event"] == rest.events[0]
    assert entry["latency_ms"] >= 0
    assert (entry["error"] is None) is (decision in ("allow", "deny"))
    assert len(server.requests) == (decision == "allow")


HTTP_TABLE: dict[str, tuple[Any, tuple[int, bytes, str | None], str]] = {
    "allowed": (simple(), (200, b"ok", None), "allow"),
    "denied": (simple(False), HTTP_FORBIDDEN, "deny"),
    "fails with Unauthorized": (Exception("Unauthorized"), UNAUTHORIZED, "unauthorized"),
    "fails": (refuse, HTTP_ERROR, "error"),
    "answers nothing": (None, HTTP_ERROR, "error"),
    "answers a text for a boolean": (simple("true"), HTTP_ERROR, "error"),
    "answers a policy": (policy(), HTTP_ERROR, "error"),
}


@pytest.mark.parametrize("case", HTTP_TABLE)
def test_an_http_api_answers_as_the_table_says(gateway: Running, server: Backend, case: str) -> None:
    answer, expected, decision = HTTP_TABLE[case]
    api = http(gateway, server, "2.0")
    api.answers(answer)

    assert api.said() == expected
    assert [(entry["cached"], entry["decision"]) for entry in api.log()] == [(False, decision)]
    assert len(server.requests) == (decision == "allow")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (policy(), (200, b"ok", None)),
        (policy("Deny"), HTTP_FORBIDDEN),
        (policy(resource="nothing"), HTTP_FORBIDDEN),
        (simple(), HTTP_ERROR),
    ],
)
@pytest.mark.parametrize("payload", ["1.0", "2.0"])
def test_an_http_api_without_simple_responses_wants_a_policy(
    gateway: Running, server: Backend, payload: str, answer: Any, expected: Any
) -> None:
    api = guarded_http(gateway, f"{server.url}/", payload=payload, simple_responses=False)
    api.answers(answer)

    assert api.said() == expected


@pytest.mark.parametrize("kind", ["TOKEN", "REQUEST"])
@pytest.mark.parametrize("token", [None, ""])
def test_without_its_identity_source_a_request_is_unauthorized_and_the_function_not_called(
    gateway: Running, server: Backend, kind: str, token: str | None
) -> None:
    rest, web = guarded_rest(gateway, f"{server.url}/", kind=kind), http(gateway, server, "2.0")
    rest.answers(policy())

    assert rest.said(token=token) == web.said(token=token) == UNAUTHORIZED
    assert (rest.events, server.requests) == ([], [])
    for api in (rest, web):
        (entry,) = api.log()
        assert (entry["decision"], entry["cached"], entry["event"]) == ("unauthorized", False, None)


EXPRESSION = "/identityValidationExpression"


def change_authorizer(guard: Guard, path: str, value: str) -> None:
    """A patch of the authorizer, deployed to prod."""
    operations = [{"op": "replace", "path": path, "value": value}]
    place = {"restApiId": guard.api, "authorizerId": guard.authorizer}
    guard.gateway.perform("UpdateAuthorizer", **place, patchOperations=operations)
    guard.gateway.perform("CreateDeployment", restApiId=guard.api, stageName="prod")


@pytest.mark.parametrize("ttl", [0, 300])
def test_token_that_does_not_match_the_expression_is_unauthorized_and_the_function_not_called(
    gateway: Running, server: Backend, ttl: int
) -> None:
    rest = guarded_rest(gateway, f"{server.url}/", kind="TOKEN", ttl=ttl)
    rest.answers(policy())
    change_authorizer(rest, EXPRESSION, "Bearer [a-z]+")

    for token in ("Bearer 1", "Bearer abc1", "x Bearer abc"):
        assert rest.said(token=token) == UNAUTHORIZED
    assert (rest.events, server.requests) == ([], [])
    assert rest.said(token="Bearer abc")[0] == 200
    assert [entry["decision"] for entry in rest.log()] == [*["unauthorized"] * 3, "allow"]
    assert rest.log()[0]["error"] == "the token does not match identityValidationExpression"


def test_expression_counts_for_tokens_alone_and_until_it_is_emptied(gateway: Running, server: Backend) -> None:
    rest, token = guarded_rest(gateway, f"{server.url}/"), guarded_rest(gateway, f"{server.url}/", kind="TOKEN")
    for one in (rest, token):
        one.answers(policy())
        change_authorizer(one, EXPRESSION, "never")

    assert (rest.said()[0], token.said()[0]) == (200, 401)
    change_authorizer(token, EXPRESSION, "")
    assert token.said()[0] == 200


def test_every_identity_source_must_be_there(gateway: Running, server: Backend) -> None:
    source = "method.request.header.A, method.request.querystring.b,context.httpMethod,stageVariables.c"
    rest = guarded_rest(gateway, f"{server.url}/", source=source)
    rest.answers(policy())
    variable = {"op": "replace", "path": "/variables/c", "value": "blue"}

    assert rest.said("/pets?b=1", A="x") == UNAUTHORIZED
    gateway.perform("UpdateStage", restApiId=rest.api, stageName="prod", patchOperations=[variable])
    assert rest.said("/pets?b=1") == UNAUTHORIZED
    assert rest.said("/pets?b=", A="x") == UNAUTHORIZED
    assert rest.said("/pets?b=1", A="x")[0] == 200
    assert len(rest.events) == 1


def test_a_function_that_nobody_bound_is_an_error(gateway: Running, server: Backend) -> None:
    rest, web = guarded_rest(gateway, f"{server.url}/"), http(gateway, server, "2.0")
    gateway.gateway.functions.pop("f", None)

    assert (rest.said(), web.said()) == (ERROR, HTTP_ERROR)
    assert server.requests == []
    (entry,) = rest.log()
    assert (entry["function"], entry["decision"]) == ("f", "error")
    assert entry["error"] == "function (f): expected one that is bound to this name, saw none"


@pytest.mark.parametrize("name", ["f:live", "f:$LATEST", "${stageVariables.which}"])
def test_aliases_and_stage_variables_in_the_function_s_arn(gateway: Running, server: Backend, name: str) -> None:
    rest = guarded_rest(gateway, f"{server.url}/", uri=uri_of(name))
    variable = {"op": "replace", "path": "/variables/which", "value": "f"}
    gateway.perform("UpdateStage", restApiId=rest.api, stageName="prod", patchOperations=[variable])
    rest.answers(lambda event, context: policy(context={"arn": context.invoked_function_arn}))

    assert rest.said()[0] == 200
    assert rest.log()[0]["function"] == "f"


# --- events


def test_the_event_of_a_rest_api(rest: Guard) -> None:
    rest.answers(policy())
    got = rest.get("/pets/7?a=1&a=2", **{"X-Mine": "yes", "User-Agent": "test"})

    (event,) = rest.events
    assert event["methodArn"] == f"{ARN}:{rest.api}/prod/GET/pets/7"
    assert (event["type"], event["resource"], event["path"]) == ("REQUEST", "/{proxy+}", "/pets/7")
    assert event["headers"]["X-Mine"] == "yes"
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["pathParameters"] == {"proxy": "pets/7"}
    context = event["requestContext"]
    assert (context["requestId"], context["stage"]) == (got["x-amzn-RequestId"], "prod")
    assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "test", "apiKey": None}


def test_a_token_event_has_three_keys(gateway: Running, server: Backend) -> None:
    rest = guarded_rest(gateway, f"{server.url}/", kind="TOKEN", source=None)
    rest.answers(policy())

    assert rest.said(token="Bearer abc")[0] == 200
    arn = f"{ARN}:{rest.api}/prod/GET/pets"
    assert rest.events == [{"type": "TOKEN", "authorizationToken": "Bearer abc", "methodArn": arn}]


def test_the_events_of_an_http_api(gateway: Running, server: Backend) -> None:
    old = http(gateway, server, "1.0", sources=("$request.header.Authorization", "$request.querystring.q"))
    old.answers(policy())
    assert old.said("/pets?q=7", token="user1")[0] == 200
    new = http(gateway, server, "2.0", sources=("$request.header.Authorization", "$request.querystring.q"))
    new.answers(simple())
    assert new.said("/pets?q=7", token="user1", Cookie="a=1; b=2")[0] == 200

    (one,), (two,) = old.events, new.events
    assert (one["version"], one["identitySource"], one["authorizationToken"]) == ("1.0", "user1,7", "user1,7")
    assert (one["methodArn"], one["resource"]) == (f"{ARN}:{old.api}/prod/GET/pets", "/{proxy+}")
    assert (two["version"], two["identitySource"], two["cookies"]) == ("2.0", ["user1", "7"], ["a=1", "b=2"])
    assert (two["routeArn"], two["routeKey"]) == (f"{ARN}:{new.api}/prod/GET/pets", "GET /{proxy+}")
    assert (two["rawPath"], two["rawQueryString"]) == ("/prod/pets", "q=7")
    assert two["requestContext"]["authentication"] == {}


def test_a_function_cannot_change_what_the_log_tells(rest: Guard) -> None:
    def forge(event: dict[str, Any], context: Any) -> Any:
        event.clear()
        return policy()

    rest.answers(forge)

    assert rest.said()[0] == 200
    assert rest.log()[0]["event"]["type"] == "REQUEST"


# --- what the backend is told


def test_the_context_is_mapped_into_the_backend_s_headers(gateway: Running, server: Backend) -> None:
    mapped = {
        f"integration.request.header.X-{name}": f"context.authorizer.{name}"
        for name in ("text", "number", "yes", "principalId", "absent")
    }
    rest = guarded_rest(gateway, f"{server.url}/", requestParameters=mapped)
    rest.answers(policy(context={"text": "a\r\nX-Forged: 1", "number": 7, "yes": True}))

    assert rest.said(**{"X-text": "the caller's"})[0] == 200
    told = {name: server.header(f"X-{name}") for name in ("text", "number", "yes", "principalId", "absent", "Forged")}
    assert told == {"text": ["a  X-Forged: 1"], "number": ["7"], "yes": ["true"], "principalId": ["me"]} | {
        "absent": [],
        "Forged": [],
    }


def test_an_http_api_maps_the_context_too(gateway: Running, server: Backend) -> None:
    api = http(gateway, server, "2.0", mapped={"overwrite:header.X-Who": "$context.authorizer.who"})
    api.answers(simple(context={"who": "ä"}))

    assert api.said()[0] == 200
    assert server.header("X-Who") == ["ä"]
