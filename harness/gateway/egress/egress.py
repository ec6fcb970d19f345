"""Sending a request: on a pooled connection if there is one, on a fresh one otherwise, once more if the first was stale."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from itertools import count
from typing import Protocol

from cryptography import x509
from OpenSSL import SSL

from ...clock import Clock, system_clock
from ...pki.credential import Credential
from .connection import Connection
from .dial import dial, server_name
from .failures import CLOSED, TIMED_OUT
from .head import write_head
from .model import Answer, Attempt, ConnectionRecord, Destination, Exchange, Failure, Key, Outgoing
from .pool import Pool
from .tls import ClientTls, Presentation, Session, new_context, withheld
from .verify import ServerCertificate, Trust, judge

__all__ = ["Egress", "EgressSettings"]

_MOST_CONTEXTS = 256


class EgressSettings(Protocol):
    """What of the gateway's settings counts here (contract, section 9)."""

    @property
    def ca_names(self) -> str:
        """``ignore`` or ``strict``."""
        ...

    @property
    def present_expired(self) -> bool:
        """Whether an expired certificate goes out."""
        ...

    @property
    def egress_resumption(self) -> bool:
        """Whether TLS sessions are resumed, within the connections of one key."""
        ...

    @property
    def skip_needs_root(self) -> bool:
        """Whether insecureSkipVerification wants a chain that ends in a root."""
        ...

    @property
    def linger_ms(self) -> int:
        """How long former connections may still be reused."""
        ...


