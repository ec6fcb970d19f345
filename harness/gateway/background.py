"""A mock gateway in a thread of this process, with an event loop of its own; others hand it work and wait for the result."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .gateway import Gateway

__all__ = ["BackgroundGateway"]

_T = TypeVar("_T")
_SECONDS = 60.0
"""How long a call may take; the longest is a test invoke, which waits 29 s for its backend at most."""


class BackgroundGateway:
    """Runs *gateway* between ``start`` and ``stop``. Its state belongs to that thread: reach it by ``call``."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="mtls-gateway", daemon=True)

    def start(self) -> None:
        """Begin; returns once both ports accept. Raises StartError when a port is taken."""
        self._thread.start()
        try:
            self.wait_for(self.gateway.start)
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Stop in order and end the thread; requests in flight may finish."""
        try:
            self.wait_for(self.gateway.stop)
        finally:
            self._end()

    def call(self, function: Callable[[], _T]) -> _T:
        """What *function* returns or raises, called on the gateway's thread."""

        async def carry_out() -> _T:
            return function()

        return self.wait_for(carry_out)

    def wait_for(self, function: Callable[[], Awaitable[_T]]) -> _T:
        """What the coroutine of *function* returns or raises, awaited on the gateway's loop."""

        async def carry_out() -> _T:
            return await function()

        future = asyncio.run_coroutine_threadsafe(carry_out(), self._loop)
        return future.result(timeout=_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()
