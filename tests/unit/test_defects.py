"""Defects: each is refused for the reason that its name says, where the good credential beside it verifies."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import DEFECTS, Defect, Sample, defect, make_defect
from pytest_mtls.harness.pki.gateway_certificate import GATEWAY_NAME, gateway_credential
from pytest_mtls.harness.pki.issue import self_signed
from pytest_mtls.harness.pki.keys import new_ec_key

_NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
_CLIENT = ("-purpose", "sslclient")
_LEVEL_1, _LEVEL_2 = ("-auth_level", "1"), ("-auth_level", "2")

# X509_V_ERR codes, https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_BAD_SIGNATURE, _NOT_YET_VALID, _EXPIRED, _SELF_SIGNED, _NO_ISSUER = 7, 9, 10, 18, 20
_NO_CA_OLD, _PATH_LENGTH, _PURPOSE, _KEY_TOO_WEAK, _DIGEST_TOO_WEAK, _NO_CA = 24, 25, 26, 66, 68, 79

# --- what they deviate from


def _now() -> datetime:
    return _NOW


def _gateway_sample() -> Sample:
    return Sample(gateway_credential(clock=_now), None, _now)


def _private_ca_sample(depth: int) -> Sample:
    hierarchy = new_hierarchy(depth)
    return Sample(hierarchy.issue(clock=_now, rsa_key=depth == 1), hierarchy, _now)


_MAKERS: dict[str, Callable[[], Sample]] = {
    "gateway": _gateway_sample,
    "private-ca-1": lambda: _private_ca_sample(1),
    "private-ca-3": lambda: _private_ca_sample(3),
}


class Kit:
    """The samples and their defects, each made once."""

    def __init__(self) -> None:
        self._samples: dict[str, Sample] = {}
        self._made: dict[tuple[str, str], Credential] = {}

    def sample(self, kind: str) -> Sample:
        """The sample of this *kind*."""
        if kind not in self._samples:
            self._samples[kind] = _MAKERS[kind]()
        return self._samples[kind]

    def defect(self, name: str, kind: str) -> Credential:
        """The defect *name* of that sample."""
        if (name, kind) not in self._made:
            self._made[name, kind] = make_defect(name, self.sample(kind))
        return self._made[name, kind]

    def anchor(self, credential: Credential, kind: str) -> x509.Certificate:
        """What a truststore holds for *credential*: itself, or the root of its hierarchy."""
        hierarchy = self.sample(kind).hierarchy
        return credential.leaf if hierarchy is None else hierarchy.root


@pytest.fixture(scope="module")
def kit() -> Kit:
    """All samples and defects of this module."""
    return Kit()


Verify = Callable[[Credential, x509.Certificate, tuple[str, ...]], list[tuple[int, int]]]
"""Verifies a credential by one trusted certificate; returns the errors as code and depth."""


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """The program ``openssl verify`` at the samples' time; skips where there is none."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl program is not installed")
    trusted, leaf, chain = tmp_path / "trusted.pem", tmp_path / "leaf.pem", tmp_path / "chain.pem"

    def verify(credential: Credential, anchor: x509.Certificate, options: tuple[str, ...]) -> list[tuple[int, int]]:
        trusted.write_bytes(anchor.public_bytes(Encoding.PEM))
        leaf.write_bytes(credential.leaf.public_bytes(Encoding.PEM))
        chain.write_bytes(credential.certificate_pem)
        fixed = ["-no-CApath", "-no-CAstore", "-attime", f"{_NOW.timestamp():.0f}"]
        files = ["-CAfile", str(trusted), "-untrusted", str(chain), str(leaf)]
        words = [program, "verify", *fixed, *options, *files]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        errors = re.findall(r"error (\d+) at (\d+) depth lookup", done.stderr)
        assert bool(errors) == bool(done.returncode), done.stderr
        return [(int(code), int(depth)) for code, depth in errors]

    return verify


# --- the reasons


class Reason(NamedTuple):
    """Why OpenSSL refuses a defect: one of these codes at this depth, with these options."""

    defect: str
    kind: str
    codes: tuple[int, ...]
    depth: int = 0
    options: tuple[str, ...] = ()


