"""Whom a custom domain with mutual TLS lets in: the contract's table, row by row, by real handshakes under TLS 1.2 and 1.3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pytest_mtls import RevocationPki
from pytest_mtls.harness.gateway.facade import Api, MockGateway
from pytest_mtls.harness.pki import der
from pytest_mtls.harness.pki.authority import Authority, Hierarchy, new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import Sample, make_defect
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.pki.issue import CA_EXTENSIONS, Extensions, issue, with_extensions
from pytest_mtls.harness.pki.issue import self_signed as self_signed_certificate
from pytest_mtls.harness.pki.keys import new_ec_key, new_rsa_key
from pytest_mtls.harness.tls.observation import TlsVersion

from .front_door_support import VERSIONS, twice_extended, visit
from .running import Backend, backend

NAME = "api.example.com"
FORBIDDEN = b'{"message":"Forbidden"}'

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def behind() -> Iterator[Backend]:
    """What stands behind the API: plain HTTP."""
    with backend() as one:
        yield one


@pytest.fixture
def gateway(mtls_gateway: MockGateway) -> MockGateway:
    """A gateway whose domains are AVAILABLE at once."""
    mtls_gateway.set(domain_update_ms=0)
    return mtls_gateway


@pytest.fixture
def api(gateway: MockGateway, behind: Backend) -> Api:
    """An API that answers 200."""
    return gateway.proxy_api(behind.url)


def hierarchy_of(depth: int) -> Hierarchy:
    """*depth* CA certificates, also more than API Gateway allows."""
    hierarchy = new_hierarchy(min(depth, 4))
    for _ in range(depth - hierarchy.depth):
        below = hierarchy.issuing.ca.create_child_ca()
        hierarchy = Hierarchy((*hierarchy.authorities, _authority(below)))
    return hierarchy


def _authority(ca: trustme.CA) -> Authority:
    key: Any = load_pem_private_key(ca.private_key_pem.bytes(), None)
    return Authority(ca, x509.load_pem_x509_certificate(ca.cert_pem.bytes()), key)


Client = tuple[Credential, tuple[x509.Certificate, ...]]
"""What a client presents, and what the truststore holds."""


def _alone(credential: Credential) -> Credential:
    return replace(credential, chain=())


def chain(depth: int) -> Callable[[], Client]:
    """A leaf, sent alone, under *depth* CA certificates, all in the truststore."""

    def make() -> Client:
        hierarchy = hierarchy_of(depth)
        return _alone(hierarchy.issue()), hierarchy.certificates

    return make


def defect(name: str, depth: int = 2) -> Callable[[], Client]:
    """A defect of the private CA's profile, with every authority that it sends along in the truststore."""

    def make() -> Client:
        hierarchy = new_hierarchy(depth)
        credential = make_defect(name, Sample(hierarchy.issue(rsa_key=True), hierarchy))
        return _alone(credential), (*hierarchy.certificates, *credential.chain)

    return make


def self_signed() -> Client:
    """Itself in the truststore, without extensions, as API Gateway's own are."""
    credential = gateway_credential()
    return credential, (credential.leaf,)


def second_of_one_name() -> Client:
    """Behind another one of the same name in the truststore, where OpenSSL would not find it."""
    credential = gateway_credential()
    return credential, (gateway_credential().leaf, credential.leaf)


def second_authority_of_one_name() -> Client:
    """Its issuer stands behind another one of the same name and without key identifiers."""
    hierarchy = new_hierarchy()
    credential = make_defect("lookalike-authority", Sample(hierarchy.issue(), hierarchy))
    return _alone(credential), (hierarchy.root, *credential.chain)


def stranger() -> Client:
    """Self-signed, and unknown."""
    return gateway_credential(), (gateway_credential().leaf,)


def sent_along() -> Client:
    """The intermediate comes from the client; the truststore has the root alone."""
    hierarchy = new_hierarchy(2)
    return hierarchy.issue(), (hierarchy.root,)


def root_missing() -> Client:
    """The issuing authority is there, the root is not."""
    hierarchy = new_hierarchy(3)
    return hierarchy.issue(), hierarchy.certificates[1:]


def middle_missing() -> Client:
    """A gap between the issuing authority and the root."""
    hierarchy = new_hierarchy(3)
    return hierarchy.issue(), (hierarchy.root, hierarchy.certificates[2])


def pinned_leaf() -> Client:
    """A leaf that is itself in the truststore, but without its issuer, ends no path."""
    credential = new_hierarchy().issue()
    return credential, (credential.leaf,)


def malformed() -> Client:
    """With one extension twice; the truststore holds it, as far as it can."""
    credential = twice_extended()
    return credential, (new_hierarchy().root, credential.leaf)


def unknown_critical_extension() -> Client:
    """Which nobody who does not know it may overlook (RFC 5280 4.2)."""
    hierarchy = new_hierarchy()
    critical = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00"), True)
    credential = hierarchy.issue()
    leaf = with_extensions(credential.leaf, hierarchy.issuing.key, (critical,))
    return replace(credential, leaf=leaf), hierarchy.certificates


