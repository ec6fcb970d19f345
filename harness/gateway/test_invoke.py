"""TestInvokeMethod: a method of the API as it is now, without stage and deployment, with the certificate of the call."""

from __future__ import annotations

from typing import Any

from .answers import Header, Refused
from .context import Context
from .ids import new_trace_id
from .invocation import Invocation, Invoker
from .mapping import Call, rest_plan
from .model import TestInvoke
from .routing import Tree
from .state import State

__all__ = ["carry_out"]

_STAGE, _SOURCE = "test-invoke-stage", "test-invoke-source-ip"
"""What AWS has in ``context`` then."""


async def carry_out(test: TestInvoke, request_id: str, state: State, invoker: Invoker) -> dict[str, Any]:
    """The members of TestInvokeMethod's answer; what goes wrong behind the gateway stands in ``status`` and ``log``."""
    path, _, query = (test.path_with_query_string or test.resource.path).partition("?")
    path = path if path.startswith("/") else f"/{path}"
    headers = _headers(test)
    given = {name.lower(): value for name, value in headers}
    context = Context(
        account_id=state.account_id,
        api_id=test.api.id,
        stage=_STAGE,
        request_id=request_id,
        extended_request_id=request_id,
        moment=state.now(),
        http_method=test.http_method,
        path=path,
        resource_id=test.resource.id,
        resource_path=test.resource.path,
        domain_name="testPrefix.testDomainName",
        source_ip=_SOURCE,
        user_agent=given.get("user-agent", ""),
    )
    integration = test.method.integration
    invocation = Invocation(
        request_id=request_id,
        api_id=test.api.id,
        stage=None,
        is_rest=True,
        resource_path=test.resource.path,
        plan=None if integration is None else rest_plan(integration),
        call=Call(test.http_method, path, query, headers, _parameters(test, path), test.stage_variables, context),
        credential=state.credential(test.client_certificate),
        presented_as=test.client_certificate,
        body=test.body.encode("utf-8", "surrogatepass") if test.body else None,
        added=[
            ("x-amzn-apigateway-api-id", test.api.id),
            ("X-Amzn-Trace-Id", new_trace_id(state.now().timestamp())),
        ],
        fresh=True,
        whole=True,
        clock=state.now,
    )
    try:
        result = await invoker.invoke(invocation)
    except Refused as refused:
        return _answer(refused.answer.status, refused.answer.headers, refused.answer.body, "", 0.0)
    body = result.body if isinstance(result.body, bytes) else result.body.first
    return _answer(result.status, result.headers, body, result.log.text(request_id), result.latency_ms)


def _headers(test: TestInvoke) -> list[Header]:
    """All values of ``multiValueHeaders``, and of ``headers`` what is not among them."""
    many = {name.lower() for name in test.multi_value_headers}
    single = [(name, value) for name, value in test.headers.items() if name.lower() not in many]
    return single + [(name, value) for name, values in test.multi_value_headers.items() for value in values]


def _parameters(test: TestInvoke, path: str) -> dict[str, str]:
    tree: Tree[bool] = Tree()
    tree.add(test.resource.path, "ANY", True)
    found = tree.find(test.http_method, path)
    return {} if found is None else found[1]


def _answer(status: int, headers: list[Header], body: bytes, log: str, latency_ms: float) -> dict[str, Any]:
    if any(name == "x-amzn-ErrorType" for name, _ in headers):  # AWS shows this header alone (facts, 1.5)
        headers = [(name, value) for name, value in headers if name == "x-amzn-ErrorType"]
    many: dict[str, list[str]] = {}
    for name, value in headers:
        many.setdefault(name, []).append(value)
    return {
        "status": status,
        "body": body.decode("utf-8", "replace"),
        "headers": {name: values[-1] for name, values in many.items()},
        "multiValueHeaders": many,
        "log": log,
        "latency": round(latency_ms),
    }
