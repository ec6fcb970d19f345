"""Clients of the front door whose handshake fails or that are hardly to be read: what the log says, and that the gateway lives."""

from __future__ import annotations

import socket
import ssl
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.gateway.facade import Api, MockGateway, running
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import Sample, make_defect
from pytest_mtls.harness.pki.issue import CA_EXTENSIONS, issue, self_signed, with_extensions
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.tls.observation import TlsVersion
from pytest_mtls.harness.wait import poll_until

from .front_door_support import VERSIONS, Caller, visit
from .running import Backend

NAME = "api.example.com"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def gateway(mtls_gateway: MockGateway) -> MockGateway:
    """A gateway whose domains are AVAILABLE at once."""
    mtls_gateway.set(domain_update_ms=0)
    return mtls_gateway


@pytest.fixture
def api(gateway: MockGateway, behind: Backend, hierarchy: Hierarchy) -> Api:
    """An API that answers 200, behind the domain."""
    made = gateway.proxy_api(behind.url)
    gateway.domain(NAME, truststore=hierarchy.certificates, api=made)
    return made


def noted(gateway: MockGateway, hierarchy: Hierarchy) -> list[dict[str, Any]]:
    """What the log has of the bad client; a good one is let in after it."""
    entries = [dict(entry) for entry in gateway.log.front_door()]
    assert visit(gateway, NAME, hierarchy.issue()).status == 200
    return entries


def closed(reason: str, version: TlsVersion) -> dict[str, Any]:
    """The members of an entry that a failed handshake has in common."""
    shown = {TlsVersion.TLS12: "TLSv1.2", TlsVersion.TLS13: "TLSv1.3"}[version]
    common: dict[str, Any] = {"domain": NAME, "outcome": "closed", "request_id": None, "execution_log": []}
    return {**common, "reason": reason, "tls_version": shown}


def test_certificate_that_is_no_der(gateway: MockGateway, api: Api, hierarchy: Hierarchy) -> None:
    """One octet was changed on its way, which TLS 1.2 lets pass as far as the parser."""
    credential = hierarchy.issue()
    der = credential.leaf.public_bytes(Encoding.DER)
    assert der[4] == 0x30  # the sequence of what is signed

    def alter(data: bytes) -> bytes:
        return data.replace(der, der[:4] + b"\x31" + der[5:])

    with Caller(gateway, NAME, credential, TlsVersion.TLS12, alter=alter) as caller:
        seen = caller.get()
    (entry,) = noted(gateway, hierarchy)

    assert (seen.status, seen.closed) == (None, True)
    assert entry["reason"].startswith("TLS handshake failed: ")
    assert entry | closed(entry["reason"], TlsVersion.TLS12) == entry
    assert (entry["subject_dn"], entry["serial_number"]) == (None, None)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_certificate_message_over_the_limit(
    version: TlsVersion, gateway: MockGateway, api: Api, hierarchy: Hierarchy
) -> None:
    """OpenSSL takes 100 KB of it."""
    seen = visit(gateway, NAME, replace(hierarchy.issue(), chain=hierarchy.certificates * 400), version)
    (entry,) = noted(gateway, hierarchy)

    assert (seen.status, seen.closed) == (None, True)
    assert entry | closed("TLS handshake failed: excessive message size", version) == entry


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_huge_certificate_within_the_limit_is_judged_like_any_other(
    version: TlsVersion, gateway: MockGateway, api: Api, hierarchy: Hierarchy
) -> None:
    """Of 80 KB; a stranger of the same size is refused."""
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), bytes(80_000))
    good, bad = (_with(unknown, one) for one in (hierarchy, new_hierarchy()))

    assert visit(gateway, NAME, good, version).status == 200
    assert visit(gateway, NAME, bad, version).status == 403
    accepted, forbidden = noted(gateway, hierarchy)
    assert (accepted["outcome"], accepted["reason"]) == ("accepted", None)
    assert (forbidden["outcome"], forbidden["reason"]) == ("forbidden", "Could not find issuer for certificate")


