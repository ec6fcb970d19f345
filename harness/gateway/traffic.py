"""Steady calls to a stage of the mock gateway, each attributed to the certificate that carried it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever has a stage has the gateway; whoever has none need not import it
    from .facade import ApiStage
    from .log import Entry

__all__ = ["Sent", "Traffic"]

_SECONDS = 30.0
"""How long ``since_last`` waits for the calls under way; a call takes 29 s at most, by API Gateway's own limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One call, and what the gateway's log says of it."""

    began: float
    """``time.monotonic`` when it was sent."""
    ended: float
    status: int
    presented: str | None
    """The clientCertificateId or ARN that went to the backend, in the last attempt."""
    outcome: str
    """``response``, ``configuration-error``, ``network-error`` or ``timeout``."""
    alert: str | None
    """The name of the alert that the backend sent."""


@dataclass(frozen=True, slots=True)
class _Call:
    began: float
    ended: float
    status: int
    request_id: str


class Traffic:
    """*callers* threads that call *path* of *stage* again and again, *every* so many seconds; between enter and exit."""

    def __init__(self, stage: ApiStage, path: str = "/", *, callers: int = 1, every: float = 0.05) -> None:
        self._stage, self._path, self._every = stage, path, every
        self._ending, self._asked = threading.Event(), threading.Event()
        self._change = threading.Condition()
        self._calls: list[_Call] = []
        self._under_way: dict[int, float] = {}
        self._seen = 0
        self._errors: list[Exception] = []
        self._threads = [
            threading.Thread(target=self._run, name=f"mtls-traffic-{number}", daemon=True) for number in range(callers)
        ]

    def __enter__(self) -> Traffic:
        self._seen = self._stage.api.gateway.log.next
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._asked.set()
        for thread in self._threads:
            thread.join(timeout=_SECONDS)

    def since_last(self, at_least: int = 1) -> list[Sent]:
        """The calls that ended since the last time this was asked: all that began before, and *at_least* so many after.

        Raises the error of a caller, if one broke: a call that gets no answer from the gateway itself.
        """
        now = time.monotonic()
        self._asked.set()  # whoever rests between two calls goes on at once
        with self._change:
            fresh = self._change.wait_for(lambda: bool(self._errors) or self._is_past(now, at_least), _SECONDS)
            if self._errors:
                raise self._errors[0]
            if not fresh:
                raise TimeoutError(f"expected {at_least} calls through the stage within {_SECONDS:.0f} s, saw fewer")
            calls, self._calls = self._calls, []
        log = self._stage.api.gateway.log
        entries = log.entries(kind="integration", api_id=self._stage.api.id, since=self._seen)
        return self._attributed(calls, entries)

    def _is_past(self, moment: float, at_least: int) -> bool:
        """Whether no call from before *moment* is under way, and enough have begun and ended since."""
        waiting = any(began < moment for began in self._under_way.values())
        return not waiting and sum(one.began >= moment for one in self._calls) >= at_least

    def _attributed(self, calls: list[_Call], entries: list[Entry]) -> list[Sent]:
        by_request = {entry["request_id"]: entry for entry in entries}  # a second attempt takes the first one's place
        sent = []
        for call in calls:
            entry = by_request[call.request_id]
            tls = entry["tls"] or {}
            alert = tls.get("alert_received")
            sent.append(
                Sent(
                    began=call.began,
                    ended=call.ended,
                    status=call.status,
                    presented=tls.get("presented"),
                    outcome=entry["outcome"],
                    alert=alert["name"] if alert else None,
                )
            )
        # calls under way have entries already; those are needed again next time
        done = {call.request_id for call in calls}
        left = [entry["seq"] for entry in entries if entry["request_id"] not in done]
        self._seen = min(left) - 1 if left else max([self._seen, *(entry["seq"] for entry in entries)])
        return sent

    def _run(self) -> None:
        try:
            with self._stage.client() as client:
                while not self._ending.is_set():
                    with self._change:
                        began = self._under_way[threading.get_ident()] = time.monotonic()
                    answer = client.get(self._path)
                    call = _Call(began, time.monotonic(), answer.status_code, answer.headers["x-amzn-RequestId"])
                    with self._change:
                        del self._under_way[threading.get_ident()]
                        self._calls.append(call)
                        self._change.notify_all()
                    if self._asked.wait(self._every) and not self._ending.is_set():
                        self._asked.clear()
        except Exception as error:  # told to whoever asks for the calls
            with self._change:
                self._errors.append(error)
                self._change.notify_all()
