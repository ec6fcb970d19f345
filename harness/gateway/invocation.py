"""Carrying out an integration: mapping, egress, the table of failures, the entries of the log.

For a caller's request and for TestInvokeMethod alike; what comes out still has to be told to whoever asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..clock import Clock
from ..pki.credential import Credential
from . import answers
from .answer_mapping import JSON, NO_MATCH, Produced, content_template, mock_answer, produce, remapped
from .answers import Fixed, Header, Refused, http_api_failure
from .egress import Answer, AnswerBody, Attempt, BodyError, Destination, Egress, Exchange, Failure, Outgoing
from .egress.failures import ALERTED, CLOSED
from .execution_log import ExecutionLog
from .faults import Faults
from .log import Log
from .mapping import Call, InvalidEndpoint, Mapped, Plan
from .model import Integration
from .state import State

__all__ = ["Invocation", "Invoker", "Result", "Streamed"]

_WHOLE = 65_536
"""Bodies of a known length up to so many octets are read before the caller gets anything, so that their loss is a 504."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One request to carry out, by whomever."""

    request_id: str
    api_id: str
    stage: str | None
    """None for a test invoke."""
    is_rest: bool
    resource_path: str
    plan: Plan | None
    call: Call
    credential: Credential | None
    presented_as: str | None
    body: bytes | AsyncIterator[bytes] | None
    length: int | None = None
    added: Sequence[Header] = ()
    """Headers of the gateway's own, for the backend."""
    fresh: bool = False
    whole: bool = False
    """Whether the answer's body is wanted as one piece, however long it is."""
    clock: Clock | None = None
    """For execution logs with the moments of their lines."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """A body that is still to come: its first piece, the rest, and its length where known."""

    first: bytes
    rest: AnswerBody
    length: int | None
    entry: dict[str, Any]
    """The log's, in which a break in the body is noted."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the caller gets. ``length`` is said when a HEAD request or status leaves out a body of that length."""

    status: int
    headers: list[Header]
    body: bytes | Streamed
    log: ExecutionLog
    reason: str | None = None
    length: int | None = None
    latency_ms: float = 0.0


