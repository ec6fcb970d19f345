"""Truststores: ordered bundles as the field writes them, and the atomic change of one."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from pytest_mtls.harness.errors import UsageError
from pytest_mtls.harness.pki.gateway_certificate import control_credential, gateway_credential
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.pki.truststore import MAX_BYTES, MAX_CERTIFICATES, Truststore, write_atomically

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


@pytest.fixture(scope="module")
def a() -> x509.Certificate:
    """A gateway certificate."""
    return gateway_credential(key=new_ec_key()).leaf


@pytest.fixture(scope="module")
def b() -> x509.Certificate:
    """Another of the same name."""
    return gateway_credential(key=new_ec_key()).leaf


@pytest.fixture(scope="module")
def c() -> x509.Certificate:
    """One of another name."""
    return control_credential().leaf


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


# --- order


def test_order_is_kept(a: x509.Certificate, b: x509.Certificate, c: x509.Certificate) -> None:
    """OpenSSL takes the first of several certificates of one name, so the order is part of the bundle."""

    assert tuple(Truststore.parse(Truststore.of([c, b, a]).pem)) == (c, b, a)


def test_a_certificate_is_added_at_the_end(a: x509.Certificate, b: x509.Certificate) -> None:
    """AWS's rotation appends the new certificate."""

    assert Truststore.of([a]).add(b).certificates == (a, b)


def test_a_certificate_can_be_added_at_the_beginning(a: x509.Certificate, b: x509.Certificate) -> None:
    """Others put the new one first."""

    assert Truststore.of([a]).add(b, first=True).certificates == (b, a)


def test_removing_keeps_the_others_in_order(a: x509.Certificate, b: x509.Certificate, c: x509.Certificate) -> None:
    """Only the certificate itself goes, not others of its name."""

    assert Truststore.of([a, b, c]).remove(b).certificates == (a, c)


def test_removing_takes_every_copy(a: x509.Certificate, b: x509.Certificate) -> None:
    """A duplicate left behind would still be trusted."""

    assert Truststore.of([a, b, a]).remove(a).certificates == (b,)


def test_removing_what_is_not_there_is_an_error(a: x509.Certificate, b: x509.Certificate) -> None:
    """A rotation that removes nothing is a mistake, also when the name is there."""

    with pytest.raises(ValueError, match="not in the truststore: CN=ApiGateway,L=Seattle,C=US"):
        Truststore.of([a]).remove(b)


def test_changes_leave_the_old_bundle_alone(a: x509.Certificate, b: x509.Certificate) -> None:
    """A bundle is a value; a change gives a new one."""

    old = Truststore.of([a])
    old.add(b)
    old.remove(a)
    assert old.certificates == (a,)


def test_its_length_is_the_number_of_certificates(a: x509.Certificate, b: x509.Certificate) -> None:
    """Duplicates count, and an empty bundle is false."""

    assert (len(Truststore.of([a, b, a])), bool(Truststore())) == (3, False)


# --- bundles as the field writes them


def _joined(*parts: bytes) -> bytes:
    return b"".join(parts)


Shape = Callable[[bytes, bytes], bytes]
"""Puts two PEM certificates into one file."""

_SHAPES: dict[str, Shape] = {
    "lf": _joined,
    "crlf": lambda one, two: (one + two).replace(b"\n", b"\r\n"),
    "cr": lambda one, two: (one + two).replace(b"\n", b"\r"),
    "mixed line ends": lambda one, two: one.replace(b"\n", b"\r\n") + two,
    "no final newline": lambda one, two: (one + two).rstrip(),
    "no newline between the blocks": lambda one, two: one.rstrip() + two,
    "comments": lambda one, two: b"# old\n" + one + b"# new, since Monday\n" + two + b"# end\n",
    "text between the blocks": lambda one, two: b"subject=CN = a\n\n" + one + b"\nsubject=CN = b\n" + two + b"bye",
    "blank lines": lambda one, two: b"\n\n" + one + b"\n\n\n" + two + b"\n\n",
    "byte order mark": lambda one, two: b"\xef\xbb\xbf" + one + two,
    "indented": lambda one, two: b"  " + (one + two).replace(b"\n", b"\n  "),
    "octets that are no text": lambda one, two: b"\xff\x00\xfe" + one + b"\x80" + two,
}


@pytest.mark.parametrize("shape", _SHAPES.values(), ids=_SHAPES.keys())
def test_bundles_are_read_in_every_shape(a: x509.Certificate, b: x509.Certificate, shape: Shape) -> None:
    """Bundles are joined by hand, with cat, and from consoles; all that is certificate is found, in order."""

    assert Truststore.parse(shape(_pem(a), _pem(b))).certificates == (a, b)


def test_duplicates_are_kept(a: x509.Certificate, b: x509.Certificate) -> None:
    """The bundle is what is in the file, not what it means."""

    assert Truststore.parse(_pem(a) + _pem(b) + _pem(a)).certificates == (a, b, a)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# nothing yet\n"], ids=["empty", "blank", "comment"])
def test_a_file_without_certificates_is_an_empty_bundle(content: bytes) -> None:
    """Whether nobody may be trusted is for the reader to say."""

    assert Truststore.parse(content) == Truststore()


def test_other_pem_blocks_are_no_certificates(a: x509.Certificate) -> None:
    """A key that stands in the same file is left alone."""

    assert Truststore.parse(control_credential().key_pem + _pem(a)).certificates == (a,)


