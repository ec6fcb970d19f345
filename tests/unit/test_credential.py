"""Credentials: read from PEM, written as PEM, never shown with their key."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pytest_mtls.harness.errors import UsageError
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy
from pytest_mtls.harness.pki.credential import Credential, read_certificates, write_private
from pytest_mtls.harness.pki.keys import new_ec_key

_PKCS8 = PrivateFormat.PKCS8
_ID_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
_UNKNOWN_KEY_KIND = bytes.fromhex("06072a8648ce3d0209")


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """A root and two authorities below it."""
    return new_hierarchy(3)


@pytest.fixture(scope="module")
def credential(hierarchy: Hierarchy) -> Credential:
    """A leaf with two intermediates and an EC key."""
    return hierarchy.issue()


@pytest.fixture
def files(credential: Credential, tmp_path: Path) -> tuple[Path, Path]:
    """The credential as it was written: certificate and key."""
    return credential.write(tmp_path / "material", "client")


@pytest.fixture
def open_umask() -> Iterator[None]:
    """The most careless umask there is, so that modes are seen to be set and not inherited."""
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- what it shows


def test_the_leaf_comes_first_on_the_wire(credential: Credential, hierarchy: Hierarchy) -> None:
    """RFC 8446 4.4.2: the sender's certificate first, then each one's issuer."""

    assert credential.certificates == (credential.leaf, *hierarchy.intermediates)


def test_the_pem_holds_leaf_and_chain_in_order(credential: Credential) -> None:
    """What goes into a file is what goes over the wire."""

    assert tuple(x509.load_pem_x509_certificates(credential.certificate_pem)) == credential.certificates


def test_the_fingerprint_is_sha256_over_the_der(credential: Credential) -> None:
    """It is the value that servers and people compare."""

    digest = hashes.Hash(hashes.SHA256())
    digest.update(credential.leaf.public_bytes(Encoding.DER))
    assert credential.fingerprint == digest.finalize().hex()


def test_the_subject_reads_as_rfc_4514(credential: Credential) -> None:
    """The most specific part comes first, parts are separated by commas."""

    assert credential.subject.startswith("CN=gateway.example,")


def test_the_key_is_written_as_pkcs8(credential: Credential) -> None:
    """Java reads nothing else without help."""

    assert credential.key_pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize("show", [repr, str], ids=["repr", "str"])
def test_the_key_is_never_shown(credential: Credential, show: Callable[[object], str]) -> None:
    """A credential ends up in assertion messages and logs; its key must not."""

    assert isinstance(credential.key, ec.EllipticCurvePrivateKey)
    secret = credential.key.private_numbers().private_value
    shown = show(credential)
    assert not any(trace in shown for trace in ("key", "PRIVATE", str(secret), f"{secret:x}"))


# --- writing


def test_a_written_credential_reads_back(credential: Credential, files: tuple[Path, Path]) -> None:
    """Leaf, chain and key survive the way through two files."""

    read = Credential.from_files(*files)
    assert (read.certificates, read.key_pem) == (credential.certificates, credential.key_pem)


@pytest.mark.usefixtures("open_umask")
def test_only_the_owner_can_read_the_key(files: tuple[Path, Path]) -> None:
    """Whatever the umask, the key file has mode 0600."""

    assert _mode(files[1]) == 0o600


@pytest.mark.usefixtures("open_umask")
def test_only_the_owner_can_look_into_the_folder(files: tuple[Path, Path]) -> None:
    """Whatever the umask, the folder has mode 0700."""

    assert _mode(files[0].parent) == 0o700


@pytest.mark.usefixtures("open_umask")
def test_a_key_never_takes_over_the_mode_of_an_older_file(tmp_path: Path) -> None:
    """A readable file in the key's place is replaced, not filled."""

    path = tmp_path / "client.key"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (_mode(path), path.read_bytes()) == (0o600, b"new")


def test_a_key_is_not_written_through_a_link(tmp_path: Path) -> None:
    """A link in the key's place is replaced; what it points to stays as it was."""

    elsewhere, path = tmp_path / "elsewhere", tmp_path / "client.key"
    elsewhere.write_text("untouched")
    path.symlink_to(elsewhere)
    write_private(path, b"secret")
    assert (elsewhere.read_text(), path.is_symlink()) == ("untouched", False)


# --- reading


def test_a_read_credential_bears_the_name_it_was_given(files: tuple[Path, Path]) -> None:
    """Reports call it by that name."""

    assert Credential.from_files(*files, name="the old one").name == "the old one"


def test_certificate_and_key_may_share_a_file(credential: Credential, tmp_path: Path) -> None:
    """Many tools write both into one PEM file."""

    both = tmp_path / "both.pem"
    both.write_bytes(credential.key_pem + credential.certificate_pem)
    assert Credential.from_files(both, both).certificates == credential.certificates


def test_crlf_line_ends_are_read(credential: Credential, files: tuple[Path, Path]) -> None:
    """API Gateway returns its PEM with CRLF and no final newline."""

    files[0].write_bytes(credential.certificate_pem.replace(b"\n", b"\r\n").rstrip())
    assert Credential.from_files(*files).certificates == credential.certificates


Broken = Callable[[Credential, Path, Path], None]
"""Breaks the certificate file or the key file of a credential."""


def _no_certificate_file(_: Credential, certificate: Path, key: Path) -> None:
    certificate.unlink()


