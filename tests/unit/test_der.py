"""Taking certificates apart, changing them, and signing them anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from pytest_mtls.harness.pki import der
from pytest_mtls.harness.pki.issue import CLIENT_EXTENSIONS, Extensions, self_signed
from pytest_mtls.harness.pki.keys import PrivateKey, new_ec_key, new_rsa_key

_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "der.example")])
_SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")
_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")


def _certificate(key: PrivateKey, extensions: Extensions = CLIENT_EXTENSIONS) -> x509.Certificate:
    return self_signed(_NAME, key, _NOW, _NOW + timedelta(days=1), extensions=extensions)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """One RSA-2048 key for the whole module."""
    return new_rsa_key()


@pytest.fixture(scope="module", params=["ec", "rsa"])
def key(request: pytest.FixtureRequest, rsa_key: rsa.RSAPrivateKey) -> PrivateKey:
    """A key of each kind."""
    return rsa_key if request.param == "rsa" else new_ec_key()


@pytest.fixture(scope="module")
def certificate(key: PrivateKey) -> x509.Certificate:
    """A self-signed certificate of *key*, with extensions."""
    return _certificate(key)


def test_the_parts_are_those_that_cryptography_sees(certificate: x509.Certificate) -> None:
    """tbsCertificate and signature are exactly the octets that are signed and the signature over them."""

    tbs, _, signature = der.split_certificate(certificate)
    assert (tbs, signature) == (certificate.tbs_certificate_bytes, certificate.signature)


def test_the_parts_make_the_certificate_again(certificate: x509.Certificate) -> None:
    """Taking apart and putting together loses nothing."""

    assert der.certificate_from_parts(*der.split_certificate(certificate)) == certificate


@pytest.mark.parametrize("size", [1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000])
def test_lengths_of_every_form_survive(size: int) -> None:
    """DER writes a length in one to four octets; each form is read and written alike."""

    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05" * size)
    large = _certificate(new_ec_key(), ((extension, False),))
    assert der.certificate_from_parts(*der.split_certificate(large)) == large


@pytest.mark.parametrize("size", [1, 0x7E, 0x7F, 0x80, 0xFE, 0xFF, 0x100, 0xFFFF])
def test_a_signature_of_any_length_is_put_in(size: int) -> None:
    """Nothing is verified, and the length beside the signature is right at every step."""

    tbs, algorithm, _ = der.split_certificate(_certificate(new_ec_key()))
    signature = bytes(range(1, 256)) * (size // 255 + 1)
    assert der.certificate_from_parts(tbs, algorithm, signature[:size]).signature == signature[:size]


def test_a_new_signature_verifies(certificate: x509.Certificate, key: PrivateKey) -> None:
    """What ``sign`` makes is the signature that the certificate's algorithm stands for."""

    tbs, algorithm, _ = der.split_certificate(certificate)
    signed = der.certificate_from_parts(tbs, algorithm, der.sign(tbs, key))
    signed.verify_directly_issued_by(signed)  # raises InvalidSignature otherwise


def test_only_the_last_occurrence_is_replaced() -> None:
    """In a self-signed certificate the issuer stands before the subject, and only the subject is to be changed."""

    assert der.replace_last(b"-ab-ab-", b"ab", b"xy") == b"-ab-xy-"


@pytest.mark.parametrize(
    ("old", "new"), [(b"zz", b"xy"), (b"ab", b"x"), (b"ab", b"xyz")], ids=["absent", "shorter", "longer"]
)
def test_a_replacement_that_would_break_lengths_is_refused(old: bytes, new: bytes) -> None:
    """Octets can be exchanged for as many others only, and only where they are."""

    with pytest.raises(ValueError, match="cannot replace"):
        der.replace_last(b"-ab-", old, new)


def test_version_1_has_neither_version_nor_extensions(certificate: x509.Certificate, key: PrivateKey) -> None:
    """X.509 v1 is the absence of both fields; it is what readers then see."""

    tbs = der.version_1_tbs(certificate)
    _, algorithm, _ = der.split_certificate(certificate)
    old = der.certificate_from_parts(tbs, algorithm, der.sign(tbs, key))
    assert (old.version, len(old.extensions)) == (x509.Version.v1, 0)


def test_version_1_keeps_everything_else(certificate: x509.Certificate, key: PrivateKey) -> None:
    """Names, serial, dates and key are the certificate's."""

    tbs = der.version_1_tbs(certificate)
    _, algorithm, _ = der.split_certificate(certificate)
    old = der.certificate_from_parts(tbs, algorithm, der.sign(tbs, key))
    assert _facts(old) == _facts(certificate)


def _facts(certificate: x509.Certificate) -> tuple[object, ...]:
    return (
        certificate.subject,
        certificate.issuer,
        certificate.serial_number,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.public_key(),
    )


def test_a_sha1_signature_verifies_with_sha1(rsa_key: rsa.RSAPrivateKey) -> None:
    """The certificate is really signed with SHA-1, not only labelled so."""

    weak = der.with_sha1_signature(_certificate(rsa_key), rsa_key)
    public, tbs = rsa_key.public_key(), weak.tbs_certificate_bytes
    public.verify(weak.signature, tbs, padding.PKCS1v15(), hashes.SHA1())  # raises InvalidSignature otherwise


def test_a_sha1_signature_is_declared_inside_and_outside(rsa_key: rsa.RSAPrivateKey) -> None:
    """RFC 5280 4.1.1.2: the identifier in the signed part must be the one beside the signature."""

    weak = der.with_sha1_signature(_certificate(rsa_key), rsa_key)
    inside = weak.tbs_certificate_bytes
    assert weak.signature_algorithm_oid == SignatureAlgorithmOID.RSA_WITH_SHA1
    assert (_SHA1_WITH_RSA in inside, _SHA256_WITH_RSA in weak.public_bytes(Encoding.DER)) == (True, False)


def test_an_ec_key_cannot_sign_anew_with_sha1() -> None:
    """Only sha256WithRSAEncryption has a twin with an identifier of the same length."""

    key = new_ec_key()
    with pytest.raises(ValueError, match="signed with RSA and SHA-256"):
        der.with_sha1_signature(_certificate(key), key)


def test_an_ec_signature_cannot_become_a_sha1_signature(rsa_key: rsa.RSAPrivateKey) -> None:
    """An RSA key does not help where the certificate was signed by an EC key."""

    with pytest.raises(ValueError, match="signed with RSA and SHA-256"):
        der.with_sha1_signature(_certificate(new_ec_key()), rsa_key)