class Invoker:
    """Carries out integrations of the *state* of the moment."""

    def __init__(self, state: State, log: Log, egress: Egress, faults: Faults) -> None:
        self._state, self._log, self._egress, self._faults = state, log, egress, faults

    async def invoke(self, one: Invocation) -> Result:
        """The integration's answer, or the gateway's own when there is none; never raises for what the backend does."""
        plan = one.plan
        if plan is None:
            return self._misconfigured(one, None, "No integration defined for method")
        if plan.type == "MOCK":
            return self._mock(one)
        if plan.type not in ("HTTP", "HTTP_PROXY"):
            return self._misconfigured(one, None, f"{plan.type} integrations are not emulated")
        try:
            mapped = plan.map(one.call)
        except InvalidEndpoint as error:
            return self._misconfigured(one, str(error) or None, "Invalid endpoint address")
        return await self._send(one, plan, mapped)

    # --- to the backend

    async def _send(self, one: Invocation, plan: Plan, mapped: Mapped) -> Result:
        outgoing = _outgoing(one, plan, mapped)
        backend = mapped.backend
        destination = Destination(
            backend.scheme,
            backend.host,
            backend.port,
            one.api_id,
            one.stage,
            one.credential,
            one.presented_as,
            plan.insecure_skip_verification,
        )
        if self._faults.integration_latency:
            await asyncio.sleep(self._faults.integration_latency)
        try:
            exchange = await self._egress.send(outgoing, destination, timeout=plan.timeout_ms / 1000, fresh=one.fresh)
        except ValueError:  # a blank or a line end, out of a stage variable
            return self._misconfigured(one, mapped.uri, "Invalid endpoint address")
        return await self._receive(one, plan, mapped, outgoing, exchange)

    async def _receive(
        self, one: Invocation, plan: Plan, mapped: Mapped, outgoing: Outgoing, exchange: Exchange
    ) -> Result:
        log = self._new_log(one)
        log.send(mapped.uri, outgoing.headers, outgoing.body if isinstance(outgoing.body, bytes) else None)
        *stale, last = exchange.attempts
        for attempt in stale:
            lines = ExecutionLog(lines=log.lines)
            lines.fail(CLOSED.line, None)
            self._note(one, mapped, attempt, lines, None)
        if exchange.answer is None:
            return self._failed(one, mapped, last, exchange.failure or CLOSED, log)
        try:
            body = await _body(exchange.answer, whole=one.whole)
        except BodyError as error:
            return self._failed(one, mapped, last, error.failure, log)
        except asyncio.CancelledError:
            exchange.answer.body.close()
            raise
        return self._answered(one, plan, mapped, last, exchange.answer, body, log)

    def _answered(
        self,
        one: Invocation,
        plan: Plan,
        mapped: Mapped,
        attempt: Attempt,
        answer: Answer,
        body: bytes | tuple[bytes, int | None],
        log: ExecutionLog,
    ) -> Result:
        excerpt = body if isinstance(body, bytes) else body[0]
        log.receive(answer.status, attempt.latency_ms, answer.headers, excerpt)
        length = _length(answer.headers) if body == b"" else None
        made = Produced(answer.status, [], None)
        if plan.type == "HTTP_PROXY":
            made = made._replace(headers=remapped(answer.headers))
        elif isinstance(plan.integration, Integration):
            chosen = produce(plan.integration, answer.status, answer.headers, one.call)
            if chosen is None:
                answer.body.close()
                line = NO_MATCH.format(status=answer.status)
                return self._own(one, mapped.uri, attempt, None, line, answers.INTERNAL, log)
            made = chosen
        if made.body is not None:
            answer.body.close()
            body, excerpt, length = made.body, made.body, None
        log.complete(made.status, made.headers, excerpt)
        entry = self._note(one, mapped, attempt, log, made.status)
        whole = body if isinstance(body, bytes) else Streamed(body[0], answer.body, body[1], entry)
        reason = answer.reason if made.status == answer.status else None
        return Result(made.status, made.headers, whole, log, reason, length, attempt.latency_ms)

    # --- without a backend

    def _mock(self, one: Invocation) -> Result:
        assert one.plan is not None and isinstance(one.plan.integration, Integration)
        made = mock_answer(one.plan.integration, one.call)
        if made is None:
            return self._misconfigured(one, None, "Unable to transform request")
        log = self._new_log(one)
        log.complete(made.status, made.headers, made.body or b"")
        return Result(made.status, made.headers, made.body or b"", log)

    # --- failures

    def _failed(self, one: Invocation, mapped: Mapped, attempt: Attempt, failure: Failure, log: ExecutionLog) -> Result:
        """The table of failures."""
        settings = self._state.settings
        if failure.outcome == "timeout":
            answer = answers.TIMED_OUT
        else:
            status = 500
            if failure.reason.startswith(ALERTED):  # a warning alert may stand before another failure
                status = settings.alert_status
            elif failure.outcome == "network-error":
                status = settings.close_status
            answer = answers.INTERNAL if status == answers.INTERNAL.status else answers.NETWORK_ERROR
        return self._own(one, mapped.uri, attempt, failure, failure.line, answer, log)

    def _misconfigured(self, one: Invocation, uri: str | None, reason: str) -> Result:
        failure = Failure("configuration-error", f"configuration error: {reason}")
        attempt = Attempt(1, None, False, None, failure.outcome, None, 0.0)
        return self._own(one, uri, attempt, failure, failure.line, answers.INTERNAL, self._new_log(one))

    def _own(
        self,
        one: Invocation,
        uri: str | None,
        attempt: Attempt,
        failure: Failure | None,
        line: str,
        answer: Fixed,
        log: ExecutionLog,
    ) -> Result:
        if not one.is_rest:
            answer = http_api_failure(self._state.settings.http_api_error_status)
        log.fail(line, answer.status)
        entry = self._note(one, uri, attempt, log, answer.status)
        if failure is not None:  # the body may have failed after a head that was an answer
            entry["outcome"] = failure.outcome
        return Result(answer.status, answer.headers, answer.body, log, latency_ms=attempt.latency_ms)

    # --- notes

    def _new_log(self, one: Invocation) -> ExecutionLog:
        log, call = ExecutionLog(one.clock), one.call
        body = one.body if isinstance(one.body, bytes) else None
        log.begin(
            one.request_id,
            call.method,
            one.resource_path,
            path=call.parameters,
            query=call.query,
            headers=call.headers,
            body=body,
        )
        return log

    def _note(
        self, one: Invocation, uri: Mapped | str | None, attempt: Attempt, log: ExecutionLog, returned: int | None
    ) -> dict[str, Any]:
        return self._log.add(
            "integration",
            one.request_id,
            api_id=one.api_id,
            stage=one.stage,
            http_method=one.call.method,
            resource_path=one.resource_path,
            uri=uri.uri if isinstance(uri, Mapped) else uri,
            attempt=attempt.number,
            outcome=attempt.outcome,
            backend_status=attempt.backend_status,
            returned_status=returned,
            latency_ms=attempt.latency_ms,
            execution_log=lambda: log.lines,
            tls=attempt.tls,
        )


