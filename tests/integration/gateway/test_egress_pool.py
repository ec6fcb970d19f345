"""Which connection carries which request, and when connections end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from pytest_mtls.harness.gateway.egress import Destination, Egress, Exchange, Outgoing, pool

from .egress_support import (
    OK,
    answer,
    egress,
    eventually,
    gateway_certificate,
    get,
    in_loop,
    keep_serving,
    leave,
    one_attempt,
    reset,
    serve_http,
    serve_script,
    tls_of,
    to,
    whoami,
)


async def read(
    sender: Egress, where: Destination, outgoing: Outgoing | None = None, **how: bool
) -> tuple[Exchange, bytes]:
    """One exchange with its body."""
    exchange = await sender.send(outgoing or get(), where, timeout=10, **how)
    return exchange, b"" if exchange.answer is None else await exchange.answer.read()


def reused(exchange: Exchange) -> list[bool]:
    """For each attempt, whether its connection had carried others before."""
    return [attempt.reused for attempt in exchange.attempts]


def states(sender: Egress) -> list[tuple[str | None, str, int]]:
    """The open connections: certificate, state, requests."""
    return [(one["presented"], one["state"], one["requests"]) for one in sender.connections()]


def test_requests_one_after_the_other_share_a_connection() -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress() as sender:
            first, _ = await read(sender, to(port))
            second, _ = await read(sender, to(port))
            assert (reused(first), reused(second)) == ([False], [True])
            one, two = one_attempt(first), one_attempt(second)
            assert two == {**one, "reused": True}
            assert states(sender) == [("cert1", "idle", 2)]

    in_loop(run)


@pytest.mark.parametrize(
    "other", [{"number": 2}, {"number": None}, {"insecure_skip_verification": True}, {"host": "127.0.0.1"}]
)
def test_what_differs_in_certificate_mode_or_host_shares_none(other: dict[str, object]) -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress(skip_needs_root=False) as sender:
            await read(sender, to(port))
            exchange, _ = await read(sender, to(port, **other))  # type: ignore[arg-type]
            assert reused(exchange) == [False]
            assert len(sender.connections()) == 2

    in_loop(run)


def test_thousand_requests_with_switching_certificates_never_mix() -> None:
    numbers = (1, 2, 3, None)

    async def run() -> Counter[bool]:
        wrong, seen = [], Counter[bool]()
        async with serve_http(whoami) as port, egress() as sender:
            work = iter(range(1000))

            async def caller() -> None:
                for n in work:
                    number = numbers[(n * 7 + n // 13) % 4]
                    exchange, body = await read(sender, to(port, number=number))
                    expected = "nobody" if number is None else gateway_certificate(number).fingerprint
                    if body.decode() != expected:
                        wrong.append(n)
                    seen.update(reused(exchange))

            await asyncio.gather(*(caller() for _ in range(8)))
            assert wrong == []
            assert len(sender.connections()) <= 32
        return seen

    assert in_loop(run)[True] >= 1000 - 32


@pytest.mark.parametrize("ending", [leave, reset], ids=["fin", "rst"])
@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_request_on_a_connection_found_closed_is_sent_once_more(tls: bool, ending: object) -> None:
    """The backend closes as soon as it has the second request: the race of every keep-alive."""
    scheme = "https" if tls else "http"
    first = answer(OK, then=answer(b"", then=ending))  # type: ignore[arg-type]

    async def run() -> None:
        async with serve_script(first, keep_serving, tls=tls) as port, egress() as sender:
            await read(sender, to(port, scheme=scheme))
            exchange, body = await read(sender, to(port, scheme=scheme), get(method="POST", body=b""))
            assert body == b"ok"
            assert reused(exchange) == [True, False]
            assert [(one.number, one.outcome, one.backend_status) for one in exchange.attempts] == [
                (1, "network-error", None),
                (2, "response", 200),
            ]
            if tls:
                one, two = (tls_of(attempt.tls) for attempt in exchange.attempts)
                assert one["connection"] != two["connection"]
                assert (one["closed"] is not None, two["closed"]) == (True, None)

    in_loop(run)


def test_fresh_connection_found_closed_is_not_tried_again() -> None:
    async def run() -> None:
        async with serve_script(leave, keep_serving) as port, egress() as sender:
            exchange, _ = await read(sender, to(port))
            assert reused(exchange) == [False]
            assert exchange.failure is not None and exchange.failure.outcome == "network-error"

    in_loop(run)


def test_answer_that_began_is_not_asked_for_again() -> None:
    first = answer(OK, then=answer(b"HTTP/1.1 200", then=leave))

    async def run() -> None:
        async with serve_script(first, keep_serving) as port, egress() as sender:
            await read(sender, to(port))
            exchange, _ = await read(sender, to(port))
            assert reused(exchange) == [True]
            assert exchange.failure is not None and exchange.failure.outcome == "network-error"

    in_loop(run)


def test_streamed_body_that_was_begun_is_not_sent_again() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    async def run() -> None:
        async with serve_script(answer(OK, then=answer(b"", then=leave)), keep_serving) as port, egress() as sender:
            await read(sender, to(port))
            exchange, _ = await read(sender, to(port), get(method="POST", body=body()))
            assert reused(exchange) == [True]
            assert exchange.failure is not None

    in_loop(run)


def test_closed_idle_connection_leaves_the_pool() -> None:
    async def run() -> None:
        async with serve_script(answer(OK, then=leave)) as port, egress() as sender:
            await read(sender, to(port))
            await eventually(lambda: sender.connections() == [])

    in_loop(run)


def test_connection_close_is_heeded() -> None:
    data = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

    async def run() -> None:
        async with serve_script(answer(data)) as port, egress() as sender:
            await read(sender, to(port))
            assert sender.connections() == []

    in_loop(run)


def test_fresh_request_neither_takes_nor_leaves_a_connection() -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress() as sender:
            await read(sender, to(port))
            exchange, _ = await read(sender, to(port), fresh=True)
            assert reused(exchange) == [False]
            assert states(sender) == [("cert1", "idle", 1)]

    in_loop(run)


def test_idle_connection_is_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_IDLE_SECONDS", 0.05)

    async def run() -> None:
        async with serve_http(whoami) as port, egress() as sender:
            await read(sender, to(port))
            await eventually(lambda: sender.connections() == [])

    in_loop(run)


# --- after a change


def test_retired_certificates_idle_connections_are_closed_and_others_stay() -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress() as sender:
            for number in (1, 2, None):
                await read(sender, to(port, number=number))
            sender.retire({"cert2"})
            assert states(sender) == [("cert2", "idle", 1), (None, "idle", 1)]

    in_loop(run)


def test_request_in_flight_finishes_on_a_retired_connection_which_is_then_closed() -> None:
    async def run() -> None:
        release, arrived = asyncio.Event(), asyncio.Event()

        async def wait(request: web.BaseRequest) -> web.Response:
            arrived.set()
            await release.wait()
            return await whoami(request)

        async with serve_http(wait) as port, egress() as sender:
            task = asyncio.create_task(read(sender, to(port)))
            await arrived.wait()
            sender.retire({"cert2"})
            assert states(sender) == [("cert1", "busy", 1)]
            release.set()
            _, body = await task
            assert body == gateway_certificate().fingerprint.encode()
            assert sender.connections() == []

    in_loop(run)


def test_connection_that_a_late_request_opened_with_a_retired_certificate_is_not_kept() -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress() as sender:
            sender.retire({"cert2"})
            await read(sender, to(port))
            assert sender.connections() == []

    in_loop(run)


def test_former_connection_carries_requests_of_its_stage_while_it_lingers() -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress(linger_ms=20_000) as sender:
            await read(sender, to(port))
            sender.retire({"cert2"})
            exchange, body = await read(sender, to(port, number=2))
            assert (body, reused(exchange)) == (gateway_certificate().fingerprint.encode(), [True])
            assert one_attempt(exchange)["presented"] == "cert1"
            elsewhere = Destination("https", "localhost", port, "other", "prod", gateway_certificate(2), "cert2")
            assert (await read(sender, elsewhere))[1] == gateway_certificate(2).fingerprint.encode()

    in_loop(run)


def test_former_connection_is_closed_once_it_has_lingered() -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress(linger_ms=50) as sender:
            await read(sender, to(port))
            sender.retire({"cert2"})
            assert len(sender.connections()) == 1
            await eventually(lambda: sender.connections() == [])

    in_loop(run)


def test_certificate_that_is_in_use_again_keeps_its_connection() -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress(linger_ms=20_000) as sender:
            await read(sender, to(port))
            sender.retire(set())
            sender.retire({"cert1"})
            assert reused((await read(sender, to(port)))[0]) == [True]

    in_loop(run)


def test_close_idle_closes_the_idle_and_lets_the_busy_finish() -> None:
    async def run() -> None:
        release, arrived = asyncio.Event(), asyncio.Event()

        async def wait(request: web.BaseRequest) -> web.Response:
            if request.path == "/wait":
                arrived.set()
                await release.wait()
            return await whoami(request)

        async with serve_http(wait) as port, egress() as sender:
            task = asyncio.create_task(read(sender, to(port), get("/wait")))
            await arrived.wait()
            await read(sender, to(port))
            sender.close_idle()
            assert states(sender) == [("cert1", "busy", 1)]
            release.set()
            await task
            assert sender.connections() == []

    in_loop(run)


# --- resumption


@pytest.mark.parametrize("resumption", [False, True])
def test_sessions_are_resumed_when_set_and_never_with_another_certificate(resumption: bool) -> None:
    resumed: list[bool] = []

    async def note(request: web.BaseRequest) -> web.Response:
        resumed.append(request.get_extra_info("mtls").resumed)
        answer = await whoami(request)
        answer.force_close()
        return answer

    async def run() -> None:
        async with serve_http(note) as port, egress(egress_resumption=resumption) as sender:
            for number in (1, 1, 2):
                exchange, body = await read(sender, to(port, number=number))
                assert body == gateway_certificate(number).fingerprint.encode()
                certificate = one_attempt(exchange)["server_certificate"]
                assert certificate is not None and certificate["verdict"] == "ok"

    in_loop(run)
    assert resumed == [False, resumption, False]