def under(
    leaf_key: Any = None, authority_key: Any = None, *, authority: Extensions = CA_EXTENSIONS, name: str = "client"
) -> tuple[Credential, x509.Certificate]:
    """A leaf with a DNS name under a root with these extensions, without key identifiers."""
    now, keys = datetime.now(UTC), (leaf_key or new_ec_key(), authority_key or new_ec_key())
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, "authority")]
    ends = now - timedelta(days=1), now + timedelta(days=1)
    root = self_signed_certificate(names[1], keys[1], *ends, extensions=authority)
    alternative = (x509.SubjectAlternativeName([x509.DNSName(f"{name}.example")]), False)
    leaf = issue(names[0], keys[0], *ends, issuer=names[1], issuer_key=keys[1], extensions=(alternative,))
    return Credential(leaf, keys[0]), root


def under_authority(*extensions: tuple[x509.ExtensionType, bool]) -> Callable[[], Client]:
    """A leaf under a root whose further extensions speak against it."""

    def make() -> Client:
        credential, root = under(authority=(*CA_EXTENSIONS, *extensions))
        return credential, (root,)

    return make


def keyed(new_key: Callable[[], Any]) -> Callable[[], Client]:
    """A leaf with a key of a kind that API Gateway does not take."""

    def make() -> Client:
        credential, root = under(new_key())
        return credential, (root,)

    return make


def signed_with_md5() -> Client:
    """By an RSA authority; the two object identifiers differ in their last octet."""
    key = new_rsa_key()
    credential, root = under(authority_key=key)
    tbs, algorithm, _ = der.split_certificate(credential.leaf)
    sha256, md5 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010104")
    tbs, algorithm = tbs.replace(sha256, md5, 1), der.replace_last(algorithm, sha256, md5)
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.MD5())
    return replace(credential, leaf=der.certificate_from_parts(tbs, algorithm, signature)), (root,)