_BROKEN: dict[str, tuple[Shape, str]] = {
    "cut off at the end": (
        lambda one, two: one + two[:200],
        r"^roots\.pem: expected an END CERTIFICATE line in block 2, saw the end of the file\. .* copy it anew\.$",
    ),
    "cut off in the middle": (
        lambda one, two: one[:200] + b"\n" + two,
        r"^roots\.pem: expected a certificate in block 1, saw .* Export that certificate anew\.$",
    ),
    "no base64": (
        lambda one, two: one + _BEGIN + b"\n!!!!\n" + _END + b"\n" + two,
        r"^roots\.pem: expected a certificate in block 2, saw .* Export that certificate anew\.$",
    ),
    "no certificate inside": (
        lambda one, two: one + two + _BEGIN + b"\naGVsbG8=\n" + _END + b"\n",
        r"^roots\.pem: expected a certificate in block 3, saw .* Export that certificate anew\.$",
    ),
    "empty block": (
        lambda one, two: _BEGIN + b"\n" + _END + b"\n" + one + two,
        r"^roots\.pem: expected a certificate in block 1, saw .* Export that certificate anew\.$",
    ),
}


@pytest.mark.parametrize(("shape", "message"), _BROKEN.values(), ids=_BROKEN.keys())
def test_a_broken_block_is_named(a: x509.Certificate, b: x509.Certificate, shape: Shape, message: str) -> None:
    """Servers drop such blocks silently; we say which file and which block, in one line, and what to do."""

    with pytest.raises(UsageError, match=message) as caught:
        Truststore.parse(shape(_pem(a), _pem(b)), "roots.pem")
    assert "\n" not in str(caught.value)


# --- limits


def test_a_bundle_within_the_limits_has_no_warning(a: x509.Certificate) -> None:
    """A thousand small certificates are what API Gateway takes."""

    assert Truststore.of([a] * MAX_CERTIFICATES).warnings == ()


def test_too_many_certificates_are_a_warning(a: x509.Certificate) -> None:
    """One more than a thousand is one too many, whatever their size."""

    assert Truststore.of([a] * 1_001).warnings == ("1001 certificates: API Gateway takes 1000 at most",)


def test_too_many_octets_are_a_warning(a: x509.Certificate) -> None:
    """The limit of one mebibyte is reached by fewer certificates when they are large."""

    large = _with_size(a, MAX_BYTES // 10)
    bundle = Truststore.of([large] * 10)
    assert bundle.warnings == (f"{len(bundle.pem)} octets: API Gateway takes 1048576 at most",)


def test_both_limits_are_told(a: x509.Certificate) -> None:
    """One warning does not hide the other."""

    assert len(Truststore.of([_with_size(a, 2_000)] * 1_001).warnings) == 2


def _with_size(like: x509.Certificate, octets: int) -> x509.Certificate:
    """A certificate of at least so many octets of PEM."""
    key = new_ec_key()
    filler = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05" * octets)
    builder = x509.CertificateBuilder(
        like.issuer, like.subject, key.public_key(), 1, like.not_valid_before_utc, like.not_valid_after_utc
    )
    return builder.add_extension(filler, critical=False).sign(key, hashes.SHA256())


# --- writing


@pytest.fixture
def closed_umask() -> Iterator[None]:
    """The strictest umask there is, so that modes are seen to be set and not inherited."""
    before = os.umask(0o777)
    yield
    os.umask(before)


def test_a_written_bundle_is_its_pem(a: x509.Certificate, b: x509.Certificate, tmp_path: Path) -> None:
    """LF line ends, no comments, in order."""

    path = tmp_path / "truststore.pem"
    Truststore.of([a, b]).write(path)
    assert path.read_bytes() == _pem(a) + _pem(b)


@pytest.mark.usefixtures("closed_umask")
def test_everybody_may_read_a_bundle(a: x509.Certificate, tmp_path: Path) -> None:
    """Certificates are public, and a server may run as another user: mode 0644 whatever the umask."""

    path = tmp_path / "truststore.pem"
    Truststore.of([a]).write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_writing_leaves_nothing_else_behind(a: x509.Certificate, b: x509.Certificate, tmp_path: Path) -> None:
    """A server that reads the whole folder must not find a temporary file."""

    path = tmp_path / "truststore.pem"
    Truststore.of([a]).write(path)
    Truststore.of([b]).write(path)
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_already_reads_on_in_the_old_bundle(a: x509.Certificate, b: x509.Certificate, tmp_path: Path) -> None:
    """The old file is replaced, not changed: half of it and half of the new one are never read together."""

    path = tmp_path / "truststore.pem"
    Truststore.of([a]).write(path)
    with path.open("rb") as reader:
        begun = reader.read(100)
        Truststore.of([b]).write(path)
        assert begun + reader.read() == _pem(a)


def test_a_reader_never_sees_half_a_bundle(a: x509.Certificate, b: x509.Certificate, tmp_path: Path) -> None:
    """While one bundle replaces another many times, every reading gives one of the two, whole."""

    path = tmp_path / "truststore.pem"
    bundles = [one.public_bytes(Encoding.PEM) * 200 for one in (a, b)]
    write_atomically(path, bundles[0])
    seen: set[bytes] = set()
    began, done = threading.Event(), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())
            began.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert began.wait(10)
        for number in range(200):
            write_atomically(path, bundles[number % 2])
    finally:
        done.set()
        reader.join(10)
    assert {bundles[0]} <= seen <= set(bundles)


@pytest.mark.parametrize("step", ["os.replace", "os.fchmod"])
def test_a_failed_write_leaves_the_old_bundle(
    a: x509.Certificate, b: x509.Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """When a step fails, the error is told, the old bundle stays, and no temporary file is left."""

    path = tmp_path / "truststore.pem"
    Truststore.of([a]).write(path)

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(step, fail)
    with pytest.raises(OSError, match="no space left"):
        Truststore.of([b]).write(path)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (_pem(a), [path])
