"""Functions: callables and URLs, those that hang or answer nonsense, and how the program gets them."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_mtls import MockGateway
from pytest_mtls.harness.errors import UsageError
from pytest_mtls.harness.gateway import foreground, functions
from pytest_mtls.harness.gateway.functions import FunctionContext

from ..runs import Runs
from .guarded import ERROR, UNAUTHORIZED, FunctionServer, Guard, function_server, guarded_http, policy, simple
from .running import Backend, Running
from .test_gateway_process import Process

SHORT = 0.3
"""Seconds that a function may take where it takes longer."""


@pytest.fixture
def remote() -> Iterator[FunctionServer]:
    """A function behind a URL."""
    with function_server() as one:
        yield one


# --- callables


def test_a_callable_gets_lambda_s_context(rest: Guard) -> None:
    seen: list[FunctionContext] = []

    def function(event: Any, context: FunctionContext) -> Any:
        seen.append(context)
        assert 0 < context.get_remaining_time_in_millis() <= 10_000
        return policy()

    rest.answers(function)
    got = rest.get()

    assert got.status == 200
    (context,) = seen
    assert (context.function_name, context.aws_request_id) == ("f", got["x-amzn-RequestId"])
    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:123456789012:function:f"


def test_an_async_function_is_awaited(rest: Guard) -> None:
    async def function(event: Any, context: Any) -> Any:
        await asyncio.sleep(0)
        return policy()

    rest.bind(function)

    assert rest.said()[0] == 200


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_function_that_hangs_is_given_up_and_the_gateway_goes_on(
    gateway: Running, rest: Guard, server: Backend, monkeypatch: pytest.MonkeyPatch, asynchronous: bool
) -> None:
    released, entered = threading.Event(), threading.Event()

    def hang(event: Any, context: Any) -> Any:
        entered.set()
        released.wait(20)

    async def block(event: Any, context: Any) -> Any:
        hang(event, context)

    monkeypatch.setattr(gateway.gateway.function_calls, "limit", SHORT)
    rest.bind(block if asynchronous else hang)
    try:
        assert rest.said() == ERROR
        assert entered.is_set()
        assert gateway.manage("GET", "health").status == 200
        (entry,) = rest.log()
    finally:
        released.set()
    assert (entry["decision"], entry["error"]) == ("error", "function (f): no answer within 0.3 s")
    rest.answers(policy())
    assert rest.said()[0] == 200
    assert len(server.requests) == 1


def test_an_error_that_cannot_be_told_is_an_error_too(rest: Guard) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise self

    rest.answers(Mute())

    assert rest.said() == ERROR
    assert rest.log()[0]["error"] == "Mute"


def test_a_waiting_function_holds_up_nobody_else(gateway: Running, rest: Guard, server: Backend) -> None:
    """The function itself asks the gateway for something, and would wait for ever if it blocked the loop."""

    def ask(event: Any, context: Any) -> Any:
        return policy() if gateway.manage("GET", "health").status == 200 else None

    rest.bind(ask)

    assert rest.said()[0] == 200


def test_ten_seconds_are_the_limit() -> None:
    assert functions.LIMIT == 10.0


# --- URLs


def test_a_url_is_posted_the_event(rest: Guard, remote: FunctionServer, gateway: Running) -> None:
    remote.answer = lambda body: (200, json.dumps(policy()).encode())
    assert gateway.manage("PUT", "functions/f", {"url": remote.url}).status == 200

    assert rest.said()[0] == 200
    ((method, content_type, body),) = remote.requests
    assert (method, content_type) == ("POST", "application/json")
    assert json.loads(body) == rest.log()[0]["event"]


def test_an_http_api_asks_a_url_too(gateway: Running, server: Backend, remote: FunctionServer) -> None:
    web = guarded_http(gateway, f"{server.url}/")
    remote.answer = lambda body: (200, json.dumps(simple(json.loads(body)["version"] == "2.0")).encode())
    gateway.manage("PUT", "functions/f", {"url": remote.url})

    assert web.said()[0] == 200


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        ((200, b'{"errorMessage": "Unauthorized", "errorType": "Exception"}'), UNAUTHORIZED, "Unauthorized"),
        ((500, b'{"errorMessage": "Unauthorized"}'), UNAUTHORIZED, "Unauthorized"),
        ((200, b'{"errorMessage": "no such\\nclient"}'), ERROR, "no such client"),
        ((500, json.dumps(policy()).encode()), ERROR, "expected status 200, saw 500"),
        ((302, json.dumps(policy()).encode()), ERROR, "expected status 200, saw 302"),
        ((403, b"<html>"), ERROR, "expected status 200, saw 403"),
        ((200, b"<html>"), ERROR, "expected JSON, saw something else"),
        ((200, b""), ERROR, "expected JSON, saw something else"),
        ((200, b"[" * 100_000), ERROR, "expected JSON, saw something else"),
        ((200, b"\xff"), ERROR, "expected JSON, saw something else"),
        ((200, b"null"), ERROR, "answer: expected an object"),
        ((200, b" " * 6_500_000), ERROR, "an answer of more than 6291456 octets"),
    ],
)
def test_what_a_url_answers_otherwise(
    gateway: Running, rest: Guard, remote: FunctionServer, answer: tuple[int, bytes], expected: Any, said: str
) -> None:
    remote.answer = lambda body: answer
    gateway.manage("PUT", "functions/f", {"url": remote.url})

    assert rest.said() == expected
    assert rest.log()[0]["error"].endswith(said)
    assert len(remote.requests) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://nobody.invalid/"])
def test_a_url_where_nobody_answers_is_an_error(gateway: Running, rest: Guard, url: str) -> None:
    gateway.manage("PUT", "functions/f", {"url": url})

    assert rest.said() == ERROR
    assert rest.log()[0]["error"].startswith(url)


def test_a_silent_url_is_given_up(
    gateway: Running, rest: Guard, remote: FunctionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(body: bytes) -> tuple[int, bytes]:
        released.wait(20)
        return 200, b"null"

    remote.answer = hang
    gateway.manage("PUT", "functions/f", {"url": remote.url})
    monkeypatch.setattr(gateway.gateway.function_calls, "limit", SHORT)
    try:
        assert rest.said() == ERROR
    finally:
        released.set()
    assert rest.log()[0]["error"] == "function (f): no answer within 0.3 s"


# --- the program


MODULE = """\
import sys