def _certificate_is_a_folder(_: Credential, certificate: Path, key: Path) -> None:
    certificate.unlink()
    certificate.mkdir()


def _no_key_file(_: Credential, certificate: Path, key: Path) -> None:
    key.unlink()


def _certificate_is_text(_: Credential, certificate: Path, key: Path) -> None:
    certificate.write_text("no\ncertificate\n")


def _certificate_is_empty(_: Credential, certificate: Path, key: Path) -> None:
    certificate.write_bytes(b"")


def _certificate_is_the_key(credential: Credential, certificate: Path, key: Path) -> None:
    certificate.write_bytes(credential.key_pem)


def _certificate_of_unknown_kind(credential: Credential, certificate: Path, key: Path) -> None:
    changed = credential.leaf.public_bytes(Encoding.DER).replace(_ID_EC_PUBLIC_KEY, _UNKNOWN_KEY_KIND)
    certificate.write_bytes(x509.load_der_x509_certificate(changed).public_bytes(Encoding.PEM))


def _key_is_text(_: Credential, certificate: Path, key: Path) -> None:
    key.write_text("no\nkey\n")


def _key_is_the_certificate(credential: Credential, certificate: Path, key: Path) -> None:
    key.write_bytes(credential.certificate_pem)


def _key_is_encrypted(credential: Credential, certificate: Path, key: Path) -> None:
    key.write_bytes(credential.key.private_bytes(Encoding.PEM, _PKCS8, BestAvailableEncryption(b"pass")))


def _key_is_encrypted_in_the_old_form(credential: Credential, certificate: Path, key: Path) -> None:
    old_form = PrivateFormat.TraditionalOpenSSL
    key.write_bytes(credential.key.private_bytes(Encoding.PEM, old_form, BestAvailableEncryption(b"pass")))


def _key_is_another(_: Credential, certificate: Path, key: Path) -> None:
    key.write_bytes(new_ec_key().private_bytes(Encoding.PEM, _PKCS8, NoEncryption()))


def _key_is_ed25519(_: Credential, certificate: Path, key: Path) -> None:
    key.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, _PKCS8, NoEncryption()))


_CERTIFICATE, _KEY = r"the client \(\S+/client\.pem\)", r"private key \(\S+/client\.key\)"


@pytest.mark.parametrize(
    ("broken", "file", "seen", "remedy"),
    [
        (_no_certificate_file, _CERTIFICATE, "No such file or directory", "Check the path"),
        (_certificate_is_a_folder, _CERTIFICATE, "Is a directory", "Check the path"),
        (_certificate_is_text, _CERTIFICATE, "expected PEM certificates, saw none", "BEGIN CERTIFICATE"),
        (_certificate_is_empty, _CERTIFICATE, "expected PEM certificates, saw none", "BEGIN CERTIFICATE"),
        (_certificate_is_the_key, _CERTIFICATE, "expected PEM certificates, saw none", "BEGIN CERTIFICATE"),
        (_certificate_of_unknown_kind, _CERTIFICATE, "expected an RSA or EC public key", "Give a credential"),
        (_no_key_file, _KEY, "No such file or directory", "Check the path"),
        (_key_is_text, _KEY, "expected a PEM private key, saw none", "BEGIN PRIVATE KEY"),
        (_key_is_the_certificate, _KEY, "expected a PEM private key, saw none", "BEGIN PRIVATE KEY"),
        (_key_is_encrypted, _KEY, "saw an encrypted one", "Decrypt a copy with 'openssl pkey'"),
        (_key_is_encrypted_in_the_old_form, _KEY, "saw an encrypted one", "Decrypt a copy with 'openssl pkey'"),
        (_key_is_another, _KEY, r"certificate in \S+/client\.pem, saw another one", "Give the key"),
        (_key_is_ed25519, _KEY, "expected RSA or EC, saw Ed25519PrivateKey", "Give a credential"),
    ],
    ids=lambda value: value.__name__.strip("_").replace("_", "-") if callable(value) else "",
)
def test_what_cannot_be_read_is_named_with_a_remedy(
    credential: Credential, files: tuple[Path, Path], broken: Broken, file: str, seen: str, remedy: str
) -> None:
    """Whatever is wrong with two files gives one line: which file, what was expected and seen, what to do."""

    broken(credential, *files)
    with pytest.raises(UsageError, match=f"^{file}: .*{seen}.*\\. .*{remedy}.*\\.$") as caught:
        Credential.from_files(*files, name="the client")
    assert "\n" not in str(caught.value)


def test_an_rsa_key_does_not_fit_an_ec_certificate(files: tuple[Path, Path]) -> None:
    """Keys of different kinds are compared too, without an error of their own."""

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    files[1].write_bytes(key.private_bytes(Encoding.PEM, _PKCS8, NoEncryption()))
    with pytest.raises(UsageError, match="saw another one"):
        Credential.from_files(*files)


def test_certificates_can_be_read_alone(credential: Credential, files: tuple[Path, Path]) -> None:
    """A server's authority comes as certificates without a key."""

    assert tuple(read_certificates(files[0], "authority")) == credential.certificates


def test_the_written_key_is_the_credentials_own(credential: Credential, files: tuple[Path, Path]) -> None:
    """Certificate file and key file belong together."""

    key = load_pem_private_key(files[1].read_bytes(), password=None)
    assert key.public_key() == credential.leaf.public_key()