_EVERY, _ISSUED = tuple(_MAKERS), ("private-ca-1", "private-ca-3")

_REASONS = (
    *(Reason("stranger", kind, (_SELF_SIGNED,)) for kind in _EVERY),
    Reason("other-customer", "gateway", (_SELF_SIGNED,)),
    *(Reason("copied-serial-and-dates", kind, (_SELF_SIGNED,)) for kind in _EVERY),
    *(Reason("pinned-certificate-in-chain", kind, (_SELF_SIGNED,)) for kind in _EVERY),
    Reason("other-authority", "private-ca-1", (_NO_ISSUER,)),
    Reason("other-authority", "private-ca-3", (_NO_ISSUER,), 2),
    *(Reason("lookalike-authority", kind, (_BAD_SIGNATURE,)) for kind in _ISSUED),
    *(Reason("lookalike-authority-with-key-identifier", kind, (_BAD_SIGNATURE,)) for kind in _ISSUED),
    *(Reason("tampered-subject", kind, (_BAD_SIGNATURE,)) for kind in _EVERY),
    # the altered certificate is not the trusted one any more, and OpenSSL does not look at signatures by oneself
    Reason("tampered-signature", "gateway", (_SELF_SIGNED,)),
    *(Reason("tampered-signature", kind, (_BAD_SIGNATURE,)) for kind in _ISSUED),
    *(Reason("expired", kind, (_EXPIRED,)) for kind in _EVERY),
    *(Reason("not-yet-valid", kind, (_NOT_YET_VALID,)) for kind in _EVERY),
    *(Reason("expired-intermediate", kind, (_EXPIRED,), 1) for kind in _ISSUED),
    *(Reason("leaf-as-issuer", kind, (_NO_CA, _NO_CA_OLD), 1) for kind in _ISSUED),
    *(Reason("path-length-violated", kind, (_PATH_LENGTH,), 2) for kind in _ISSUED),
    *(Reason("missing-intermediate", kind, (_NO_ISSUER,)) for kind in _ISSUED),
    *(Reason("wrong-usage", kind, (_PURPOSE,), options=_CLIENT) for kind in _ISSUED),
    *(Reason("email-usage", kind, (_PURPOSE,), options=_CLIENT) for kind in _ISSUED),
    *(Reason("sha1-signature", kind, (_DIGEST_TOO_WEAK,), options=_LEVEL_1) for kind in _ISSUED),
    *(Reason("rsa-1024", kind, (_KEY_TOO_WEAK,), options=_LEVEL_2) for kind in _EVERY),
)

_NOT_FOR_OPENSSL = {
    "copied-certificate": "the certificate is good; only the handshake shows that the key is missing",
    "version-1": "many verifiers take it; what it is shows in its version",
}


def test_every_defect_has_a_reason() -> None:
    """A new defect must be entered above, for all its profiles, or it would go unexamined."""

    examined = {(reason.defect, reason.kind.removesuffix("-1").removesuffix("-3")) for reason in _REASONS}
    published = {(one.name, profile) for one in DEFECTS.values() for profile in one.profiles}
    assert {(name, profile) for name, profile in published if name not in _NOT_FOR_OPENSSL} == examined


@pytest.mark.parametrize("reason", _REASONS, ids=lambda reason: f"{reason.defect}-{reason.kind}")
def test_a_defect_is_refused_for_what_its_name_says(kit: Kit, verify: Verify, reason: Reason) -> None:
    """OpenSSL tells the error of that name, at the certificate that is to blame."""

    bad = kit.defect(reason.defect, reason.kind)
    trusted = bad if DEFECTS[reason.defect].trusted else kit.sample(reason.kind).good
    errors = verify(bad, kit.anchor(trusted, reason.kind), reason.options)
    assert set(errors) & {(code, reason.depth) for code in reason.codes}, errors


@pytest.mark.parametrize(
    ("kind", "options"),
    sorted({(reason.kind, reason.options) for reason in _REASONS}),
    ids=lambda value: value if isinstance(value, str) else "-".join(value).strip("-") or "plain",
)
def test_the_good_credential_verifies_with_the_same_options(
    kit: Kit, verify: Verify, kind: str, options: tuple[str, ...]
) -> None:
    """The positive twin: without it a refusal may be about anything."""

    good = kit.sample(kind).good
    assert verify(good, kit.anchor(good, kind), options) == []