print("imported")


def allow(event, context):
    print("asked for", event["methodArn"])
    return {
        "principalId": "me",
        "policyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": event["methodArn"]}]},
    }


def leave(event, context):
    sys.exit(3)


table = {}
"""


def test_the_program_calls_a_function_of_the_working_directory(runs: Runs) -> None:
    (runs.folder / "authorizers.py").write_text(MODULE)
    process = Process(runs, "--function", "f=authorizers:allow", "--function", "g=authorizers:leave", "-v")
    created = json.loads(process.call("POST", "/restapis", {"name": "test"})[1])
    root = f"/restapis/{created['id']}"
    statuses: list[int] = []
    for name in ("f", "g", "f"):
        uri = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
        authorizer = {
            "name": f"{name}{len(statuses)}",
            "type": "REQUEST",
            "authorizerUri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{uri}/invocations",
            "authorizerResultTtlInSeconds": 0,
        }
        made = json.loads(process.call("POST", f"{root}/authorizers", authorizer)[1])
        part = {"pathPart": f"p{len(statuses)}"}
        resource = json.loads(process.call("POST", f"{root}/resources/{created['rootResourceId']}", part)[1])
        place = f"{root}/resources/{resource['id']}/methods/GET"
        process.call("PUT", place, {"authorizationType": "CUSTOM", "authorizerId": made["id"]})
        template = {"application/json": '{"statusCode": 200}'}
        process.call("PUT", f"{place}/integration", {"type": "MOCK", "requestTemplates": template})
        process.call("PUT", f"{place}/integration/responses/200", {})
        process.call("POST", f"{root}/deployments", {"stageName": "prod"})
        path = f"/_aws/execute-api/{created['id']}/prod/{part['pathPart']}"
        statuses.append(process.call("GET", path)[0])
    run = process.end()

    assert statuses == [200, 500, 200]
    assert (run.code, run.out) == (0, "")
    assert "imported" in run.err
    assert run.err.count("asked for arn:aws:execute-api:") == 2
    assert "authorizer api_id=" in run.err


def test_a_function_that_cannot_be_imported_ends_the_program_with_2(runs: Runs) -> None:
    run = runs.end(runs.start("gateway", "--function", "f=nowhere:allow"), within=20)

    assert (run.code, run.out) == (2, "")
    assert "--function (f=nowhere:allow): expected a module that can be imported, saw ModuleNotFoundError" in run.err
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    ("target", "saw"),
    [
        ("broken_a:f", "expected a module that can be imported, saw ZeroDivisionError: division by zero"),
        ("broken_b:f", "expected a module that can be imported, saw SystemExit: 4"),
        ("broken_c:f", "expected a module that can be imported, saw SyntaxError"),
        ("whole:alow", "expected a function alow in whole, saw none"),
        ("whole:table", "expected a function table in whole, saw dict"),
        ("whole.inner:f", "expected a module that can be imported, saw ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_called_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, saw: str
) -> None:
    sources = {"broken_a": "1 / 0", "broken_b": "raise SystemExit(4)", "broken_c": "def", "whole": MODULE}
    for name, text in sources.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in sources:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(UsageError) as refused:
        foreground.parse({"function": [f"f={target}"]})

    assert str(refused.value).startswith(f"--function (f={target}): {saw}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("word", ["f", "f=", "=a:b", "f=a", "f=a:b:c", "f=http://", "f=ftp://x", "f g=a:b", "f=a b:c"])
def test_words_that_are_no_binding(word: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=module:function or NAME=http"):
        foreground.parse({"function": [word]})


# --- in a test suite


def test_the_fixture_binds_a_function(mtls_gateway: MockGateway) -> None:
    uri = mtls_gateway.function("judge", lambda event, context: policy())
    name = mtls_gateway.perform("CreateRestApi", name="x")
    member = {"type": "REQUEST", "identitySource": "method.request.header.A", "authorizerUri": uri}
    created = mtls_gateway.perform("CreateAuthorizer", restApiId=name["id"], name="a", **member)
    place = {"restApiId": name["id"], "resourceId": name["rootResourceId"], "httpMethod": "GET"}
    mtls_gateway.perform("PutMethod", **place, authorizationType="CUSTOM", authorizerId=created["id"])
    template = {"application/json": '{"statusCode": 200}'}
    mtls_gateway.perform("PutIntegration", **place, type="MOCK", requestTemplates=template)
    mtls_gateway.perform("PutIntegrationResponse", **place, statusCode="200")
    mtls_gateway.perform("CreateDeployment", restApiId=name["id"], stageName="prod")

    import httpx

    url = f"{mtls_gateway.endpoint}/_aws/execute-api/{name['id']}/prod"
    statuses = [httpx.get(url, headers={"A": value}, trust_env=False).status_code for value in ("x", "x", "")]

    assert statuses == [200, 200, 401]
    assert [entry["cached"] for entry in mtls_gateway.log.authorizers()] == [False, True, False]
