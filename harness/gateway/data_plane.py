"""A caller's request to a default endpoint, from its route to its answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from aiohttp import web

from . import answers
from .answers import Fixed, Header, Refused, Reply, apigw_id
from .authorizer import Authorizers
from .authorizer_event import ClientCert, flattened
from .context import Context, on_demand
from .egress import BodyError
from .execution_log import ExecutionLog
from .ids import new_request_id, new_trace_id
from .incoming import PATIENCE, Body, CallerGone, open_body
from .invocation import Invocation, Invoker, Result, Streamed
from .mapping import Call
from .model import HttpApi, HttpStage
from .routing import Address, Route, Router
from .state import State

__all__ = ["DataPlane"]

_TRACE = re.compile(r"(?:^|;)\s*Root=1-[0-9a-f]{8}-[0-9a-f]{24}(?:;|$)", re.IGNORECASE)


_UNREAD = (answers.STALLED, answers.TOO_LARGE, answers.TOO_LARGE_FOR_HTTP_API, answers.BAD_REQUEST)
"""Answers to a body that was not read to its end."""


class DataPlane:
    """Serves the APIs in *state*; *authorizers* say whom to let in, *invoker* carries out the integrations."""

    def __init__(self, state: State, invoker: Invoker, authorizers: Authorizers, *, patience: float = PATIENCE) -> None:
        self._state, self._invoker, self._authorizers, self._patience = state, invoker, authorizers, patience
        self._router = Router(state)

    def forget(self) -> None:
        """The state was reset."""
        self._router.forget()
        self._authorizers.forget()

    async def answer(
        self,
        request: web.BaseRequest,
        address: Address,
        query: str,
        *,
        request_id: str | None = None,
        client_cert: ClientCert | None = None,
    ) -> Reply:
        """The answer to *request*, which is for *address* with a raw *query*; a streamed one is sent when this returns.

        *client_cert* is the caller's certificate where a custom domain has verified one.
        """
        request_id, extended, trace = request_id or new_request_id(), apigw_id(), _trace(request, self._state)
        api = None
        try:
            route = self._router.route(address, request.method)
            api = route.api
            make_context = partial(self._context, request, route, request_id, extended, client_cert)
            call = _call(request, route, query, on_demand(make_context))
            call = await self._authorize(route, call, make_context, client_cert)
            too_large = answers.TOO_LARGE if route.is_rest else answers.TOO_LARGE_FOR_HTTP_API
            body = await open_body(request, too_large=too_large, patience=self._patience)
            invocation = self._invocation(request, route, call, body, request_id, trace)
            result = await self._invoker.invoke(invocation)
        except Refused as refused:
            rest = not isinstance(refused.api or api, HttpApi)
            return _refusal(refused.answer, _identity(request_id, extended if rest else None, trace))
        except CallerGone:
            return Reply(400, (), close=True)
        return await _reply(request, result, _identity(request_id, extended if route.is_rest else None, trace))

    def forbidden(self, request_id: str | None = None) -> Reply:
        """The answer to a request that names no API at all, or that is kept out before any."""
        trace = new_trace_id(self._state.now().timestamp())
        return _refusal(answers.FORBIDDEN, _identity(request_id or new_request_id(), apigw_id(), trace))

    # --- before the integration

    async def _authorize(
        self, route: Route, call: Call, make_context: Callable[[], Context], client_cert: ClientCert | None
    ) -> Call:
        """The *call* with what an authorizer adds to its context. Raises Refused for whom the method does not let in."""
        kind = route.endpoint.authorization_type
        if kind == "NONE":
            return call
        if kind == "AWS_IAM":
            signed = [value for name, value in call.headers if name.lower() == "authorization"]
            if not signed or not signed[0].startswith("AWS4-HMAC-SHA256 "):
                raise Refused(answers.NO_ROUTE if route.is_rest else answers.FORBIDDEN_BY_HTTP_API, route.api)
            return call
        if kind != "CUSTOM":  # nobody is let in by an authorizer that cannot be asked
            raise Refused(answers.NO_AUTHORIZER if route.is_rest else answers.NO_HTTP_AUTHORIZER, route.api)
        context = make_context()
        added = await self._authorizers.judge(route, replace(call, context=context), context, client_cert)
        return replace(call, context=replace(context, authorizer=added))

    def _invocation(
        self,
        request: web.BaseRequest,
        route: Route,
        call: Call,
        body: tuple[Body, int | None],
        request_id: str,
        trace: str,
    ) -> Invocation:
        api, stage, endpoint = route.api, route.stage, route.endpoint
        return Invocation(
            request_id=request_id,
            api_id=api.id,
            stage=stage.name,
            is_rest=route.is_rest,
            resource_path=endpoint.resource_path,
            plan=endpoint.plan,
            call=call,
            credential=None if isinstance(stage, HttpStage) else self._state.credential(route.certificate),
            presented_as=route.certificate,
            body=body[0],
            length=body[1],
            added=_forwarded(api.id, call.headers, request.remote or "", trace),
        )

    def _context(
        self, request: web.BaseRequest, route: Route, request_id: str, extended: str, client_cert: ClientCert | None
    ) -> Context:
        return Context(
            account_id=self._state.account_id,
            api_id=route.api.id,
            stage=route.stage.name,
            request_id=request_id,
            extended_request_id=extended,
            moment=self._state.now(),
            http_method=request.method,
            path=route.caller_path,
            resource_id=route.endpoint.resource_id,
            resource_path=route.endpoint.resource_path,
            domain_name=request.headers.get("Host", "").partition(":")[0],
            source_ip=request.remote or "",
            user_agent=request.headers.get("User-Agent", ""),
            deployment_id=route.stage.deployment_id,
            route_key=None if route.is_rest else route.endpoint.route_key,
            client_cert={} if client_cert is None else flattened(client_cert.as_json(self._state.settings)),
        )


def _call(request: web.BaseRequest, route: Route, query: str, context: Callable[[str], str | None]) -> Call:
    headers = [
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in request.raw_headers
    ]
    return Call(request.method, route.path, query, headers, route.parameters, route.stage.variables, context)


# --- headers of the gateway's own


def _trace(request: web.BaseRequest, state: State) -> str:
    """The caller's trace if it has a root, else a new one."""
    given = request.headers.get("X-Amzn-Trace-Id")
    if given is not None and _TRACE.search(given):
        return given
    return new_trace_id(state.now().timestamp())


