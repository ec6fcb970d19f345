"""Functions that authorizers name: callables of Python and URLs, called as Lambda calls a handler.

Nothing that a function does (raise, hang, block, answer nonsense) reaches the gateway's event loop but as FunctionFailed.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import re
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar

from ..errors import UsageError, describe, did_you_mean

__all__ = ["Function", "FunctionContext", "FunctionFailed", "Functions", "Handler", "function_name", "imported"]

LIMIT = 10.0
"""Seconds that an authorizer may take, API Gateway's limit."""
_LONGEST = 6 * 1024 * 1024
"""Octets of an answer, Lambda's limit."""
_UNAUTHORIZED = "Unauthorized"

Handler = Callable[[Any, Any], Any]
"""``function(event, context)``, sync or async."""


class FunctionFailed(Exception):
    """There is no answer; the text says why in one line. *unauthorized*: the function failed with ``Unauthorized``."""

    def __init__(self, text: str, *, unauthorized: bool = False) -> None:
        super().__init__(text)
        self.unauthorized = unauthorized


@dataclass(frozen=True, slots=True)
class Function:
    """What a name is bound to: a callable of Python, or without one the URL."""

    target: str
    """``module:function`` or a URL, as it was given."""
    handler: Handler | None = None


@dataclass(frozen=True, slots=True)
class FunctionContext:
    """Lambda's context object, as far as handlers use it."""

    function_name: str
    invoked_function_arn: str
    aws_request_id: str
    deadline: float
    """By ``time.monotonic``."""
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 128

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the gateway waits no longer."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


# --- names


_ARN = re.compile(r".*/functions/(arn:[^/]*:function:([A-Za-z0-9_-]+)(?::[^/:]+)?)/invocations", re.ASCII)
_VARIABLE = re.compile(r"\$\{stageVariables\.([^}]+)\}")


def function_name(uri: str | None, variables: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and ARN of the function in an ``authorizerUri``, whose stage *variables* are filled in; None without one."""
    filled = _VARIABLE.sub(lambda found: variables.get(found[1], ""), uri or "")
    named = _ARN.fullmatch(filled)
    return None if named is None else (named[2], named[1])


def imported(word: str, target: str) -> Function:
    """The callable ``module:function`` of *target*; *word* is the whole option, for the message.

    The working directory is put on the import path. Raises UsageError for what cannot be imported or called.
    """
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_name, _, name = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        saw = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UsageError(
            f"--function ({word}): expected a module that can be imported, saw {saw}. "
            f"Mend it, or start the gateway in the module's folder (now {folder})."
        ) from error
    handler = getattr(module, name, None)
    if not callable(handler):
        saw = "none" if handler is None else type(handler).__name__
        raise UsageError(
            f"--function ({word}): expected a function {name} in {module_name}, saw {saw}. "
            f"Name one that takes event and context.{did_you_mean(name, vars(module))}"
        )
    return Function(target, handler)


# --- calls


class Functions:
    """Calls what is bound to a name in *bound*, within ``limit`` seconds."""

    def __init__(self, bound: Mapping[str, Function], limit: float = LIMIT) -> None:
        self._bound, self.limit = bound, limit

    async def call(self, name: str, arn: str, event: Mapping[str, Any], request_id: str) -> Any:
        """What the function answers to *event*, as JSON would have it. Raises FunctionFailed."""
        function = self._bound.get(name)
        if function is None:
            raise FunctionFailed(f"function ({name}): expected one that is bound to this name, saw none")
        try:
            async with asyncio.timeout(self.limit):
                if function.handler is None:
                    return await _post(function.target, event)
                context = FunctionContext(name, arn, request_id, time.monotonic() + self.limit)
                return await _in_thread(function.handler, event, context, self.limit)
        except TimeoutError:
            raise FunctionFailed(f"function ({name}): no answer within {self.limit:g} s") from None


async def _post(url: str, event: Mapping[str, Any]) -> Any:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(event).encode()
    try:
        # no connection is kept: a POST on one that the server is about to close cannot be told from a failure
        async with (
            ClientSession(timeout=ClientTimeout(total=None), cookie_jar=DummyCookieJar()) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return _result(url, answer.status, await _read(answer))
    except (ClientError, OSError, ValueError) as error:
        raise FunctionFailed(f"{url}: {type(error).__name__}: {' '.join(str(error).split())}") from error


async def _read(answer: ClientResponse) -> bytes:
    octets = b""
    while len(octets) <= _LONGEST:
        piece = await answer.content.read(65_536)
        if not piece:
            return octets
        octets += piece
    raise ValueError(f"an answer of more than {_LONGEST} octets")


def _result(url: str, status: int, octets: bytes) -> Any:
    """The answer, unless it tells of a failure: by its status, or as Lambda's runtime emulator does it, with 200."""
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError):
        value = None
        if status == 200:
            raise FunctionFailed(f"{url}: expected JSON, saw something else") from None
    message = value.get("errorMessage") if isinstance(value, dict) else None
    if isinstance(message, str):
        raise FunctionFailed(f"{url}: {' '.join(message.split())}", unauthorized=message == _UNAUTHORIZED)
    if status != 200:
        raise FunctionFailed(f"{url}: expected status 200, saw {status}")
    return value


async def _in_thread(handler: Handler, event: Mapping[str, Any], context: FunctionContext, limit: float) -> Any:
    """What *handler* answers, in a thread of its own: one that hangs can only be left behind, and must hold up no exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def finish(act: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            act(value)

    def run() -> None:
        act: Callable[[Any], None] = done.set_result
        try:
            value = _answer(handler, event, context, limit)
        except BaseException as error:  # sys.exit() in a function ends that function only
            act, value = done.set_exception, _failure(error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, act, value)

    try:
        threading.Thread(target=run, name=f"function {context.function_name}", daemon=True).start()
    except RuntimeError as error:
        raise FunctionFailed(str(error)) from error
    return await done


def _answer(handler: Handler, event: Mapping[str, Any], context: FunctionContext, limit: float) -> Any:
    answer = handler(event, context)
    if inspect.isawaitable(answer):
        answer = asyncio.run(_awaited(answer, limit))
    return json.loads(json.dumps(answer, allow_nan=False))


async def _awaited(answer: Awaitable[Any], limit: float) -> Any:
    async with asyncio.timeout(limit + 1):  # whoever asked has given up by then
        return await answer


def _failure(error: BaseException) -> FunctionFailed:
    """What is told of an *error*, whatever it is: its own __str__ may fail too."""
    if not isinstance(error, Exception):
        return FunctionFailed(type(error).__name__)
    try:
        return FunctionFailed(describe(error), unauthorized=str(error) == _UNAUTHORIZED)
    except Exception:
        return FunctionFailed(type(error).__name__)