@pytest.mark.parametrize(
    "reason", [reason for reason in _REASONS if reason.options], ids=lambda reason: f"{reason.defect}-{reason.kind}"
)
def test_purpose_and_strength_are_all_that_is_wrong(kit: Kit, verify: Verify, reason: Reason) -> None:
    """Without the option that looks at purpose or strength these defects verify: nothing else is wrong with them."""

    bad = kit.defect(reason.defect, reason.kind)
    assert verify(bad, kit.anchor(bad, reason.kind), ()) == []


# --- what each of them is


def test_another_customer_shares_the_name_alone(kit: Kit) -> None:
    """The name is Amazon's for every customer; key and serial are not ours."""

    good, other = kit.sample("gateway").good.leaf, kit.defect("other-customer", "gateway").leaf
    assert other.subject == other.issuer == good.subject == GATEWAY_NAME
    assert (other.serial_number == good.serial_number, other.public_key() == good.public_key()) == (False, False)


@pytest.mark.parametrize("kind", _EVERY)
def test_a_copy_has_name_serial_and_dates_but_not_the_key(kit: Kit, kind: str) -> None:
    """All that is readable in the trusted certificate is copied."""

    good, copy = kit.sample(kind).good.leaf, kit.defect("copied-serial-and-dates", kind).leaf
    assert _readable(copy) == _readable(good)
    assert copy.public_key() != good.public_key()


def _readable(certificate: x509.Certificate) -> tuple[object, ...]:
    dates = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificate.subject, certificate.serial_number, dates


@pytest.mark.parametrize("kind", _EVERY)
def test_the_pinned_certificate_is_in_the_chain(kit: Kit, kind: str) -> None:
    """The whole chain of the trusted credential stands behind a leaf of another name."""

    good, bad = kit.sample(kind).good, kit.defect("pinned-certificate-in-chain", kind)
    assert bad.chain == good.certificates
    assert bad.leaf.subject != good.leaf.subject


@pytest.mark.parametrize("kind", _ISSUED)
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
@pytest.mark.parametrize("kind", _EVERY)
def test_tampering_changes_one_octet(kit: Kit, name: str, kind: str) -> None:
    """All but one octet is as it was signed, and the key is the credential's own."""

    good, bad = kit.sample(kind).good, kit.defect(name, kind)
    octets = zip(good.leaf.public_bytes(Encoding.DER), bad.leaf.public_bytes(Encoding.DER), strict=True)
    assert sum(one != other for one, other in octets) == 1
    assert bad.key is good.key


@pytest.mark.parametrize("kind", _EVERY)
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
    good = Credential(self_signed(subject, key, _NOW, _NOW + timedelta(days=1)), key)
    (changed,) = make_defect("tampered-subject", Sample(good)).leaf.subject
    assert str(changed.value).lower() != name.lower()


def test_a_tampered_subject_ends_a_multibyte_letter_rightly() -> None:
    """The last octet of a letter beyond ASCII becomes another continuation octet."""

    key = new_ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gatewä")])
    good = Credential(self_signed(subject, key, _NOW, _NOW + timedelta(days=1)), key)
    (changed,) = make_defect("tampered-subject", Sample(good)).leaf.subject
    assert changed.value == "gatewå"


def test_an_empty_subject_cannot_be_tampered_with() -> None:
    """Certificates that are identified by a subjectAltName alone have no octet to change there."""

    key = new_ec_key()
    good = Credential(self_signed(x509.Name([]), key, _NOW, _NOW + timedelta(days=1)), key)
    with pytest.raises(ValueError, match="needs a certificate with a subject"):
        make_defect("tampered-subject", Sample(good))


@pytest.mark.parametrize("kind", _ISSUED)
def test_a_missing_intermediate_is_missing(kit: Kit, kind: str) -> None:
    """The leaf comes alone, and it is not the root that issued it."""

    root, bad = kit.sample(kind).authorities.root, kit.defect("missing-intermediate", kind)
    assert (bad.chain, bad.leaf.issuer == root.subject) == ((), False)