def _outgoing(one: Invocation, plan: Plan, mapped: Mapped) -> Outgoing:
    """The request to the backend. Raises Refused for a body that the integration does not take."""
    chosen = {edit.name.lower() for edit in plan.headers}  # what is mapped wins over everything
    own = [] if "host" in chosen else [("Host", mapped.backend.authority)]
    body, length = one.body, one.length
    if plan.type == "HTTP" and isinstance(plan.integration, Integration):
        body, length = _templated(plan.integration, one, body, length)
        sent = next((value for name, value in one.call.headers if name.lower() == "content-type"), JSON)
        defaults = (("Accept", JSON), ("Content-Type", sent), ("User-Agent", f"AmazonAPIGateway_{one.api_id}"))
        own += [pair for pair in defaults if pair[0].lower() not in chosen]
    added = [pair for pair in one.added if pair[0].lower() not in chosen]
    replaced = {name.lower() for name, _ in added}
    headers = [pair for pair in mapped.headers if pair[0].lower() not in replaced]
    return Outgoing(mapped.method, mapped.target, [*own, *headers, *added], body, length)


def _templated(
    integration: Integration, one: Invocation, body: bytes | AsyncIterator[bytes] | None, length: int | None
) -> tuple[bytes | AsyncIterator[bytes] | None, int | None]:
    """The body by the request templates, which are not evaluated, and by ``passthroughBehavior``."""
    template = content_template(integration.request_templates, one.call.headers)
    if template:
        return template.encode(), None
    behaviour = integration.stored.get("passthroughBehavior")
    if template is None and (
        behaviour == "NEVER" or (behaviour == "WHEN_NO_TEMPLATES" and integration.request_templates)
    ):
        raise Refused(answers.UNSUPPORTED_MEDIA)
    return body, length


async def _body(answer: Answer, *, whole: bool) -> bytes | tuple[bytes, int | None]:
    """The whole body if it is there or short, else its first piece and its length where known. Raises BodyError."""
    body = answer.body
    if body.complete or whole:
        return await body.read()
    length = _length(answer.headers)
    if length is not None and length <= _WHOLE:
        return await body.read()
    return await anext(body, b""), length


def _length(headers: Sequence[Header]) -> int | None:
    """Content-Length, unless a transfer coding overrides it (RFC 9112 6.3)."""
    length = None
    for name, value in headers:
        lower = name.lower()
        if lower == "transfer-encoding":
            return None
        if lower == "content-length" and value.isascii() and value.isdecimal():
            length = int(value)
    return length
