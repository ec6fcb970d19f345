"""Our gateway certificates beside real ones of API Gateway, field by field, and the rotation trap on the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.gateway_certificate import GATEWAY_NAME, LIFETIME, control_credential, gateway_credential
from pytest_mtls.harness.pki.keys import new_ec_key, new_rsa_key

from .openssl import Verify

_REAL = sorted((Path(__file__).parents[1] / "data" / "gateway-certificates").glob("*.pem"))
_EARLIER, _LATER = "2020-01-sample", "2020-12-cloudsploit"
_BOTH_VALID = 1609459200
"""The first second of 2021 (UTC), when these two were valid."""
_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

_VERSION, _INTEGER, _NULL, _OBJECT, _SEQUENCE, _SET = 0xA0, 0x02, 0x05, 0x06, 0x30, 0x31
_PRINTABLE, _UTC_TIME = 0x13, 0x17


class Element(NamedTuple):
    """One DER element: its tag and its content."""

    tag: int
    content: bytes


def _elements(content: bytes) -> Iterator[Element]:
    """Read DER independently of the code under test."""
    while content:
        size, head = content[1], 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(content[2:head], "big")
        yield Element(content[0], content[head : head + size])
        content = content[head + size :]


def _tbs(certificate: x509.Certificate) -> list[Element]:
    """The fields of tbsCertificate: version, serial, signature, issuer, validity, subject, key, and what follows."""
    (whole,) = _elements(certificate.tbs_certificate_bytes)
    return list(_elements(whole.content))


def _outer_algorithm(certificate: x509.Certificate) -> list[Element]:
    (whole,) = _elements(certificate.public_bytes(Encoding.DER))
    return list(_elements(list(_elements(whole.content))[1].content))


def _name(element: Element) -> list[tuple[str, int, bytes]]:
    """The attributes of a name in their order: object identifier in hex, string type, value."""
    found: list[tuple[str, int, bytes]] = []
    for part in _elements(element.content):
        (attribute,) = _elements(part.content)
        oid, value = _elements(attribute.content)
        found.append((oid.content.hex(), value.tag, value.content))
    return found


@pytest.fixture(scope="module", params=_REAL, ids=lambda path: path.stem)
def real(request: pytest.FixtureRequest) -> x509.Certificate:
    """A certificate that API Gateway generated."""
    path: Path = request.param
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.fixture(scope="module")
def credential() -> Credential:
    """A gateway certificate of ours with its key."""
    return gateway_credential(clock=lambda: _NOW)


@pytest.fixture(scope="module")
def ours(credential: Credential) -> x509.Certificate:
    """A gateway certificate of ours."""
    return credential.leaf


def test_the_yardstick_is_there() -> None:
    """A comparison with nothing would hold; there are six real certificates."""

    assert len(_REAL) == 6


# --- field by field


def test_version_is_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """Both say v3, in the explicit version field."""

    assert _tbs(ours)[0] == _tbs(real)[0] == Element(_VERSION, b"\x02\x01\x02")


def test_fields_are_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """Both end after the key: no extensions, not even an empty list of them, and no unique identifiers."""

    types = [_VERSION, _INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE]
    assert [field.tag for field in _tbs(ours)] == [field.tag for field in _tbs(real)] == types


def test_name_is_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """C, L, CN in this order, each a PrintableString."""

    values = {"550406": b"US", "550407": b"Seattle", "550403": b"ApiGateway"}
    expected = [(oid, _PRINTABLE, value) for oid, value in values.items()]
    assert _name(_tbs(ours)[5]) == _name(_tbs(real)[5]) == expected


def test_subject_and_issuer_are_the_real_ones_to_the_octet(ours: x509.Certificate, real: x509.Certificate) -> None:
    """OpenSSL looks the issuer up by the octets of the name, and all four are the same."""

    names = {ours.subject, ours.issuer, real.subject, real.issuer}
    assert {name.public_bytes() for name in names} == {GATEWAY_NAME.public_bytes()}


def test_key_algorithm_is_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """Both keys are rsaEncryption with NULL parameters."""

    algorithms = [next(_elements(_tbs(one)[6].content)) for one in (ours, real)]
    assert algorithms[0] == algorithms[1]


def test_key_size_and_exponent_are_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """Both keys have 2048 bits and the exponent 65537."""

    assert _size_and_exponent(ours) == _size_and_exponent(real) == (2048, 65537)


def _size_and_exponent(certificate: x509.Certificate) -> tuple[int, int]:
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key.key_size, key.public_numbers().e


def test_signature_algorithm_is_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """sha256WithRSAEncryption with a NULL parameter, inside the signed part and beside the signature."""

    expected = [Element(_OBJECT, bytes.fromhex("2a864886f70d01010b")), Element(_NULL, b"")]
    for certificate in (ours, real):
        assert list(_elements(_tbs(certificate)[2].content)) == _outer_algorithm(certificate) == expected


def test_serial_has_the_real_ones_size(ours: x509.Certificate, real: x509.Certificate) -> None:
    """Eight random octets, positive: at most nine octets of DER."""

    for certificate in (ours, real):
        assert len(_tbs(certificate)[1].content) <= 9
        assert certificate.serial_number > 0


def test_times_have_the_real_ones_type(ours: x509.Certificate, real: x509.Certificate) -> None:
    """Both write UTCTime: two digits of the year."""

    for certificate in (ours, real):
        times = _elements(_tbs(certificate)[4].content)
        assert [(time.tag, len(time.content)) for time in times] == [(_UTC_TIME, 13), (_UTC_TIME, 13)]


def test_lifetime_is_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """365 times 86,400 seconds, also where that is no calendar year."""

    assert _lifetime(ours) == _lifetime(real) == LIFETIME == timedelta(seconds=365 * 86_400)


def _lifetime(certificate: x509.Certificate) -> timedelta:
    return certificate.not_valid_after_utc - certificate.not_valid_before_utc


def test_self_signature_verifies_like_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """Each is signed by its own key."""

    for certificate in (ours, real):
        certificate.verify_directly_issued_by(certificate)  # raises InvalidSignature otherwise


def test_size_is_the_real_ones(ours: x509.Certificate, real: x509.Certificate) -> None:
    """The DER has the length of a real one but for the octet that a serial may need more."""

    sizes = [len(one.public_bytes(Encoding.DER)) - len(_tbs(one)[1].content) for one in (ours, real)]
    assert sizes[0] == sizes[1]


# --- what a caller can choose


def test_a_gateway_certificate_begins_now(ours: x509.Certificate) -> None:
    """Without dates of its own it is valid from the clock's moment."""

    assert ours.not_valid_before_utc == _NOW


