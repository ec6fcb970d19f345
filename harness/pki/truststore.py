"""Truststores: the ordered PEM bundle that a verifier trusts.

The order matters (OpenSSL takes the first of several certificates of one name), so it is kept. A file is replaced by an
atomic rename, so that a server that reads it at any moment sees the old or the new bundle, never half of one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import UsageError

__all__ = ["MAX_BYTES", "MAX_CERTIFICATES", "Truststore", "same_file", "write_atomically"]

MAX_CERTIFICATES = 1_000
"""API Gateway's limit for the truststore of a custom domain."""
MAX_BYTES = 1_048_576
"""Likewise, in octets."""

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Truststore:
    """An ordered bundle of certificates; changes give a new bundle."""

    certificates: tuple[x509.Certificate, ...] = ()

    def __len__(self) -> int:
        return len(self.certificates)

    def __iter__(self) -> Iterator[x509.Certificate]:
        return iter(self.certificates)

    @classmethod
    def of(cls, certificates: Iterable[x509.Certificate]) -> Truststore:
        """The bundle of *certificates*, in their order."""
        return cls(tuple(certificates))

    @classmethod
    def parse(cls, content: bytes, source: str = "truststore") -> Truststore:
        """Read a bundle as the field writes them: any line ends, comments and text between the blocks, duplicates.

        Raises UsageError, naming *source* and the number of the block, for a block that is cut off or is no certificate.
        """
        found = []
        for number, block in enumerate(_blocks(content, source), start=1):
            try:
                found.append(x509.load_pem_x509_certificate(block))
            except ValueError as error:
                raise UsageError(
                    f"{source}: expected a certificate in block {number}, saw one that cannot be parsed "
                    f"({str(error)[:80]}). Export that certificate anew."
                ) from error
        return cls(tuple(found))

    def add(self, certificate: x509.Certificate, *, first: bool = False) -> Truststore:
        """With *certificate* at the end, or at the beginning."""
        return Truststore((certificate, *self) if first else (*self, certificate))

    def remove(self, certificate: x509.Certificate) -> Truststore:
        """Without *certificate*, every copy of it; raises ValueError when it is not there."""
        if certificate not in self.certificates:
            raise ValueError(f"not in the truststore: {certificate.subject.rfc4514_string()}")
        return Truststore(tuple(one for one in self if one != certificate))

    @property
    def pem(self) -> bytes:
        """The bundle as PEM, LF line ends, no comments."""
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What API Gateway would say of its size: sentences, none if it fits."""
        size, found = len(self.pem), []
        if len(self) > MAX_CERTIFICATES:
            found.append(f"{len(self)} certificates: API Gateway takes {MAX_CERTIFICATES} at most")
        if size > MAX_BYTES:
            found.append(f"{size} octets: API Gateway takes {MAX_BYTES} at most")
        return tuple(found)

    def write(self, path: Path) -> Path:
        """Put the bundle at *path* by an atomic rename, in a folder that is made if need be; return the path."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, self.pem)
        return path


def write_atomically(path: Path, content: bytes) -> None:
    """Write *content* beside *path*, then rename: readers see the old or the new file. Mode 0644."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)  # certificates are public; a server may read them as another user
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def same_file(one: Path, other: Path) -> bool:
    """Whether both paths lead to one file, by links too; a file that is not there is none."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _blocks(content: bytes, source: str) -> Iterator[bytes]:
    at = number = 0
    while (begin := content.find(_BEGIN, at)) >= 0:
        number += 1
        end = content.find(_END, begin)
        if end < 0:
            raise UsageError(
                f"{source}: expected an END CERTIFICATE line in block {number}, saw the end of the file. "
                "It was cut off; copy it anew."
            )
        at = end + len(_END)
        yield content[begin:at]