def no_signing() -> x509.KeyUsage:
    """Of an authority that may sign CRLs alone."""
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    others = dict.fromkeys((*names, "key_cert_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**others, crl_sign=True)


ACCEPTED: dict[str, Callable[[], Client]] = {
    **{f"{depth} CA certificates": chain(depth) for depth in (1, 2, 3, 4)},
    "self-signed, itself in the truststore": self_signed,
    "self-signed, second of its name": second_of_one_name,
    "issuer second of its name": second_authority_of_one_name,
    "EKU without clientAuth": defect("wrong-usage"),
    "version 1": defect("version-1"),
}
REFUSED: dict[str, tuple[Callable[[], Client], str]] = {
    "self-signed, not in the truststore": (stranger, "self signed certificate"),
    "another authority": (defect("other-authority"), "Could not find issuer for certificate"),
    "intermediate sent along": (sent_along, "Could not find issuer for certificate"),
    "root missing": (root_missing, "Could not find issuer for certificate"),
    "intermediate missing": (middle_missing, "Could not find issuer for certificate"),
    "leaf pinned without its issuer": (pinned_leaf, "Could not find issuer for certificate"),
    "signed with SHA-1": (defect("sha1-signature"), "Client cert using an insecure Signature Algorithm"),
    "signed with MD5": (signed_with_md5, "Client cert using an insecure Signature Algorithm"),
    "expired": (defect("expired"), "certificate has expired"),
    "early": (defect("not-yet-valid"), "certificate is not yet valid"),
    "5 CA certificates": (chain(5), "certificate chain too long"),
    "issuer expired": (defect("expired-intermediate"), "Could not find issuer for certificate"),
    "RSA-1024": (defect("rsa-1024"), "Client cert using a weak or unsupported key"),
    "Ed25519": (keyed(ed25519.Ed25519PrivateKey.generate), "Client cert using a weak or unsupported key"),
    "malformed": (malformed, "Client cert cannot be parsed"),
    "unknown critical extension": (
        unknown_critical_extension,
        "an issuer breaks its constraints, or a critical extension is unknown",
    ),
    "altered signature": (defect("tampered-signature"), "certificate signature failure"),
    "altered subject": (defect("tampered-subject"), "certificate signature failure"),
    "issuer without CA:TRUE": (
        defect("leaf-as-issuer"),
        "an issuer breaks its constraints, or a critical extension is unknown",
    ),
    "path length": (
        defect("path-length-violated"),
        "an issuer breaks its constraints, or a critical extension is unknown",
    ),
    "name constraints": (
        under_authority((x509.NameConstraints([x509.DNSName("other.example")], None), True)),
        "an issuer breaks its constraints, or a critical extension is unknown",
    ),
    "issuer without keyCertSign": (
        under_authority((no_signing(), True)),
        "an issuer breaks its constraints, or a critical extension is unknown",
    ),
}


def _entry(gateway: MockGateway) -> dict[str, Any]:
    (entry,) = gateway.log.front_door()
    return dict(entry)


def _unlike(credential: Credential, trusted: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """The truststore without the leaf itself, which some defects send along."""
    return tuple(one for one in trusted if one != credential.leaf)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("row", ACCEPTED)
def test_client_is_let_in(row: str, version: TlsVersion, gateway: MockGateway, api: Api) -> None:
    """200 from the backend, and the log says so."""
    credential, trusted = ACCEPTED[row]()
    gateway.domain(NAME, truststore=trusted, api=api)

    assert visit(gateway, NAME, credential, version).status == 200
    assert (_entry(gateway)["outcome"], _entry(gateway)["reason"]) == ("accepted", None)
    assert _entry(gateway)["request_id"] == gateway.log.integrations()[0]["request_id"]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("row", REFUSED)
def test_client_gets_403_and_the_log_has_the_reason(
    row: str, version: TlsVersion, gateway: MockGateway, api: Api
) -> None:
    """The handshake completes without alert under both versions; nothing reaches the backend."""
    make, reason = REFUSED[row]
    credential, trusted = make()
    gateway.domain(NAME, truststore=trusted if row == PINNED else _unlike(credential, trusted), api=api)
    seen = visit(gateway, NAME, credential, version)
    entry = _entry(gateway)

    assert (seen.status, seen.error_type, seen.body) == (403, "ForbiddenException", FORBIDDEN)
    assert seen.alerts == ()
    assert (entry["domain"], entry["outcome"], entry["reason"]) == (NAME, "forbidden", reason)
    assert entry["execution_log"] == [f"Access denied. Reason: {reason}"]
    assert entry["tls_version"] == {TlsVersion.TLS12: "TLSv1.2", TlsVersion.TLS13: "TLSv1.3"}[version]
    assert gateway.log.integrations() == []


PINNED = "leaf pinned without its issuer"


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_connection_without_certificate_is_closed_in_silence(
    version: TlsVersion, gateway: MockGateway, api: Api
) -> None:
    """Behind the empty Certificate comes no octet at all: no alert, no end of the handshake, no HTTP."""
    gateway.domain(NAME, truststore=new_hierarchy().certificates, api=api)
    seen = visit(gateway, NAME, None, version)

    assert (seen.status, seen.alerts, seen.octets_after_certificate, seen.closed) == (None, (), 0, True)
    assert (_entry(gateway)["outcome"], _entry(gateway)["request_id"]) == ("closed", None)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_revoked_client_is_let_in_and_nobody_is_asked(
    version: TlsVersion, gateway: MockGateway, api: Api, mtls_revocation: Callable[..., RevocationPki]
) -> None:
    """Revocation is not API Gateway's job, whatever the certificate says about where to ask."""
    pki = mtls_revocation(depth=2)
    credential = pki.issue()
    pki.revoke(credential)
    gateway.domain(NAME, truststore=pki.truststore, api=api)

    assert visit(gateway, NAME, _alone(credential), version).status == 200
    assert (_entry(gateway)["outcome"], _entry(gateway)["reason"]) == ("accepted", None)
    assert [one.crl.requests + one.ocsp.requests for one in pki.authorities] == [0, 0]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_purpose_counts_when_the_setting_says_so(version: TlsVersion, gateway: MockGateway, api: Api) -> None:
    """``check_eku``, for who does not rely on AWS's leniency."""
    gateway.set(check_eku=True)
    hierarchy = new_hierarchy(2)
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    server_only = make_defect("wrong-usage", Sample(hierarchy.issue(), hierarchy))

    assert visit(gateway, NAME, server_only, version).status == 403
    assert visit(gateway, NAME, hierarchy.issue(), version).status == 200


def test_longest_chain_is_a_setting(gateway: MockGateway, api: Api) -> None:
    """``max_chain``."""
    hierarchy = hierarchy_of(5)
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)

    assert visit(gateway, NAME, hierarchy.issue()).status == 403
    gateway.set(max_chain=5)
    assert visit(gateway, NAME, hierarchy.issue()).status == 200


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [(timedelta(days=400), "certificate has expired"), (timedelta(days=-400), "certificate is not yet valid")],
)
def test_gateways_clock_judges(ahead: timedelta, reason: str, gateway: MockGateway, api: Api) -> None:
    """``PUT /_mtls/clock``, without another truststore."""
    hierarchy = new_hierarchy()
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    assert visit(gateway, NAME, hierarchy.issue()).status == 200
    gateway.set_clock(ahead)

    assert visit(gateway, NAME, hierarchy.issue()).status == 403
    assert gateway.log.front_door()[-1]["reason"] == reason


def test_log_names_the_certificate_as_authorizers_see_it(gateway: MockGateway, api: Api) -> None:
    """Subject in the certificate's order, a long serial in hex with colons; the settings change both."""
    credential = new_hierarchy().issue("client.example")
    gateway.domain(NAME, truststore=new_hierarchy().certificates, api=api)
    visit(gateway, NAME, credential)
    gateway.set(client_cert_dn="rfc2253", client_cert_serial="decimal")
    visit(gateway, NAME, credential)
    first, second = gateway.log.front_door()

    assert first["subject_dn"].startswith("O=trustme")
    assert first["subject_dn"].endswith(",CN=client.example")
    assert int(first["serial_number"].replace(":", ""), 16) == credential.leaf.serial_number
    assert second["subject_dn"].startswith("CN=client.example,")
    assert second["serial_number"] == str(credential.leaf.serial_number)
