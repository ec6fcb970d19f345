"""Asking an authorizer whether a request may go on: identity sources, the cache, the function, the log.

The cache is AWS's, with its trap: it goes by the identity sources' values and never looks at the client's certificate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from . import answers
from .answers import Fixed, Refused
from .authorizer_answer import MalformedAnswer, Verdict, read_answer
from .authorizer_event import Asked, ClientCert, http_event, request_event, token_event
from .context import Context
from .functions import FunctionFailed, Functions, function_name
from .log import Log
from .mapping import Call, source
from .model import Authorizer, HttpAuthorizer
from .patterns import fits
from .policy_document import Judgement
from .routing import Route
from .state import State

__all__ = ["Authorizers"]

_Decision = Literal["allow", "deny", "unauthorized", "error"]
_MOST_KEPT = 10_000
_source = lru_cache(maxsize=1_000)(source)

_REST: Mapping[str, Fixed] = {
    "deny": answers.DENIED,
    "explicit-deny": answers.DENIED_EXPLICITLY,
    "unauthorized": answers.UNAUTHORIZED,
    "error": answers.NO_AUTHORIZER,
}
_HTTP: Mapping[str, Fixed] = {
    "deny": answers.FORBIDDEN_BY_HTTP_API,
    "explicit-deny": answers.FORBIDDEN_BY_HTTP_API,
    "unauthorized": answers.UNAUTHORIZED,
    "error": answers.NO_HTTP_AUTHORIZER,
}

_Key = tuple[str, str, str, tuple[str, ...]]
"""API, stage, authorizer, identity sources' values: per stage and authorizer, not by certificate."""


@dataclass(frozen=True, slots=True)
class _Kept:
    authorizer: Authorizer | HttpAuthorizer
    verdict: Verdict
    since: datetime


@dataclass(slots=True)
class _Outcome:
    """What the log tells, filled in as it becomes known."""

    result: Judgement | Literal["unauthorized", "error"] = "error"
    function: str | None = None
    cached: bool = False
    event: Callable[[], Mapping[str, Any]] | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def decision(self) -> _Decision:
        return "deny" if self.result == "explicit-deny" else self.result


class Authorizers:
    """Asks the authorizers of the APIs in *state* by calling *functions*; each request asked about is in the *log*."""

    def __init__(self, state: State, log: Log, functions: Functions) -> None:
        self._state, self._log, self._functions = state, log, functions
        self._kept: dict[_Key, _Kept] = {}

    def forget(self) -> None:
        """The state was reset."""
        self._kept.clear()

    async def judge(
        self, route: Route, call: Call, context: Context, client_cert: ClientCert | None = None
    ) -> Mapping[str, str]:
        """The values of ``context.authorizer`` for a *call* that *route*'s authorizer lets in. Raises Refused."""
        asked = Asked(
            region=self._state.region,
            endpoint=route.endpoint,
            call=call,
            context=context,
            client_cert=None if client_cert is None else client_cert.as_json(self._state.settings),
        )
        outcome, started = _Outcome(), time.perf_counter()
        try:
            await self._judge(route, asked, outcome)
        except FunctionFailed as error:
            outcome.result = "unauthorized" if error.unauthorized else "error"
            outcome.error = str(error)
        except MalformedAnswer as error:
            outcome.error = str(error)
        self._note(route, asked, outcome, time.perf_counter() - started)
        if outcome.result != "allow":
            raise Refused((_REST if route.is_rest else _HTTP)[outcome.result], route.api)
        return outcome.context

    async def _judge(self, route: Route, asked: Asked, outcome: _Outcome) -> None:
        authorizer = route.authorizers.get(route.endpoint.authorizer_id or "")
        named = None if authorizer is None else function_name(authorizer.uri, asked.call.variables)
        if authorizer is None or named is None:
            outcome.error = "expected an authorizer that names a function, saw none"
            return
        outcome.function, arn = named
        identity = _identity(authorizer, asked.call)
        if not all(identity):
            outcome.result, outcome.error = "unauthorized", "an identity source is missing or empty"
            return
        if not _is_valid(authorizer, identity):
            outcome.result, outcome.error = "unauthorized", "the token does not match identityValidationExpression"
            return
        outcome.event = _event(authorizer, asked, identity)
        key = asked.context.api_id, str(asked.context.stage), authorizer.id, identity
        verdict = self._found(key, authorizer)
        outcome.cached = verdict is not None
        if verdict is None:
            answer = await self._functions.call(outcome.function, arn, outcome.event(), asked.context.request_id)
            simple = isinstance(authorizer, HttpAuthorizer) and authorizer.simple_responses
            verdict = read_answer(answer, simple=simple, flat=route.is_rest)
            self._keep(key, authorizer, verdict)
        outcome.result, outcome.context = verdict.judge(asked.arn), verdict.context

    # --- the cache

    def _found(self, key: _Key, authorizer: Authorizer | HttpAuthorizer) -> Verdict | None:
        """What was answered for these identity sources, while its time lasts by the gateway's clock."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        age = self._state.now() - kept.since
        if kept.authorizer == authorizer and timedelta() <= age < timedelta(seconds=authorizer.ttl_seconds):
            return kept.verdict
        del self._kept[key]
        return None

    def _keep(self, key: _Key, authorizer: Authorizer | HttpAuthorizer, verdict: Verdict) -> None:
        if not authorizer.ttl_seconds or not key[-1]:  # without identity sources nothing tells one caller from another
            return
        if len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(authorizer, verdict, self._state.now())

    # --- the log

    def _note(self, route: Route, asked: Asked, outcome: _Outcome, seconds: float) -> None:
        self._log.add(
            "authorizer",
            asked.context.request_id,
            api_id=route.api.id,
            stage=route.stage.name,
            function=outcome.function,
            cached=outcome.cached,
            decision=outcome.decision,
            event=outcome.event,
            latency_ms=round(seconds * 1000, 3),
            error=outcome.error,
        )


def _identity(authorizer: Authorizer | HttpAuthorizer, call: Call) -> tuple[str, ...]:
    """The identity sources' values, empty for what is not there."""
    sources = authorizer.identity_source or ()
    if isinstance(sources, str):
        sources = tuple(one.strip() for one in sources.split(",") if one.strip())
    return tuple(",".join(_source(one.removeprefix("$"))(call)) for one in sources)


def _is_valid(authorizer: Authorizer | HttpAuthorizer, identity: tuple[str, ...]) -> bool:
    """Whether the token matches the authorizer's expression, which counts for the type TOKEN alone."""
    if not isinstance(authorizer, Authorizer) or authorizer.type != "TOKEN":
        return True
    expression = authorizer.validation_expression
    return not expression or fits(expression, ",".join(identity))


def _event(
    authorizer: Authorizer | HttpAuthorizer, asked: Asked, identity: tuple[str, ...]
) -> Callable[[], Mapping[str, Any]]:
    """What makes the event, anew each time: a function may change the one that it is given."""
    if isinstance(authorizer, Authorizer):
        if authorizer.type == "TOKEN":
            return lambda: token_event(asked, ",".join(identity))
        return lambda: request_event(asked)
    if authorizer.payload_format == "1.0":
        return lambda: request_event(asked, identity)
    return lambda: http_event(asked, identity)