@pytest.mark.parametrize("kind", _EVERY)
def test_expired_means_since_yesterday(kit: Kit, kind: str) -> None:
    """The end lies a day before the sample's own time."""

    assert kit.defect("expired", kind).leaf.not_valid_after_utc == _NOW - timedelta(days=1)


@pytest.mark.parametrize("kind", _EVERY)
def test_not_yet_valid_means_from_tomorrow(kit: Kit, kind: str) -> None:
    """The beginning lies a day after the sample's own time."""

    assert kit.defect("not-yet-valid", kind).leaf.not_valid_before_utc == _NOW + timedelta(days=1)


def test_wrong_dates_are_all_that_is_wrong_with_a_gateway_certificate(kit: Kit) -> None:
    """An expired gateway certificate has the profile of a current one."""

    bad = kit.defect("expired", "gateway").leaf
    key = bad.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert (bad.subject, len(bad.extensions), key.key_size) == (GATEWAY_NAME, 0, 2048)


@pytest.mark.parametrize("kind", _ISSUED)
def test_version_1_is_v1_and_rightly_signed(kit: Kit, verify: Verify, kind: str) -> None:
    """Its version is all that a verifier can object to."""

    bad = kit.defect("version-1", kind)
    assert (bad.leaf.version, len(bad.leaf.extensions)) == (x509.Version.v1, 0)
    assert verify(bad, kit.anchor(bad, kind), _CLIENT) == []


@pytest.mark.parametrize("kind", _ISSUED)
def test_a_sha1_signature_is_one(kit: Kit, kind: str) -> None:
    """The leaf alone is signed with SHA-1; the authority above it is not."""

    bad = kit.defect("sha1-signature", kind)
    assert isinstance(bad.leaf.signature_hash_algorithm, hashes.SHA1)
    assert isinstance(bad.chain[0].signature_hash_algorithm, hashes.SHA256)


# --- the register


@pytest.mark.parametrize("one", DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_says_why_it_matters(one: Defect) -> None:
    """One line, a sentence, published in reports and the kit."""

    assert re.fullmatch(r"[^\n]{20,150}[^\n.]\.", one.why)


@pytest.mark.parametrize("one", DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_is_for_a_known_profile(one: Defect) -> None:
    """The words are those of the catalogue."""

    assert one.profiles and set(one.profiles) <= {"gateway", "private-ca"}


@pytest.mark.parametrize("one", DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_bears_its_name(kit: Kit, one: Defect) -> None:
    """Reports call it by that name, and it is the one that it is registered by."""

    kind = "gateway" if "gateway" in one.profiles else "private-ca-1"
    assert kit.defect(one.name, kind).name == one.name == next(name for name in DEFECTS if DEFECTS[name] is one)


# A lookalike takes the root's name from the credential, so it can be made of one that somebody else has given us.
_OF_AUTHORITIES = {
    name for name, one in DEFECTS.items() if "gateway" not in one.profiles and not name.startswith("lookalike-")
}


@pytest.mark.parametrize("name", sorted(_OF_AUTHORITIES))
def test_a_defect_of_authorities_needs_one(kit: Kit, name: str) -> None:
    """Asked of a self-signed sample it is an error, not something else."""

    with pytest.raises(ValueError, match="needs a credential that an authority issued"):
        make_defect(name, kit.sample("gateway"))


def test_a_name_cannot_be_registered_twice() -> None:
    """The second function of a name would silently replace the first."""

    def stranger(sample: Sample) -> Credential:
        """Another one of that name."""
        return sample.good

    with pytest.raises(ValueError, match="duplicate defect: stranger is already registered"):
        defect("gateway")(stranger)


def test_a_refused_duplicate_leaves_the_first(kit: Kit) -> None:
    """What is registered stays what it was."""

    before = DEFECTS["expired"]

    def expired(sample: Sample) -> Credential:
        """Another one of that name."""
        return sample.good

    with pytest.raises(ValueError, match="duplicate defect"):
        defect("gateway")(expired)
    assert DEFECTS["expired"] is before