def test_dates_can_be_chosen() -> None:
    """An expired certificate is one with other dates and nothing else."""

    begin, end = _NOW - timedelta(days=3), _NOW - timedelta(days=1)
    leaf = gateway_credential(not_before=begin, not_after=end, key=new_ec_key()).leaf
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (begin, end)


def test_a_chosen_beginning_keeps_the_lifetime() -> None:
    """The end follows the beginning, not the clock."""

    leaf = gateway_credential(clock=lambda: _NOW, not_before=_NOW - timedelta(days=300), key=new_ec_key()).leaf
    assert leaf.not_valid_after_utc == _NOW + timedelta(days=65)


def test_the_certificate_is_that_of_its_key(credential: Credential) -> None:
    """Who presents it can prove that it is theirs."""

    assert credential.key.public_key() == credential.leaf.public_key()


def test_a_given_key_is_used() -> None:
    """Making RSA keys is slow, so a caller may keep some in stock."""

    key = new_rsa_key(1024)
    assert gateway_credential(key=key).key is key


def test_two_gateway_certificates_share_the_name_alone() -> None:
    """All customers' certificates bear one name; serial and key tell them apart."""

    one, other = gateway_credential(key=new_ec_key()).leaf, gateway_credential(key=new_ec_key()).leaf
    same = (one.subject == other.subject, one.serial_number == other.serial_number, _key(one) == _key(other))
    assert same == (True, False, False)


def _key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


# --- the control certificate


def test_a_control_certificate_never_bears_the_gateways_name() -> None:
    """Two certificates of the gateway's name in one truststore disturb each other on OpenSSL-based servers."""

    assert control_credential().leaf.subject != GATEWAY_NAME


