"""One connection to a backend: TCP, TLS if need be, and one HTTP/1.1 exchange after the other.

How it works: an asyncio protocol. While an exchange lasts the connection belongs to it; when both the request and the
answer are complete it goes back to ``owner``, who may give it to the next. Whatever goes wrong ends it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from OpenSSL import SSL

from .body import AnswerBody
from .failures import CLOSED, TIMED_OUT
from .model import Answer, ConnectionRecord, Destination, Failure, Key
from .reader import NotHttp, Reader
from .tls import ClientTls

__all__ = ["Connection", "Owner"]

_SLICE = 65_536
"""So much of a request's body is encrypted at a time."""
_MUCH, _LITTLE = 262_144, 65_536
"""Unread octets of a body at which reading pauses, and goes on."""


class Owner(Protocol):
    """Who gets the connection when it is free, and hears of its end."""

    def freed(self, connection: Connection) -> None:
        """The exchange is over and the connection could carry another."""

    def lost(self, connection: Connection) -> None:
        """The connection is closed, or about to be."""


class Connection(asyncio.Protocol):
    """See the module. ``key`` is what the pool knows it by."""

    def __init__(self, name: str, key: Key, destination: Destination, tls: ClientTls | None, owner: Owner) -> None:
        self.name, self.key, self.destination, self.tls = name, key, destination, tls
        self.requests = 0
        self.idle_since: float | None = None
        self.retired_at: float | None = None
        """When its certificate fell out of use."""
        self.ended: Failure | None = None
        """Why it can carry nothing more."""
        self.peer_closed = False
        self.answered = False
        """Whether anything of the answer to the present request has come."""
        self.keep = True
        """False: closed after its first exchange."""
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[Failure | None] = self._loop.create_future()
        """Done when a request can be sent, or with the reason why not."""
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done when TCP is closed."""
        self._transport: asyncio.Transport | None = None
        self._reader: Reader | None = None
        self._head: asyncio.Future[Answer | Failure] | None = None
        self._more: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stall = 0.0
        self._paused = False

    # --- an exchange

    def send(
        self,
        head: bytes,
        body: bytes | AsyncIterator[bytes] | None,
        length: int | None,
        *,
        bodiless: bool,
        timeout: float,
        stall: float,
    ) -> asyncio.Future[Answer | Failure]:
        """Send a request; the future gets the head of the answer or why there is none.

        *bodiless*: the answer has no body (HEAD). *timeout*, in seconds, is for the head of the answer, *stall* for
        each wait for a piece of its body. The future raises what the body's iterator raised.
        """
        self.requests += 1
        self.idle_since = None
        self.answered = False
        self._reader = Reader(bodiless=bodiless)
        self._stall = stall
        self._head = answer = self._loop.create_future()
        if self.ended is not None:
            answer.set_result(self.ended)
            return answer
        self._timer = self._loop.call_later(timeout, self._time_out)
        if body is None:
            self._write(head)
        elif isinstance(body, bytes) and len(body) <= _SLICE:
            self._write(head + body)
        else:
            self._write(head)
            pieces = _slices(body) if isinstance(body, bytes) else body
            chunked = length is None and not isinstance(body, bytes)
            self._sending = self._loop.create_task(self._send_body(pieces, chunked, length))
        return answer

    async def more(self, reader: Reader) -> Failure | None:
        """Wait until *reader* has more of its body, or all of it; returns why there will be no more."""
        if reader is not self._reader or self.ended is not None:
            return self.ended or CLOSED
        self._more = self._loop.create_future()
        self._timer = self._loop.call_later(self._stall, self._time_out)
        try:
            await self._more
        except asyncio.CancelledError:
            self.abort(CLOSED)
            raise
        finally:
            self._stop_timer()
        return None if reader.chunks or reader.complete else self.ended or CLOSED

    def taken(self, reader: Reader) -> None:
        """Some of the body was taken."""
        if self._paused and reader.size <= _LITTLE and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def give_up(self, reader: Reader) -> None:
        """Nobody wants the rest of this body."""
        if reader is self._reader and not reader.complete:
            self.abort(CLOSED)

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.ended is not None:
            transport.abort()
        elif self.tls is None:
            self.opened.set_result(None)
        else:
            transport.write(self.tls.begin())

    def data_received(self, data: bytes) -> None:
        """Octets from the backend."""
        tls = self.tls
        if tls is None:
            if data:
                self._feed(data)
            return
        plain = tls.receive(data)
        if (outgoing := tls.outgoing) and self._transport is not None:
            self._transport.write(outgoing)
        if plain:
            self._feed(plain)
        if tls.failure is not None:
            if tls.closed is not None:
                self._note_close()
            self._end(tls.failure)
        elif tls.established and not self.opened.done():
            self.opened.set_result(None)

    def eof_received(self) -> bool:
        """The backend ended its side of TCP; so do we."""
        self._note_close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP is gone. What had come before writing failed is still to be read: an answer, or the alert."""
        transport, self._transport = self._transport, None
        if exc is not None and self.ended is None and transport is not None:
            descriptor = transport.get_extra_info("socket").fileno()
            with suppress(OSError):
                while self.ended is None and (data := os.read(descriptor, _SLICE)):
                    self.data_received(data)
        self._note_close(in_order=exc is None)
        self.gone.set_result(None)

    def pause_writing(self) -> None:
        """The backend reads slowly."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """The backend reads again."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # --- the end

    @property
    def is_open(self) -> bool:
        """Whether there is TCP."""
        return self._transport is not None

    def close(self) -> None:
        """Close in order."""
        if self.ended is None:
            self._say_goodbye()
            self._end(CLOSED)

    def abort(self, failure: Failure) -> None:
        """Close at once; whoever waits gets *failure*."""
        transport = self._transport
        self._end(failure)
        if transport is not None:
            transport.abort()

    def _say_goodbye(self) -> None:
        if self.tls is not None and self._transport is not None and (farewell := self.tls.end()):
            self._transport.write(farewell)

    def _note_close(self, *, in_order: bool = True) -> None:
        if self.ended is not None:
            return
        if in_order and self._reader is not None:
            self._reader.end()
        if self.tls is not None and self.tls.closed is None:
            self.tls.closed = "abrupt"
        self.peer_closed = True
        self._end(CLOSED)

    def _end(self, failure: Failure) -> None:
        """The connection can carry nothing more; tell whoever waits."""
        if self.ended is not None:
            return
        self.ended = failure
        self._stop_timer()
        self.resume_writing()
        if not self.opened.done():
            self.opened.set_result(failure)
        if self._head is not None and not self._head.done():
            self._head.set_result(failure)
        self._wake()
        if self._sending is not None:
            self._sending.cancel()
        self._owner.lost(self)
        if self._transport is not None:
            self._transport.close()

    def _time_out(self) -> None:
        self.abort(TIMED_OUT)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- in between

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.ended is not None or self._transport.is_closing():
            return
        if self.tls is not None:
            try:
                data = self.tls.encrypt(data)
            except SSL.Error:
                self._end(self.tls.failure or CLOSED)
                return
        self._transport.write(data)

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        if reader is None or reader.complete:
            self.close()  # nobody had asked for anything
            return
        self.answered = True
        try:
            reader.feed(data)
        except NotHttp:
            self.abort(CLOSED)
            return
        if reader.status and self._head is not None:
            self._stop_timer()
            if not self._head.done():
                self._head.set_result(Answer(reader.status, reader.reason, reader.headers, AnswerBody(self, reader)))
            self._head = None
        if reader.complete:
            self._wake()
            self._finish(reader)
        elif reader.chunks:
            self._wake()
            if reader.size > _MUCH and not self._paused and self._transport is not None:
                self._paused = True
                self._transport.pause_reading()

    def _finish(self, reader: Reader) -> None:
        """The answer is complete."""
        self._reader = None
        sent = self._sending is None or self._sending.done()
        if sent:
            self._sending = None
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        if self.keep and sent and reader.keep_alive and not reader.excess:
            self.idle_since = self._loop.time()
            self._owner.freed(self)
        else:
            self.close()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def _send_body(self, pieces: AsyncIterator[bytes], chunked: bool, length: int | None) -> None:
        """Send the body at the backend's pace."""
        sent = 0
        try:
            async for piece in pieces:
                for start in range(0, len(piece), _SLICE):
                    part = piece[start : start + _SLICE]
                    self._write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                    if self._writable is not None:
                        await self._writable
                    if self._transport is None or self._transport.is_closing():
                        return  # what the backend said before it closed comes with the loss of the connection
                sent += len(piece)
            if length is not None and sent != length:
                raise ValueError(f"request body: expected {length} octets, saw {sent}. Give the true length, or none.")
            if chunked:
                self._write(b"0\r\n\r\n")
        except Exception as error:
            if self._head is not None and not self._head.done():
                self._head.set_exception(error)
            self.abort(CLOSED)

    # --- what there is to tell

    def record(self) -> ConnectionRecord:
        """The connection as ``GET /_mtls/connections`` shows it."""
        destination, tls = self.destination, self.tls
        return {
            "id": self.name,
            "api_id": destination.api_id,
            "stage": destination.stage,
            "host": destination.host,
            "port": destination.port,
            "presented": None if tls is None else tls.record(self.name, False)["presented"],
            "state": "busy" if self.idle_since is None else "idle",
            "requests": self.requests,
        }


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), _SLICE):
        yield bytes(view[start : start + _SLICE])
        await asyncio.sleep(0)  # a backend that reads fast leaves no turn to others
