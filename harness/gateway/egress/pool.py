"""Open connections: which are free, which have to go.

A connection is only ever given out under the key that it was opened with. The one exception is wanted: for as long as
it may linger after a stage update, a former connection of that stage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import chain

from .connection import Connection
from .failures import CLOSED
from .model import Destination, Key

__all__ = ["Pool"]

_IDLE_SECONDS = 60.0
_CLOSING_SECONDS = 1.0


class Pool:
    """For one event loop. It is the owner of its connections."""

    def __init__(self) -> None:
        self._open: dict[Connection, None] = {}
        self._idle: dict[Key, list[Connection]] = {}
        self._former: list[Connection] = []
        """Idle ones whose certificate is not in use any more, while they linger."""
        self._in_use: frozenset[str] | None = None
        self._linger = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def take(self, key: Key, destination: Destination) -> Connection | None:
        """A free connection, the one that was in use last, or None; it is busy from now on."""
        if self._former:
            for connection in self._former:
                if _may_carry(connection, key, destination):
                    self._former.remove(connection)
                    return connection
        stack = self._idle.get(key)
        return stack.pop() if stack else None

    def add(self, connection: Connection) -> None:
        """Know of a new connection, which is busy."""
        self._open[connection] = None

    def freed(self, connection: Connection) -> None:
        """The exchange is over; keep the connection, unless its certificate is out of use."""
        if self._in_use is not None and self._is_out_of_use(connection):
            self._put_aside(connection)
            return
        stack = self._idle.get(connection.key)
        if stack is None:
            self._idle[connection.key] = [connection]
        else:
            stack.append(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(_IDLE_SECONDS, self._sweep)

    def lost(self, connection: Connection) -> None:
        """The connection is closed, or about to be."""
        self._open.pop(connection, None)
        self._unshelve(connection)

    def retire(self, in_use: Collection[str], linger: float) -> None:
        """From now on only the certificates of these ids are in use: idle connections with others are closed.

        Busy ones finish first. For *linger* seconds former ones may still carry requests of their stage.
        """
        self._in_use, self._linger = frozenset(in_use), linger
        now = self._loop.time()
        for connection in tuple(self._open):
            if not self._is_out_of_use(connection):
                connection.retired_at = None
            elif connection.retired_at is None:
                connection.retired_at = now
        for connection in self._all_idle():
            self._unshelve(connection)
            self.freed(connection)

    def close_replaced(self, connection: Connection) -> None:
        """Close idle connections with an earlier certificate of the same id as *connection*'s: it was imported anew."""
        own = connection.destination
        for other in self._all_idle() if own.presented_as else ():
            if other.destination.presented_as == own.presented_as and other.key.credential is not own.credential:
                other.close()

    def close_idle(self) -> None:
        """Close every connection that is idle; the busy ones finish and are then closed."""
        for connection in tuple(self._open):
            connection.keep = False
        for connection in self._all_idle():
            connection.close()

    async def aclose(self) -> None:
        """Close all connections, busy ones too, and wait until they are."""
        if self._timer is not None:
            self._timer.cancel()
        leaving = [connection for connection in self._open if connection.is_open]
        for connection in tuple(self._open):
            if connection.idle_since is None:
                connection.abort(CLOSED)
            else:
                connection.close()
        if leaving:
            await asyncio.wait([connection.gone for connection in leaving], timeout=_CLOSING_SECONDS)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """All that are open or opening, oldest first."""
        return tuple(self._open)

    # --- where they are kept

    def _is_out_of_use(self, connection: Connection) -> bool:
        presented = connection.destination.presented_as
        return presented is not None and self._in_use is not None and presented not in self._in_use

    def _put_aside(self, connection: Connection) -> None:
        if connection.retired_at is None:
            connection.retired_at = self._loop.time()
        if connection.retired_at + self._linger <= self._loop.time():
            connection.close()
            return
        self._former.append(connection)
        if self._timer is not None:
            self._timer.cancel()
        self._sweep()

    def _all_idle(self) -> list[Connection]:
        return [*chain.from_iterable(self._idle.values()), *self._former]

    def _unshelve(self, connection: Connection) -> None:
        for shelf in (self._idle.get(connection.key, ()), self._former):
            if isinstance(shelf, list) and connection in shelf:
                shelf.remove(connection)

    def _sweep(self) -> None:
        """Close what has been idle, or has lingered, for long enough; come again when the next one is due."""
        self._timer = None
        now, due = self._loop.time(), []
        for connection in self._all_idle():
            idle_since = connection.idle_since if connection.idle_since is not None else now
            end = idle_since + _IDLE_SECONDS
            if connection.retired_at is not None:
                end = min(end, connection.retired_at + self._linger)
            if end <= now:
                connection.close()
            else:
                due.append(end)
        for key in [key for key, stack in self._idle.items() if not stack]:
            del self._idle[key]
        if due:
            self._timer = self._loop.call_at(min(due), self._sweep)


def _may_carry(former: Connection, key: Key, destination: Destination) -> bool:
    """Whether a lingering connection belongs to the stage of a request, and is like what it would use but for the certificate."""
    own = former.destination
    return (own.api_id, own.stage) == (destination.api_id, destination.stage) and former.key == key._replace(
        credential=former.key.credential
    )