class Egress:
    """The gateway's side towards backends. Made and used on one event loop.

    *settings* gives the settings of the moment; *resolve* says where a name (lower case) is to be found instead of by
    DNS, and may change at any time; *clock* is the gateway's, for judging certificates, never for time-outs.
    """

    def __init__(
        self,
        settings: Callable[[], EgressSettings],
        *,
        trust: Trust | None = None,
        resolve: Mapping[str, tuple[str, int]] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._trust = trust or Trust()
        self._resolve: Mapping[str, tuple[str, int]] = {} if resolve is None else resolve
        self._loop = asyncio.get_running_loop()
        self._pool = Pool()
        self._numbers = count(1)
        self._contexts: dict[tuple[Credential | None, bool, bool], SSL.Context] = {}
        self._sessions: dict[Key, Session] = {}

    # --- requests

    async def send(
        self, outgoing: Outgoing, destination: Destination, *, timeout: float, fresh: bool = False
    ) -> Exchange:
        """Send *outgoing* and return with the head of the answer, or with the reason why there is none.

        *timeout*, in seconds, covers everything up to the head of the answer, and then each wait for a piece of its
        body. *fresh*: on a connection of its own, which is closed afterwards. Never raises for what the backend or
        the network does. Raises ValueError for a request that cannot be written as HTTP, and whatever the body's
        iterator raises. When the caller is cancelled, the connection is closed.
        """
        head, body = write_head(outgoing), outgoing.body
        if body is not None and not isinstance(body, bytes):
            body = _Watched(body)
        deadline = self._loop.time() + timeout
        attempts: list[Attempt] = []
        key = Key(
            destination.scheme,
            destination.host,
            destination.port,
            self._resolve.get(destination.host.lower()) if self._resolve else None,
            destination.credential,
            destination.insecure_skip_verification,
        )
        connection = None if fresh else self._pool.take(key, destination)
        if connection is not None:
            if connection.key.credential is destination.credential:
                connection.destination = destination
            result = await self._attempt(connection, outgoing, head, body, deadline, timeout, attempts)
            stale = result is CLOSED and connection.peer_closed and not connection.answered
            if not stale or (isinstance(body, _Watched) and body.begun):
                return _exchange(attempts, result)
        connection = self._new_connection(key, destination)
        connection.keep = not fresh
        result = await self._attempt(connection, outgoing, head, body, deadline, timeout, attempts)
        return _exchange(attempts, result)

    async def _attempt(
        self,
        connection: Connection,
        outgoing: Outgoing,
        head: bytes,
        body: bytes | AsyncIterator[bytes] | None,
        deadline: float,
        timeout: float,
        attempts: list[Attempt],
    ) -> Answer | Failure:
        """Send once, over *connection*; noted in *attempts*."""
        began = self._loop.time()
        reused = connection.requests > 0
        result: Answer | Failure | None
        try:
            result = None if reused else await self._open(connection, deadline)
            if result is None:
                result = await connection.send(
                    head,
                    body,
                    outgoing.length,
                    bodiless=outgoing.method == "HEAD",
                    timeout=deadline - self._loop.time(),
                    stall=timeout,
                )
        except asyncio.CancelledError:
            connection.abort(CLOSED)
            raise
        tls = connection.tls
        attempts.append(
            Attempt(
                len(attempts) + 1,
                connection.name,
                reused,
                None if tls is None else tls.record(connection.name, reused),
                "response" if isinstance(result, Answer) else result.outcome,
                result.status if isinstance(result, Answer) else None,
                round((self._loop.time() - began) * 1000, 3),
            )
        )
        return result

    # --- connections

    def connections(self) -> list[ConnectionRecord]:
        """The open connections, oldest first, as JSON types."""
        return [connection.record() for connection in self._pool.connections]

    def close_idle(self) -> None:
        """Close idle connections, and forget TLS sessions: settings, clock or trust have changed.

        Busy connections finish what they carry and are then closed.
        """
        self._sessions.clear()
        self._pool.close_idle()

    def retire(self, in_use: Collection[str]) -> None:
        """Only the certificates of these ids and ARNs are in use now: idle connections with others are closed.

        Busy ones finish first. With ``linger_ms`` they may carry requests of their stage for so long.
        """
        self._pool.retire(in_use, self._settings().linger_ms / 1000)

    async def aclose(self) -> None:
        """Close all connections, busy ones too, and wait until they are closed (a second at most)."""
        self._sessions.clear()
        await self._pool.aclose()

    def _new_connection(self, key: Key, destination: Destination) -> Connection:
        tls = self._new_tls(key, destination) if destination.scheme == "https" else None
        connection = Connection(f"c{next(self._numbers)}", key, destination, tls, self._pool)
        self._pool.add(connection)
        self._pool.close_replaced(connection)
        return connection

    async def _open(self, connection: Connection, deadline: float) -> Failure | None:
        """TCP, and TLS with a server that is verified; returns why not."""
        key = connection.key
        host, port = key.at or (key.host, key.port)
        try:
            async with asyncio.timeout_at(deadline):
                failure = await dial(lambda: connection, host, port, deadline) or await connection.opened
        except TimeoutError:
            failure = TIMED_OUT
        if failure is not None:
            connection.abort(failure)
        elif connection.tls is not None and self._settings().egress_resumption:
            session = connection.tls.session
            if session is not None:
                self._sessions[key] = session
        return failure

    def _new_tls(self, key: Key, destination: Destination) -> ClientTls:
        settings, credential, host = self._settings(), destination.credential, destination.host
        resumption = settings.egress_resumption
        why_not = withheld(credential, self._clock(), present_expired=settings.present_expired)
        choosy = settings.ca_names == "strict" and why_not is None
        context = self._context(credential if why_not is None else None, resumption, choosy)
        presentation = Presentation(context, credential, destination.presented_as, choosy, why_not)

        def judge_server(chain: Sequence[x509.Certificate]) -> ServerCertificate:
            return judge(
                chain,
                host,
                self._clock(),
                self._trust,
                skip_verification=destination.insecure_skip_verification,
                needs_root=settings.skip_needs_root,
            )

        name = server_name(host)
        return ClientTls(presentation, host, name, judge_server, self._sessions.get(key) if resumption else None)

    def _context(self, credential: Credential | None, resumption: bool, choosy: bool) -> SSL.Context:
        """Kept, because making one takes as long as a third of a handshake."""
        key = (credential, resumption, choosy)
        context = self._contexts.get(key)
        if context is None:
            if len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.clear()
            context = self._contexts[key] = new_context(credential, resumption=resumption, choosy=choosy)
        return context


class _Watched:
    """A body that knows whether any of it was asked for."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.begun = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        self.begun = True
        return self._pieces.__anext__()


def _exchange(attempts: list[Attempt], result: Answer | Failure) -> Exchange:
    return Exchange(attempts, result, None) if isinstance(result, Answer) else Exchange(attempts, None, result)
