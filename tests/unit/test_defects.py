"""Defects: what each of them is, octet by octet, beside the good credential that it deviates from."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import Sample, make_defect
from pytest_mtls.harness.pki.gateway_certificate import GATEWAY_NAME, gateway_credential
from pytest_mtls.harness.pki.issue import self_signed
from pytest_mtls.harness.pki.keys import new_ec_key

from .defect_samples import CLIENT, EVERY, ISSUED, NOW, Kit
from .openssl import Verify


def test_another_customer_shares_the_name_alone(kit: Kit) -> None:
    """The name is Amazon's for every customer; key and serial are not ours."""

    good, other = kit.sample("gateway").good.leaf, kit.defect("other-customer", "gateway").leaf
    assert other.subject == other.issuer == good.subject == GATEWAY_NAME
    assert (other.serial_number == good.serial_number, other.public_key() == good.public_key()) == (False, False)


@pytest.mark.parametrize("kind", EVERY)
def test_a_copy_has_name_serial_and_dates_but_not_the_key(kit: Kit, kind: str) -> None:
    """All that is readable in the trusted certificate is copied."""

    good, copy = kit.sample(kind).good.leaf, kit.defect("copied-serial-and-dates", kind).leaf
    assert _readable(copy) == _readable(good)
    assert copy.public_key() != good.public_key()


def _readable(certificate: x509.Certificate) -> tuple[object, ...]:
    dates = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificate.subject, certificate.serial_number, dates


@pytest.mark.parametrize("kind", EVERY)
def test_the_pinned_certificate_is_in_the_chain(kit: Kit, kind: str) -> None:
    """The whole chain of the trusted credential stands behind a leaf of another name."""

    good, bad = kit.sample(kind).good, kit.defect("pinned-certificate-in-chain", kind)
    assert bad.chain == good.certificates
    assert bad.leaf.subject != good.leaf.subject


@pytest.mark.parametrize("kind", ISSUED)
def test_a_lookalike_authority_has_the_roots_name_and_another_key(kit: Kit, kind: str) -> None:
    """It sends its own root along, and to its own root the leaf leads."""

    root, bad = kit.sample(kind).authorities.root, kit.defect("lookalike-authority", kind)
    bad.leaf.verify_directly_issued_by(bad.chain[0])  # raises InvalidSignature otherwise
    assert bad.chain[0].subject == root.subject
    assert bad.chain[0].public_key() != root.public_key()


@pytest.mark.parametrize("kind", ["gateway", "private-ca-1"])
def test_a_copied_certificate_is_the_trusted_one(kit: Kit, kind: str) -> None:
    """Certificate and modulus are the victim's, to the octet."""

    good, bad = kit.sample(kind).good, kit.defect("copied-certificate", kind)
    assert (bad.leaf, bad.chain) == (good.leaf, good.chain)
    assert bad.key.public_key() == good.leaf.public_key()


@pytest.mark.parametrize("kind", ["gateway", "private-ca-1"])
def test_a_copied_certificates_key_proves_nothing(kit: Kit, kind: str) -> None:
    """What its key signs does not verify with the certificate's public key."""

    with pytest.raises(InvalidSignature):
        _sign_and_verify(kit.defect("copied-certificate", kind))


@pytest.mark.parametrize("kind", ["gateway", "private-ca-1"])
def test_the_good_credentials_key_proves_its_possession(kit: Kit, kind: str) -> None:
    """The twin: the same check passes for the key's owner."""

    _sign_and_verify(kit.sample(kind).good)  # raises InvalidSignature otherwise


def _sign_and_verify(credential: Credential) -> None:
    message, public = b"what a CertificateVerify signs", credential.leaf.public_key()
    assert isinstance(credential.key, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey)
    signature = credential.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())


def test_a_copied_certificate_needs_an_rsa_key() -> None:
    """A wrong signature cannot be sent for EC keys, and a defect that is none must not be made."""

    key = new_ec_key()
    with pytest.raises(ValueError, match="for RSA only"):
        make_defect("copied-certificate", Sample(gateway_credential(key=key)))


@pytest.mark.parametrize("name", ["tampered-subject", "tampered-signature"])
@pytest.mark.parametrize("kind", EVERY)
def test_tampering_changes_one_octet(kit: Kit, name: str, kind: str) -> None:
    """All but one octet is as it was signed, and the key is the credential's own."""

    good, bad = kit.sample(kind).good, kit.defect(name, kind)
    octets = zip(good.leaf.public_bytes(Encoding.DER), bad.leaf.public_bytes(Encoding.DER), strict=True)
    assert sum(one != other for one, other in octets) == 1
    assert bad.key is good.key