def _identity(request_id: str, extended: str | None, trace: str) -> list[Header]:
    """What every answer bears."""
    headers = [("x-amzn-RequestId", request_id)]
    if extended is not None:
        headers.append(("x-amz-apigw-id", extended))
    headers.append(("X-Amzn-Trace-Id", trace))
    return headers


def _forwarded(api_id: str, headers: Sequence[Header], peer: str, trace: str) -> list[Header]:
    """What every backend is told."""
    before = [value for name, value in headers if name.lower() == "x-forwarded-for"]
    return [
        ("x-amzn-apigateway-api-id", api_id),
        ("X-Forwarded-For", ", ".join([*before, peer])),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
        ("X-Amzn-Trace-Id", trace),
    ]


# --- the answer


def _refusal(answer: Fixed, identity: list[Header]) -> Reply:
    close = answer in _UNREAD
    return Reply(answer.status, [*answer.headers, *identity], answer.body, close=close)


async def _reply(request: web.BaseRequest, result: Result, identity: list[Header]) -> Reply:
    headers = [*result.headers, *identity]
    if isinstance(result.body, bytes):
        if request.method == "HEAD":
            length = len(result.body) if result.body else result.length
            return Reply(result.status, headers, None, reason=result.reason, length=length)
        return Reply(result.status, headers, result.body, reason=result.reason)
    reply = Reply(result.status, headers, None, reason=result.reason, length=result.body.length)
    await _stream(request, reply, result.body, result.log)
    return reply


async def _stream(request: web.BaseRequest, reply: Reply, body: Streamed, log: ExecutionLog) -> None:
    """Pass the backend's body on piece by piece, at the caller's pace."""
    try:
        await reply.prepare(request)
        await reply.write(body.first)
        async for piece in body.rest:
            await reply.write(piece)
        await reply.write_eof()
    except BodyError as error:
        body.entry["outcome"] = error.failure.outcome
        log.fail(error.failure.line, None)
        body.entry["execution_log"] = log.lines
        reply.break_off()
    except BaseException:
        reply.break_off()
        raise
    finally:
        body.rest.close()
