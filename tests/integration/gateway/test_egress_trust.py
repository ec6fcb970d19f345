"""Whom the gateway trusts: backends that it refuses get neither certificate nor request."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto

from pytest_mtls.harness.gateway.egress import Exchange
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy, server_credential
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.issue import CA_EXTENSIONS, issue, self_signed
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.tls.observation import TlsVersion

from ..dialogue import Dialogue, Gone
from ..peers import Peer, Peers, server_context
from .egress_support import egress, get, hierarchy, in_loop, line, one_attempt, send_to, serve_http, server, to, whoami

PATH = (
    "Execution failed due to configuration error: PKIX path building failed: "
    "sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target"
)
VALIDITY = (
    "Execution failed due to configuration error: PKIX path validation failed: "
    "java.security.cert.CertPathValidatorException: validity check failed"
)
LATIN = ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 4).encode()


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