def _with(extension: x509.UnrecognizedExtension, hierarchy: Hierarchy) -> Credential:
    credential = hierarchy.issue()
    leaf = with_extensions(credential.leaf, hierarchy.issuing.key, ((extension, False),))
    return replace(credential, leaf=leaf, chain=())


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_certificate_without_its_key(version: TlsVersion, gateway: MockGateway, api: Api, hierarchy: Hierarchy) -> None:
    """A copy: the log says whose it was, and that nobody proved to hold it."""
    own = hierarchy.issue(rsa_key=True)
    copied = make_defect("copied-certificate", Sample(own, hierarchy))
    seen = visit(gateway, NAME, copied, version)
    (entry,) = noted(gateway, hierarchy)

    assert (seen.status, seen.closed) == (None, True)
    assert entry["reason"].startswith("TLS handshake failed: bad signature")
    assert entry | closed(entry["reason"], version) == entry
    assert own.leaf.subject.rfc4514_string().partition(",")[0] in entry["subject_dn"]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_client_that_does_not_trust_the_domain(
    version: TlsVersion, gateway: MockGateway, api: Api, hierarchy: Hierarchy
) -> None:
    """The commonest mistake on the other side: it was the client that ended it."""
    context = ssl.create_default_context()
    context.minimum_version = context.maximum_version = {
        TlsVersion.TLS12: ssl.TLSVersion.TLSv1_2,
        TlsVersion.TLS13: ssl.TLSVersion.TLSv1_3,
    }[version]
    with (
        socket.create_connection(("127.0.0.1", gateway._gateway.tls_port), timeout=10) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(raw, server_hostname=NAME)
    assert poll_until(lambda: bool(gateway.log.front_door()), 10)  # the client has gone before its alert arrives
    (entry,) = noted(gateway, hierarchy)

    assert entry | closed("the client ended the TLS handshake: alert unknown ca", version) == entry


def test_what_is_no_tls_is_nobody_s_entry(gateway: MockGateway, api: Api, hierarchy: Hierarchy) -> None:
    """It named no domain."""
    with socket.create_connection(("127.0.0.1", gateway._gateway.tls_port), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while raw.recv(4096):
            continue

    assert noted(gateway, hierarchy) == []


def test_failed_handshake_for_a_domain_without_mutual_tls_is_nobody_s_entry(gateway: MockGateway) -> None:
    """The log of the front door is of domains with mutual TLS alone."""
    gateway.domain(NAME)
    with (
        socket.create_connection(("127.0.0.1", gateway._gateway.tls_port), timeout=10) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(raw, server_hostname=NAME)

    assert visit(gateway, NAME).status == 403
    assert gateway.log.front_door() == []


def test_country_that_is_no_code_keeps_nobody_out(gateway: MockGateway, behind: Backend) -> None:
    """``C=USA`` is common in the field; that cryptography warns of it is nothing for a suite whose warnings are errors."""
    with warnings.catch_warnings(action="ignore"):
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "USA", _validate=False)
        root, client = (x509.Name([country, x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("CA", "client"))
        keys, now = (new_ec_key(), new_ec_key()), datetime.now(UTC)
        life = now - timedelta(days=1), now + timedelta(days=1)
        authority = self_signed(root, keys[0], *life, extensions=CA_EXTENSIONS)
        credential = Credential(issue(client, keys[1], *life, issuer=root, issuer_key=keys[0]), keys[1])
    mapped = {"integration.request.header.X-Client": "context.identity.clientCert.issuerDN"}
    made = gateway.proxy_api(behind.url)
    place = {"restApiId": made.id, "httpMethod": "ANY"}
    place["resourceId"] = gateway.perform("GetRestApi", restApiId=made.id)["rootResourceId"]
    changes = [{"op": "add", "path": f"/requestParameters/{name}", "value": value} for name, value in mapped.items()]
    gateway.perform("UpdateIntegration", **place, patchOperations=changes)
    domain = gateway.domain(NAME, truststore=[authority], api=made)

    assert visit(gateway, NAME, credential).status == 200
    assert (gateway.log.front_door()[0]["outcome"], gateway.log.front_door()[0]["subject_dn"]) == (
        "accepted",
        "C=USA,CN=client",
    )
    assert behind.header("X-Client") == ["C=USA,CN=CA"]
    assert domain.trust([authority]) == []


def test_gateway_that_stops_lets_go_of_who_is_in_the_middle_of_a_handshake() -> None:
    """Nobody is left waiting on a connection that no one serves."""
    with running() as gateway:
        there = ("127.0.0.1", gateway._gateway.tls_port)
        first, second = (socket.create_connection(there, timeout=10) for _ in range(2))
        first.sendall(b"\x16\x03\x01\x02\x00")
        front = gateway._gateway.front_door
        assert poll_until(lambda: gateway.call(lambda: len(front._connections)) == 2, 10)
    with first, second:
        assert [one.recv(1) for one in (first, second)] == [b"", b""]
