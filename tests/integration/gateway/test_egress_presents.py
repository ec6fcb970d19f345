"""What the gateway presents to a backend, and what it keeps to itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509

from pytest_mtls.harness.gateway.egress import Exchange, Trust
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.tls.observation import TlsVersion

from ..dialogue import Dialogue
from ..peers import Peers
from .egress_support import egress, gateway_certificate, get, in_loop, one_attempt, serve_http, server, to, whoami


def test_certificate_goes_out_when_it_is_asked_for() -> None:
    async def run() -> None:
        async with serve_http(whoami, names=(gateway_certificate(),)) as port, egress() as sender:
            exchange = await sender.send(get(), to(port), timeout=10)
            tls = one_attempt(exchange)
            assert exchange.answer is not None
            assert await exchange.answer.read() == gateway_certificate().fingerprint.encode()
            (shown,) = sender.connections()
            number = tls["connection"]
        assert tls == {
            "connection": number,
            "reused": False,
            "version": "TLSv1.2",
            "cipher": tls["cipher"],
            "server_name": "localhost",
            "requested": True,
            "acceptable_issuers": ["CN=ApiGateway,L=Seattle,C=US"],
            "presented": "cert1",
            "presented_sha256": gateway_certificate().fingerprint,
            "not_presented": None,
            "alert_received": None,
            "closed": None,
            "server_certificate": {"verdict": "ok", "subject": server().subject, "sha256": server().fingerprint},
        }
        assert tls["cipher"]
        assert shown == {
            "id": number,
            "api_id": "abcdefghij",
            "stage": "prod",
            "host": "localhost",
            "port": port,
            "presented": "cert1",
            "state": "idle",
            "requests": 1,
        }

    in_loop(run)


@pytest.mark.parametrize(
    ("ask", "number", "reason"),
    [(False, 1, "not-requested"), (True, None, "none-configured"), (False, None, "not-requested")],
)
def test_certificate_does_not_go_out_unasked_and_nothing_is_an_empty_one(
    ask: bool, number: int | None, reason: str
) -> None:
    async def run() -> None:
        async with serve_http(whoami, ask=ask) as port, egress() as sender:
            exchange = await sender.send(get(), to(port, number=number), timeout=10)
            tls = one_attempt(exchange)
            assert exchange.answer is not None and await exchange.answer.read() == b"nobody"
            assert (tls["requested"], tls["presented"], tls["presented_sha256"]) == (ask, None, None)
            assert tls["not_presented"] == reason

    in_loop(run)


@pytest.mark.parametrize(
    ("names", "setting", "presented"),
    [
        ("foreign", "ignore", True),
        ("foreign", "strict", False),
        ("own", "strict", True),
        ("none", "strict", True),
    ],
)
def test_acceptable_issuers_count_in_strict_mode_alone(names: str, setting: str, presented: bool) -> None:
    known = {"foreign": (server(),), "own": (server(), gateway_certificate(2)), "none": ()}[names]

    async def run() -> None:
        async with serve_http(whoami, names=known) as port, egress(ca_names=setting) as sender:
            exchange = await sender.send(get(), to(port), timeout=10)
            tls = one_attempt(exchange)
            assert exchange.answer is not None
            expected = gateway_certificate().fingerprint if presented else "nobody"
            assert (await exchange.answer.read()).decode() == expected
            assert tls["not_presented"] == (None if presented else "issuer-not-acceptable")

    in_loop(run)


@pytest.mark.parametrize("setting", ["ignore", "strict"])
def test_whole_chain_is_presented(tls12: Peers, setting: str) -> None:
    """Also in strict mode, by the issuer of any certificate of the chain."""
    authorities = new_hierarchy(3)
    chains: list[tuple[x509.Certificate, ...]] = []

    def note(dialogue: Dialogue) -> None:
        dialogue.shake_hands()
        chains.append(dialogue.chain)
        dialogue.read_request()
        dialogue.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        dialogue.hold()

    credential = authorities.issue()
    peer = tls12.start(note, versions=(TlsVersion.TLS12,))

    async def run() -> Exchange:
        async with egress(ca_names=setting) as sender:
            where = replace(to(peer.port), credential=credential, presented_as="arn:aws:acm:x")
            return await sender.send(get(), where, timeout=10)

    assert one_attempt(in_loop(run))["presented"] == "arn:aws:acm:x"
    assert chains == [credential.certificates]


@pytest.mark.parametrize(("present", "reason"), [(True, None), (False, "expired")])
def test_expired_certificate_is_presented_unless_set_otherwise(present: bool, reason: str | None) -> None:
    long_ago = gateway_certificate().leaf.not_valid_after_utc + timedelta(days=1)
    eternal = new_hierarchy(1)
    served = eternal.issue("localhost", names=("localhost",), not_after=long_ago + timedelta(days=30))

    async def run() -> None:
        trust = Trust([eternal.root], platform=False)
        async with (
            serve_http(whoami, credential=served) as port,
            egress(clock=lambda: long_ago, present_expired=present, trust=trust) as sender,
        ):
            exchange = await sender.send(get(), to(port), timeout=10)
            assert exchange.answer is not None, exchange
            body = (await exchange.answer.read()).decode()
            assert body == (gateway_certificate().fingerprint if present else "nobody")
            assert one_attempt(exchange)["not_presented"] == reason

    in_loop(run)


def test_address_has_no_sni() -> None:
    async def run() -> None:
        async with serve_http(whoami) as port, egress() as sender:
            tls = one_attempt(await sender.send(get(), to(port, "127.0.0.1"), timeout=10))
            assert tls["server_name"] is None
            assert tls["server_certificate"] is not None and tls["server_certificate"]["verdict"] == "ok"

    in_loop(run)
