"""Where the gateway finds a backend: names, addresses, and ports where nobody listens."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from .egress_support import NETWORK, egress, get, hierarchy, in_loop, line, one_attempt, send_to, serve_http, to, whoami


def test_resolve_says_where_while_the_name_stays() -> None:
    served = hierarchy().issue("api.example", names=("api.example",))

    async def run() -> None:
        names: dict[str, tuple[str, int]] = {}
        async with serve_http(whoami, credential=served) as port, egress(resolve=names) as sender:
            names["api.example"] = ("127.0.0.1", port)
            tls = one_attempt(await sender.send(get(), to(443, "api.example"), timeout=10))
            assert tls["server_name"] == "api.example"
            assert tls["server_certificate"] is not None and tls["server_certificate"]["verdict"] == "ok"

    in_loop(run)


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a..b", "x" * 64 + ".example"])
def test_name_without_address_is_a_configuration_error(host: str) -> None:
    assert line(send_to(1, host)) == "Execution failed due to configuration error: Invalid endpoint address"


def test_refused_connection_is_a_network_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    exchange = send_to(port)

    assert line(exchange) == NETWORK
    assert one_attempt(exchange)["version"] is None


def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress() as sender:
            loop = asyncio.get_running_loop()

            async def two(*_: object, **__: object) -> list[Any]:
                return [
                    (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                    for address in ("127.0.0.2", "127.0.0.1")
                ]

            monkeypatch.setattr(loop, "getaddrinfo", two)
            exchange = await sender.send(get(), to(port), timeout=10)
            assert exchange.answer is not None and exchange.answer.status == 200

    in_loop(run)
