"""TLS between gateway and backend: what is presented to whom, whom the gateway trusts, and what becomes of alerts."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto

from pytest_mtls.harness.gateway.egress import Exchange, Trust
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy, server_credential
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.issue import CA_EXTENSIONS, issue, self_signed
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.tls.observation import TlsVersion

from ..dialogue import Dialogue, Gone
from ..peers import Peer, Peers, serve, server_context
from ..scripts import after_handshake, after_request, alert, at_certificate, unasked, vanish
from .egress_support import (
    egress,
    gateway_certificate,
    get,
    hierarchy,
    hold,
    in_loop,
    one_attempt,
    presented_to,
    serve_http,
    serve_script,
    server,
    to,
)

PATH = (
    "Execution failed due to configuration error: PKIX path building failed: "
    "sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target"
)
VALIDITY = (
    "Execution failed due to configuration error: PKIX path validation failed: "
    "java.security.cert.CertPathValidatorException: validity check failed"
)
LATIN = ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 4).encode()
NETWORK = "Execution failed due to a network error communicating with endpoint: Connection is closed"


@pytest.fixture
def tls12(client: Credential) -> Iterator[Peers]:
    """Scripted peers with the good server certificate."""
    with Peers(server()) as peers:
        yield peers


async def whoami(request: web.BaseRequest) -> web.Response:
    """Says which certificate came."""
    return web.Response(text=presented_to(request) or "nobody")


def send_to(port: int, host: str = "localhost", **settings: Any) -> Exchange:
    """One request; its answer is read."""
    ours = {name: settings.pop(name) for name in ("clock", "resolve", "trust") if name in settings}
    of_destination = {n: settings.pop(n) for n in ("number", "insecure_skip_verification") if n in settings}

    async def run() -> Exchange:
        async with egress(**ours, **settings) as sender:
            exchange = await sender.send(get(), to(port, host, **of_destination), timeout=10)
            if exchange.answer is not None:
                await exchange.answer.read()
            return exchange

    return in_loop(run)


def line(exchange: Exchange) -> str:
    """The line of the execution log."""
    assert exchange.failure is not None
    return exchange.failure.line


# --- what is presented


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


# --- whom the gateway trusts


def refused(exchange: Exchange, verdict: str) -> str:
    """Assert the verdict, and that the certificate did not go out; returns the line."""
    tls = one_attempt(exchange)
    assert exchange.failure is not None and exchange.failure.outcome == "configuration-error"
    assert tls["server_certificate"] is not None and tls["server_certificate"]["verdict"] == verdict
    assert tls["presented"] is None
    return exchange.failure.line


def judged(credential: Credential, verdict: str, **settings: Any) -> str:
    """Send to a backend with *credential*, which must be refused so; it must see no certificate and no request."""

    async def run() -> str:
        asked: list[bytes] = []

        async def never(request: web.BaseRequest) -> web.Response:
            asked.append(request.raw_path.encode())
            return web.Response()

        clock = settings.pop("clock", None)
        others = {} if clock is None else {"clock": clock}
        host = settings.pop("host", "localhost")
        async with serve_http(never, credential=credential) as port, egress(**others) as sender:
            exchange = await sender.send(get(), to(port, host, **settings), timeout=10)
            assert asked == []
            assert sender.connections() == []
            return refused(exchange, verdict)

    return in_loop(run)


BOTH_MODES = pytest.mark.parametrize("skip", [False, True], ids=["verified", "insecure"])


def test_untrusted_server_is_refused() -> None:
    assert judged(server_credential(), "untrusted") == PATH


def test_private_root_is_let_in_by_insecure_skip_verification() -> None:
    strangers = new_hierarchy(2)
    served = server_credential(hierarchy=strangers)

    async def run() -> None:
        async with (
            serve_http(whoami, credential=replace(served, chain=(*served.chain, strangers.root))) as port,
            egress() as sender,
        ):
            tls = one_attempt(await sender.send(get(), to(port, insecure_skip_verification=True), timeout=10))
            assert tls["server_certificate"] is not None and tls["server_certificate"]["verdict"] == "ok"

    in_loop(run)


@BOTH_MODES
@pytest.mark.parametrize(("days", "verdict"), [(400, "expired"), (-400, "not-yet-valid")])
def test_server_out_of_its_validity_by_the_gateways_clock_is_refused(skip: bool, days: int, verdict: str) -> None:
    then = datetime.now(UTC) + timedelta(days=days)

    assert judged(server(), verdict, clock=lambda: then, insecure_skip_verification=skip) == VALIDITY


@BOTH_MODES
def test_wrong_host_is_refused(skip: bool) -> None:
    served = hierarchy().issue("a.example", names=("a.example", "*.b.example"))

    told = judged(served, "host-mismatch", insecure_skip_verification=skip)

    assert told.startswith(
        "Execution failed due to configuration error: Host name 'localhost' does not match the certificate subject "
        "provided by the peer (CN=a.example, OU="
    )


@BOTH_MODES
def test_link_that_does_not_verify_is_refused(skip: bool) -> None:
    twin = _lookalike_root(hierarchy())
    served = replace(server(), chain=())
    forged = issue(
        served.leaf.subject,
        served.key,
        served.leaf.not_valid_before_utc,
        served.leaf.not_valid_after_utc,
        issuer=hierarchy().root.subject,
        issuer_key=twin.key,
        extensions=((served.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, False),),
    )

    assert judged(Credential(forged, served.key), "broken-chain", insecure_skip_verification=skip) == PATH


def test_self_signed_leaf_is_no_root() -> None:
    assert judged(_self_signed_server(), "bad-root", insecure_skip_verification=True) == PATH


def test_missing_root_is_refused_even_under_insecure_skip_verification() -> None:
    assert judged(server_credential(), "bad-root", insecure_skip_verification=True) == PATH


def test_chain_that_ends_without_root_passes_when_set_so() -> None:
    async def run() -> None:
        async with (
            serve_http(whoami, credential=server_credential()) as port,
            egress(skip_needs_root=False) as sender,
        ):
            tls = one_attempt(await sender.send(get(), to(port, insecure_skip_verification=True), timeout=10))
            assert tls["server_certificate"] is not None and tls["server_certificate"]["verdict"] == "ok"

    in_loop(run)


def test_server_that_is_refused_gets_an_alert_and_no_certificate(tls12: Peers) -> None:
    seen: list[object] = []

    def look(dialogue: Dialogue) -> None:
        try:
            dialogue.shake_hands()
        except Gone as gone:
            seen.append(str(gone.__cause__))
            raise
        finally:
            seen.append(dialogue.chain)

    peer = tls12.start(look, server=server_credential(), versions=(TlsVersion.TLS12,))
    exchange = send_to(peer.port)
    tls12.__exit__()

    refused(exchange, "untrusted")
    assert len(seen) == 2 and "certificate unknown" in str(seen[0]) and seen[1] == ()


@BOTH_MODES
@pytest.mark.parametrize(
    ("good", "odd"),
    [
        (b"\x0c\x08" + LATIN, b"\x14\x08" + b"\xe9" * 8),
        (b"\2\4\x12\x34\x56\x78", b"\2\4\x82\x34\x56\x78"),
        (b"\xa0\3\2\1\2", b"\xa0\3\2\1\7"),
    ],
    ids=["Latin-1 name", "negative serial", "version 8"],
)
def test_odd_server_certificate_is_refused(tls12: Peers, tmp_path: Path, skip: bool, good: bytes, odd: bytes) -> None:
    key, now = new_ec_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, LATIN.decode())])
    certificate = self_signed(name, key, now - timedelta(days=1), now + timedelta(days=1), serial=0x12345678)
    path = tmp_path / "server.der"
    path.write_bytes(certificate.public_bytes(Encoding.DER).replace(good, odd))
    context = server_context(replace(server(), chain=()), (TlsVersion.TLS12,))
    context.use_certificate_file(str(path), crypto.FILETYPE_ASN1)
    context.use_privatekey(key)
    peer = tls12.listen(Peer("127.0.0.1", context))

    exchange = send_to(peer.port, insecure_skip_verification=skip)

    tls = one_attempt(exchange)["server_certificate"]
    assert line(exchange) == PATH
    assert tls is not None
    assert tls["verdict"] in ("untrusted", "bad-root", "broken-chain")
    assert tls["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_refused_server_spoils_no_other_connection() -> None:
    """OpenSSL queues its errors by thread, and connections share the loop's thread."""
    twin = _lookalike_root(hierarchy())
    forged = issue(
        server().leaf.subject,
        server().key,
        server().leaf.not_valid_before_utc,
        server().leaf.not_valid_after_utc,
        issuer=hierarchy().root.subject,
        issuer_key=twin.key,
    )
    release, arrived = asyncio.Event(), asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.Response:
        arrived.set()
        await release.wait()
        return web.Response(text="fine")

    async def run() -> None:
        async with (
            serve_http(wait) as good,
            serve_http(wait, credential=Credential(forged, server().key)) as bad,
            egress() as sender,
        ):
            task = asyncio.create_task(sender.send(get(), to(good), timeout=10))
            await arrived.wait()
            refused(await sender.send(get(), to(bad), timeout=10), "broken-chain")
            release.set()
            exchange = await task
            assert exchange.answer is not None and await exchange.answer.read() == b"fine"

    in_loop(run)


def _self_signed_server() -> Credential:
    key, now = new_ec_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    leaf = self_signed(name, key, now - timedelta(days=1), now + timedelta(days=1), extensions=((names, False),))
    return Credential(leaf, key)


def _lookalike_root(true: Hierarchy) -> Credential:
    key, now = new_ec_key(), datetime.now(UTC)
    root = self_signed(
        true.root.subject, key, now - timedelta(days=1), now + timedelta(days=1), extensions=CA_EXTENSIONS
    )
    return Credential(root, key)


# --- alerts and closes


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


# --- names and addresses


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
