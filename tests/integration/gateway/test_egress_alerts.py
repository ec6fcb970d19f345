"""What becomes of a backend's alerts, and of its closing without a word."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_mtls.harness.gateway.egress import Exchange
from pytest_mtls.harness.tls.observation import TlsVersion

from ..dialogue import Dialogue, Gone
from ..peers import Peers, serve
from ..scripts import after_handshake, after_request, alert, at_certificate, unasked, vanish
from .egress_support import NETWORK, egress, get, hold, in_loop, line, one_attempt, send_to, serve_script, to


@pytest.mark.parametrize("number", [48, 42, 45, 46, 40, 49])
def test_alert_in_the_handshake_is_a_configuration_error(tls12: Peers, number: int) -> None:
    names = {48: "unknown_ca", 42: "bad_certificate", 45: "certificate_expired", 46: "certificate_unknown"}
    name = {**names, 40: "handshake_failure", 49: "access_denied"}[number]
    peer = tls12.start(at_certificate(alert(number), Dialogue.fin), versions=(TlsVersion.TLS12,))

    exchange = send_to(peer.port)

    assert line(exchange) == f"Execution failed due to configuration error: Received fatal alert: {name}"
    tls = one_attempt(exchange)
    assert (tls["alert_received"], tls["presented"]) == ({"number": number, "name": name}, "cert1")


def test_alert_after_the_request_is_a_configuration_error(tls12: Peers) -> None:
    peer = tls12.start(after_request(Dialogue.choke, Dialogue.fin), versions=(TlsVersion.TLS12,))

    exchange = send_to(peer.port)

    assert line(exchange) == "Execution failed due to configuration error: Received fatal alert: bad_record_mac"


def test_alert_while_a_big_body_is_still_being_written_is_read(tls12: Peers) -> None:
    peer = tls12.start(after_handshake(Dialogue.choke, vanish), versions=(TlsVersion.TLS12,))

    async def run() -> Exchange:
        async with egress() as sender:
            return await sender.send(get(method="POST", body=bytes(8_000_000)), to(peer.port), timeout=10)

    assert line(in_loop(run)).endswith("Received fatal alert: bad_record_mac")


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        (moment, end)
        for moment in (at_certificate, after_handshake, after_request, unasked)
        for end in (Dialogue.fin, Dialogue.reset, vanish, Dialogue.close_notify)
        if (moment, end) != (at_certificate, Dialogue.close_notify)  # OpenSSL says none within a handshake
    ],
)
def test_close_without_alert_is_a_network_error(tls12: Peers, moment: Any, end: Any) -> None:
    peer = tls12.start(moment(end), versions=(TlsVersion.TLS12,))

    exchange = send_to(peer.port)

    assert line(exchange) == NETWORK
    assert one_attempt(exchange)["closed"] == ("clean" if end is Dialogue.close_notify else "abrupt")


def test_backend_that_speaks_tls13_only_is_unreachable(tls12: Peers) -> None:
    peer = tls12.start(serve, versions=(TlsVersion.TLS13,))

    exchange = send_to(peer.port)

    assert line(exchange) == "Execution failed due to configuration error: Received fatal alert: protocol_version"
    assert one_attempt(exchange)["server_certificate"] is None


def test_backend_that_speaks_no_tls_is_a_configuration_error() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await hold(reader, writer)

    async def run() -> Exchange:
        async with serve_script(plain, tls=False) as port, egress() as sender:
            return await sender.send(get(), to(port), timeout=10)

    assert line(in_loop(run)) == "Execution failed due to configuration error: General SSLEngine problem"


def test_renegotiation_is_declined(tls12: Peers) -> None:
    """A backend that asks for the certificate late gets none, and may answer all the same."""
    outcome: list[str] = []

    def late(dialogue: Dialogue) -> None:
        dialogue.shake_hands(ask=False)
        dialogue.read_request()
        try:
            dialogue.ask_late()
        except Gone:
            outcome.append("declined")
            raise
        outcome.append("done")

    peer = tls12.start(late, versions=(TlsVersion.TLS12,))
    exchange = send_to(peer.port)
    tls12.__exit__()

    assert outcome == ["declined"]
    assert line(exchange) and one_attempt(exchange)["presented"] is None
