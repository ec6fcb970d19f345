"""HTTP/1.1 between gateway and backend: every way an answer can come, or fail to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from pytest_mtls.harness.gateway.egress import Answer, BodyError, Exchange, Outgoing

from .egress_support import (
    NETWORK,
    OK,
    Script,
    answer,
    egress,
    get,
    hold,
    in_loop,
    leave,
    reset,
    serve_http,
    serve_script,
    to,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BIG = 10 * 1024 * 1024

BOTH = pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])


def answered(exchange: Exchange) -> Answer:
    """The answer, which must be there."""
    assert exchange.answer is not None, exchange.failure
    return exchange.answer


async def ask(port: int, outgoing: Outgoing, *, tls: bool, timeout: float = 10) -> tuple[Exchange, bytes]:
    """One exchange with an Egress of its own, and the body."""
    async with egress() as sender:
        exchange = await sender.send(outgoing, to(port, scheme="https" if tls else "http"), timeout=timeout)
        return exchange, b"" if exchange.answer is None else await exchange.answer.read()


def exchange_with(
    *scripts: Script, tls: bool, outgoing: Outgoing | None = None, timeout: float = 10
) -> tuple[Exchange, bytes]:
    """One exchange with a backend that follows *scripts*."""

    async def run() -> tuple[Exchange, bytes]:
        async with serve_script(*scripts, tls=tls) as port:
            return await ask(port, outgoing or get(), tls=tls, timeout=timeout)

    return in_loop(run)


@BOTH
def test_request_goes_out_exactly_as_given_with_the_framing_of_its_body(tls: bool) -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readexactly(len(expected)))
        writer.write(OK)
        await hold(reader, writer)

    headers = [("Host", "x:1"), ("X-a", "1"), ("x-A", "2"), ("Content-Length", "9"), ("X-Raw", "\udcff\u00e9")]
    expected = b"POST /a%20b?q=%2F HTTP/1.1\r\nHost: x:1\r\nX-a: 1\r\nx-A: 2\r\nX-Raw: \xff\xc3\xa9\r\nContent-Length: 3\r\n\r\nabc"
    exchange_with(script, tls=tls, outgoing=Outgoing("POST", "/a%20b?q=%2F", headers, b"abc"))

    assert seen == [expected]


@BOTH
@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (OK, 200, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
        (CHUNKED + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n", 200, b"abcdefg"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 500, b""),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, b"x"),
    ],
    ids=["length", "204", "304", "interim", "chunked", "empty", "http1.0-kept"],
)
def test_answer_has_its_status_and_body_and_the_connection_is_kept(
    tls: bool, data: bytes, status: int, body: bytes
) -> None:
    async def run() -> None:
        async with serve_script(answer(data, then=answer(OK)), tls=tls) as port, egress() as sender:
            where = to(port, scheme="https" if tls else "http")
            first = answered(await sender.send(get(), where, timeout=10))
            assert (first.status, await first.read()) == (status, body)
            second = await sender.send(get(), where, timeout=10)
            assert (await answered(second).read(), second.attempts[0].reused) == (b"ok", True)

    in_loop(run)


def test_headers_of_the_answer_come_as_they_are() -> None:
    data = b"HTTP/1.1 299 Very  Fine\r\nX-b: 1\r\nx-B: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=\xff\r\nContent-Length: 0\r\n\r\n"

    exchange, _ = exchange_with(answer(data), tls=True)

    assert answered(exchange).reason == "Very  Fine"
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=\udcff")]
    assert answered(exchange).headers == [("X-b", "1"), ("x-B", "2"), *cookies, ("Content-Length", "0")]


@BOTH
@pytest.mark.parametrize("headers", [b"Content-Length: 12", b"Transfer-Encoding: chunked", b"X-none: 0"])
def test_answer_to_head_has_no_body_and_the_connection_is_kept(tls: bool, headers: bytes) -> None:
    data = b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n"

    async def run() -> None:
        async with serve_script(answer(data, then=answer(OK)), tls=tls) as port, egress() as sender:
            where = to(port, scheme="https" if tls else "http")
            assert await answered(await sender.send(get(method="HEAD"), where, timeout=10)).read() == b""
            second = await sender.send(get(), where, timeout=10)
            assert (await answered(second).read(), second.attempts[0].reused) == (b"ok", True)

    in_loop(run)


@BOTH
def test_body_without_length_ends_with_the_connection(tls: bool) -> None:
    exchange, body = exchange_with(answer(b"HTTP/1.1 200 OK\r\n\r\nto the end", then=leave), tls=tls)

    assert (answered(exchange).status, body) == (200, b"to the end")


def test_body_without_length_ends_with_the_half_closed_connection() -> None:
    async def half_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()
        await hold(reader, writer)

    _, body = exchange_with(answer(b"HTTP/1.1 200 OK\r\n\r\nhalf", then=half_close), tls=False)

    assert body == b"half"


@BOTH
@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", CHUNKED + b"4\r\nhalf\r\n"],
    ids=["length", "chunked"],
)
def test_body_cut_short_is_an_error_after_what_came(tls: bool, data: bytes) -> None:
    async def run() -> tuple[list[bytes], str]:
        pieces: list[bytes] = []
        async with serve_script(answer(data, then=leave), tls=tls) as port, egress() as sender:
            exchange = await sender.send(get(), to(port, scheme="https" if tls else "http"), timeout=10)
            try:
                async for piece in answered(exchange).body:
                    pieces.append(piece)  # noqa: PERF401 - what came before the error counts
            except BodyError as error:
                return pieces, error.failure.line
            return pieces, "no error"

    assert in_loop(run) == ([b"half"], NETWORK)


@BOTH
@pytest.mark.parametrize(
    "script",
    [
        leave,
        reset,
        answer(b"", then=leave),
        answer(b"HTTP/1.1 200 OK\r\nContent-Le", then=leave),
        answer(b"SSH-2.0-OpenSSH_9.9\r\n"),
        answer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        answer(b"HTTP/1.1 200 OK\r\n" + b"X-Long: 0123456789abcdef\r\n" * 20_000),
    ],
    ids=["fin", "rst", "fin-after-request", "half-head", "garbage", "upgrade", "two-lengths", "endless-head"],
)
def test_no_answer_is_a_network_error(tls: bool, script: Script) -> None:
    exchange, _ = exchange_with(script, tls=tls)

    assert exchange.failure is not None
    assert (exchange.failure.outcome, exchange.failure.line) == ("network-error", NETWORK)
    assert [(one.outcome, one.backend_status) for one in exchange.attempts] == [("network-error", None)]


@BOTH
def test_silence_is_a_timeout(tls: bool) -> None:
    exchange, _ = exchange_with(hold, tls=tls, timeout=0.2)

    assert exchange.failure is not None
    assert (exchange.failure.outcome, exchange.failure.line) == ("timeout", "Execution failed due to a timeout error")
    assert exchange.attempts[0].outcome == "timeout"


def test_tls_that_never_answers_is_a_timeout() -> None:
    async def run() -> Exchange:
        async with serve_script(hold, tls=False) as port:
            return (await ask(port, get(), tls=True, timeout=0.2))[0]

    exchange = in_loop(run)

    assert exchange.failure is not None and exchange.failure.outcome == "timeout"


def test_body_that_stalls_is_a_timeout() -> None:
    with pytest.raises(BodyError) as caught:
        exchange_with(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), tls=True, timeout=0.3)

    assert caught.value.failure.outcome == "timeout"


@BOTH
def test_slow_body_may_take_longer_in_all_than_the_timeout(tls: bool) -> None:
    async def run() -> bytes:
        async with serve_script(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", then=slowly), tls=tls) as port:
            return (await ask(port, get(), tls=tls, timeout=0.6))[1]

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(4):
            pause = loop.create_future()
            loop.call_later(0.25, pause.set_result, None)
            await pause
            writer.write(b"x")
        await hold(reader, writer)

    assert in_loop(run) == b"xxxx"


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    """Sends each piece back while the next still comes."""
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


async def pieces(total: int, size: int = 100_000) -> AsyncIterator[bytes]:
    """*total* octets with a pattern, made as they are wanted."""
    for start in range(0, total, size):
        yield bytes([start // size % 251]) * min(size, total - start)


@pytest.mark.parametrize("length", [BIG, None], ids=["length", "chunked"])
def test_big_bodies_stream_both_ways_at_once(length: int | None) -> None:
    async def run() -> bool:
        async with serve_http(echo) as port, egress() as sender:
            exchange = await sender.send(get(method="POST", body=pieces(BIG), length=length), to(port), timeout=20)
            received = bytearray()
            async for piece in answered(exchange).body:
                received += piece
            return received == b"".join([piece async for piece in pieces(BIG)])

    assert in_loop(run)


@BOTH
def test_big_body_of_octets_arrives_whole(tls: bool) -> None:
    sent = bytes(range(256)) * (BIG // 256)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        same = await reader.readexactly(BIG) == sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + (b"y" if same else b"n"))
        await hold(reader, writer)

    _, body = exchange_with(take, tls=tls, outgoing=get(method="PUT", body=sent))

    assert body == b"y"


@BOTH
def test_unread_body_keeps_the_backend_waiting(tls: bool) -> None:
    """Backpressure: a backend cannot push what nobody takes."""
    pushed = [0]

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(1000):
            writer.write(bytes(100_000))
            await writer.drain()
            pushed[0] += 100_000

    async def run() -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
        async with serve_script(answer(head, then=flood), tls=tls) as port, egress() as sender:
            exchange = await sender.send(get(), to(port, scheme="https" if tls else "http"), timeout=10)
            before = -1
            while pushed[0] != before:  # until it comes no further within a while
                before = pushed[0]
                await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.3)
            assert pushed[0] < 50_000_000
            answered(exchange).body.close()

    in_loop(run)


@BOTH
def test_answer_before_the_request_body_was_sent_is_given(tls: bool) -> None:
    """413 and the like; the connection is not used again."""
    consumed = [0]

    async def endless() -> AsyncIterator[bytes]:
        while True:
            consumed[0] += 1
            yield bytes(100_000)

    early = answer(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig", then=leave)
    exchange, body = exchange_with(early, tls=tls, outgoing=get(method="POST", body=endless()))

    assert (answered(exchange).status, body) == (413, b"big")
    assert consumed[0] < 1000


def test_failing_body_of_the_caller_is_the_callers() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise RuntimeError("the caller has gone")

    async def run() -> list[object]:
        async with serve_script(hold) as port, egress() as sender:
            with pytest.raises(RuntimeError, match="the caller has gone"):
                await sender.send(get(method="POST", body=broken()), to(port), timeout=10)
            return list(sender.connections())

    assert in_loop(run) == []


@pytest.mark.parametrize("wrong", [2, 4])
def test_body_of_another_length_than_said_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match=r"request body: expected . octets, saw 3"):
        exchange_with(hold, tls=False, outgoing=get(method="POST", body=pieces(3), length=wrong))


@pytest.mark.parametrize(
    "outgoing",
    [
        Outgoing("GET", "/ HTTP/1.1\r\nX: y", []),
        Outgoing("GET", "/a b", []),
        Outgoing("GET", "/", [("X", "a\r\nY: b")]),
        Outgoing("GET", "/", [("X", "a\nb")]),
        Outgoing("GET\r\n", "/", []),
    ],
)
def test_request_that_would_not_stay_one_request_is_refused(outgoing: Outgoing) -> None:
    async def run() -> None:
        async with egress() as sender:
            with pytest.raises(ValueError, match="expected no"):
                await sender.send(outgoing, to(1), timeout=1)

    in_loop(run)


def test_cancelled_caller_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        try:
            await hold(reader, writer)
        finally:
            gone.set()

    async def run() -> None:
        async with serve_script(watch) as port, egress() as sender:
            task = asyncio.create_task(sender.send(get(), to(port), timeout=20))
            await asked.wait()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            await gone.wait()
            assert sender.connections() == []

    asked = asyncio.Event()
    in_loop(run)


def test_octets_behind_the_answer_close_the_connection() -> None:
    async def run() -> bool:
        async with serve_script(answer(OK + b"HTTP/1.1 200 OK\r\n"), answer(OK)) as port, egress() as sender:
            assert await answered(await sender.send(get(), to(port), timeout=10)).read() == b"ok"
            return (await sender.send(get(), to(port), timeout=10)).attempts[0].reused

    assert in_loop(run) is False