def test_control_certificates_have_names_of_their_own() -> None:
    """Nor may two control certificates disturb each other."""

    assert control_credential().leaf.subject != control_credential().leaf.subject


def test_a_control_certificate_says_that_it_is_for_clients() -> None:
    """It must be taken by servers that insist on extensions."""

    extensions = control_credential().leaf.extensions
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (list(usage), constraints.ca) == ([ExtendedKeyUsageOID.CLIENT_AUTH], False)


def test_a_control_certificate_is_valid_already() -> None:
    """A backend's clock may be behind ours."""

    assert control_credential(clock=lambda: _NOW).leaf.not_valid_before_utc == _NOW - timedelta(hours=1)


def test_a_control_certificate_is_signed_by_itself_with_sha256() -> None:
    """It stands in the truststore itself."""

    leaf = control_credential().leaf
    leaf.verify_directly_issued_by(leaf)  # raises InvalidSignature otherwise
    assert leaf.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256
    assert isinstance(leaf.signature_hash_algorithm, hashes.SHA256)


# --- what OpenSSL says


def _real_pem(stem: str) -> bytes:
    return next(path for path in _REAL if path.stem == stem).read_bytes()


@pytest.mark.parametrize("stem", [_EARLIER, _LATER])
def test_a_real_certificate_alone_is_trusted(verify: Verify, stem: str) -> None:
    """The twin of the trap: either certificate verifies by itself at that moment."""

    assert verify([_real_pem(stem)], _real_pem(stem), at=_BOTH_VALID) == []


@pytest.mark.parametrize(("first", "second"), [(_EARLIER, _LATER), (_LATER, _EARLIER)])
def test_of_two_real_certificates_the_second_is_refused(verify: Verify, first: str, second: str) -> None:
    """The rotation trap: OpenSSL looks the issuer up by name, finds the first, and calls the other self-signed (18)."""

    assert verify([_real_pem(first), _real_pem(second)], _real_pem(second), at=_BOTH_VALID) == [(18, 0)]


@pytest.mark.parametrize(("first", "second"), [(_EARLIER, _LATER), (_LATER, _EARLIER)])
def test_of_two_real_certificates_the_first_is_trusted(verify: Verify, first: str, second: str) -> None:
    """It is the place in the bundle that decides, not the certificate."""

    assert verify([_real_pem(first), _real_pem(second)], _real_pem(first), at=_BOTH_VALID) == []


@pytest.mark.parametrize("stem", [_EARLIER, _LATER])
def test_partial_chains_are_the_way_out(verify: Verify, stem: str) -> None:
    """With X509_V_FLAG_PARTIAL_CHAIN every certificate in the bundle counts."""

    bundle = [_real_pem(_EARLIER), _real_pem(_LATER)]
    assert verify(bundle, _real_pem(stem), "-partial_chain", at=_BOTH_VALID) == []


@pytest.mark.parametrize(("options", "errors"), [((), [(18, 0)]), (("-partial_chain",), [])], ids=["trap", "way-out"])
def test_our_certificates_fall_into_the_trap_too(
    verify: Verify, ours: x509.Certificate, options: tuple[str, ...], errors: list[tuple[int, int]]
) -> None:
    """A kit whose certificates escaped the trap would prove nothing about real ones."""

    # OpenSSL passes over an issuer whose key cannot have made the signature, so both keys must be of one kind
    old = gateway_credential(clock=lambda: _NOW, key=new_rsa_key(1024)).leaf.public_bytes(Encoding.PEM)
    new = ours.public_bytes(Encoding.PEM)
    assert verify([old, new], new, *options, at=int(_NOW.timestamp())) == errors


def test_a_control_certificate_behind_a_gateway_certificate_is_trusted(verify: Verify, ours: x509.Certificate) -> None:
    """The twin stands second in the truststore and has another name, so that it stays out of the trap."""

    control = control_credential(clock=lambda: _NOW).leaf.public_bytes(Encoding.PEM)
    bundle = [ours.public_bytes(Encoding.PEM), control]
    assert verify(bundle, control, "-purpose", "sslclient", at=int(_NOW.timestamp())) == []