@pytest.mark.parametrize("kind", EVERY)
def test_tampering_with_the_subject_leaves_the_issuer(kit: Kit, kind: str) -> None:
    """In a self-signed certificate, where the two names are equal, it is the subject that changes."""

    good, bad = kit.sample(kind).good.leaf, kit.defect("tampered-subject", kind).leaf
    assert (bad.issuer == good.issuer, bad.subject == good.subject) == (True, False)


@pytest.mark.parametrize("kind", [NameOID.SERIAL_NUMBER, NameOID.COMMON_NAME], ids=["printable", "utf-8"])
@pytest.mark.parametrize("name", ["alpha", "A", "z", "1", "b)"])
def test_a_tampered_subject_is_still_a_name(name: str, kind: x509.ObjectIdentifier) -> None:
    """The new octet is legal in the name's string type, or servers would refuse the certificate as unreadable."""

    key = new_ec_key()
    subject = x509.Name([x509.NameAttribute(kind, name)])
    good = Credential(self_signed(subject, key, NOW, NOW + timedelta(days=1)), key)
    (changed,) = make_defect("tampered-subject", Sample(good)).leaf.subject
    assert str(changed.value).lower() != name.lower()


def test_a_tampered_subject_ends_a_multibyte_letter_rightly() -> None:
    """The last octet of a letter beyond ASCII becomes another continuation octet."""

    key = new_ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gatewä")])
    good = Credential(self_signed(subject, key, NOW, NOW + timedelta(days=1)), key)
    (changed,) = make_defect("tampered-subject", Sample(good)).leaf.subject
    assert changed.value == "gatewå"


def test_an_empty_subject_cannot_be_tampered_with() -> None:
    """Certificates that are identified by a subjectAltName alone have no octet to change there."""

    key = new_ec_key()
    good = Credential(self_signed(x509.Name([]), key, NOW, NOW + timedelta(days=1)), key)
    with pytest.raises(ValueError, match="needs a certificate with a subject"):
        make_defect("tampered-subject", Sample(good))


@pytest.mark.parametrize("kind", ISSUED)
def test_a_missing_intermediate_is_missing(kit: Kit, kind: str) -> None:
    """The leaf comes alone, and it is not the root that issued it."""

    root, bad = kit.sample(kind).authorities.root, kit.defect("missing-intermediate", kind)
    assert (bad.chain, bad.leaf.issuer == root.subject) == ((), False)


@pytest.mark.parametrize("kind", EVERY)
def test_expired_means_since_yesterday(kit: Kit, kind: str) -> None:
    """The end lies a day before the sample's own time."""

    assert kit.defect("expired", kind).leaf.not_valid_after_utc == NOW - timedelta(days=1)


@pytest.mark.parametrize("kind", EVERY)
def test_not_yet_valid_means_from_tomorrow(kit: Kit, kind: str) -> None:
    """The beginning lies a day after the sample's own time."""

    assert kit.defect("not-yet-valid", kind).leaf.not_valid_before_utc == NOW + timedelta(days=1)


def test_wrong_dates_are_all_that_is_wrong_with_a_gateway_certificate(kit: Kit) -> None:
    """An expired gateway certificate has the profile of a current one."""

    bad = kit.defect("expired", "gateway").leaf
    key = bad.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert (bad.subject, len(bad.extensions), key.key_size) == (GATEWAY_NAME, 0, 2048)


@pytest.mark.parametrize("kind", ISSUED)
def test_version_1_is_v1_and_rightly_signed(kit: Kit, verify: Verify, kind: str) -> None:
    """Its version is all that a verifier can object to."""

    bad = kit.defect("version-1", kind)
    assert (bad.leaf.version, len(bad.leaf.extensions)) == (x509.Version.v1, 0)
    assert kit.errors(verify, bad, bad, kind, *CLIENT) == []


@pytest.mark.parametrize("kind", ISSUED)
def test_a_sha1_signature_is_one(kit: Kit, kind: str) -> None:
    """The leaf alone is signed with SHA-1; the authority above it is not."""

    bad = kit.defect("sha1-signature", kind)
    assert isinstance(bad.leaf.signature_hash_algorithm, hashes.SHA1)
    assert isinstance(bad.chain[0].signature_hash_algorithm, hashes.SHA256)
