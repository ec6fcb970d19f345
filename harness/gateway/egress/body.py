"""The body of an answer, read piece by piece with backpressure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import BodyError

if TYPE_CHECKING:
    from .connection import Connection
    from .reader import Reader

__all__ = ["AnswerBody"]


class AnswerBody:
    """An async iterator of octets; also ``read`` and ``aclose``. For one reader only."""

    __slots__ = ("_connection", "_reader")

    def __init__(self, connection: Connection, reader: Reader) -> None:
        self._connection, self._reader = connection, reader

    @property
    def complete(self) -> bool:
        """Whether all of it has come, so that ``read`` will not wait."""
        return self._reader.complete

    def __aiter__(self) -> AnswerBody:
        return self

    async def __anext__(self) -> bytes:
        """The next piece. Raises BodyError when the body ends too early or stalls."""
        reader = self._reader
        while not reader.chunks:
            if reader.complete:
                raise StopAsyncIteration
            failure = await self._connection.more(reader)
            if failure is not None and not reader.chunks:
                raise BodyError(failure)
        data = reader.take()
        self._connection.taken(reader)
        return data

    async def read(self) -> bytes:
        """All that has not been read yet. Raises BodyError when the body ends too early or stalls."""
        if self._reader.complete:
            return self._reader.take()
        return b"".join([piece async for piece in self])

    def close(self) -> None:
        """Give up the rest; the connection is closed if there is one."""
        self._connection.give_up(self._reader)
