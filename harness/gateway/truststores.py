"""Truststores of custom domains: where they lie, what is taken of them, and what is warned of."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from .errors import ApiError, bad_request
from .settings import Settings

__all__ = [
    "MALFORMED",
    "Fetched",
    "Location",
    "NameKey",
    "Needed",
    "Trust",
    "location",
    "name_key",
    "quiet",
    "read",
    "weak_digest",
    "weak_key",
]

_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\x00-\x1f\x7f]{1,1024})")
_PIECE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?(?:-----END CERTIFICATE-----|(?=-----BEGIN)|\Z)", re.DOTALL)
"""One that is cut off ends where the next one begins, or the file does."""
_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_END = b"-----END CERTIFICATE-----"

_SHORTEST_RSA = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_WEAK = ("md5", "sha1", "sha224")
"""AWS asks for SHA-256 or stronger."""

MALFORMED = (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What cryptography raises for a certificate that is not well-formed, at once or when a part of it is looked at."""


def quiet() -> AbstractContextManager[object]:
    """Without cryptography's warnings of what API Gateway takes (``C=USA``): for some test suites warnings are errors."""
    return warnings.catch_warnings(action="ignore")


NameKey = tuple[frozenset[tuple[str, str]], ...]
"""A distinguished name in the form in which two are compared."""


# --- where it lies


@dataclass(frozen=True, slots=True)
class Location:
    """An object in S3; without *version* its newest."""

    bucket: str
    key: str
    version: str | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" + (f" version {self.version}" if self.version else "")


def location(uri: str, version: str | None) -> Location:
    """What ``truststoreUri`` and ``truststoreVersion`` name; raises BadRequestException for what is no URI of S3's."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise bad_request(f"Invalid truststore URI: expected s3://bucket/key, saw '{uri[:200]}'")
    return Location(found[1], found[2], version or None)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What reading gave: the octets, or the refusal."""

    location: Location
    content: bytes | ApiError


class Needed(Exception):
    """An operation cannot go on without the object at *location*, which is read elsewhere; *limit* octets are of use."""

    def __init__(self, location: Location, limit: int) -> None:
        super().__init__(str(location))
        self.location, self.limit = location, limit


# --- what is taken of it


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """The members of a truststore that count, by name, and a sentence for each that does not."""

    certificates: tuple[x509.Certificate, ...] = ()
    warnings: tuple[str, ...] = ()
    by_name: Mapping[NameKey, tuple[x509.Certificate, ...]] = field(default_factory=dict)
    """By subject."""

    @classmethod
    def of(cls, certificates: Iterable[x509.Certificate], warnings: Iterable[str] = ()) -> Trust:
        """The trust in *certificates*; copies count once."""
        found: dict[NameKey, tuple[x509.Certificate, ...]] = {}
        members = tuple(dict.fromkeys(certificates))
        for one in members:
            key = name_key(one.subject)
            found[key] = (*found.get(key, ()), one)
        return cls(members, tuple(warnings), found)

    def holds(self, certificate: x509.Certificate) -> bool:
        """Whether *certificate* itself is a member."""
        return certificate in self.by_name.get(name_key(certificate.subject), ())

    def named(self, name: x509.Name) -> tuple[x509.Certificate, ...]:
        """The members with the subject *name*."""
        return self.by_name.get(name_key(name), ())


def name_key(name: x509.Name) -> NameKey:
    """*name* without what does not count in a comparison: string types, case, blanks (RFC 5280 7.1)."""
    return tuple(
        frozenset((one.oid.dotted_string, " ".join(str(one.value).split()).casefold()) for one in rdn)
        for rdn in name.rdns
    )


def read(content: bytes, settings: Settings, now: datetime) -> Trust:
    """What *content* (PEM, with any text around the blocks) makes trusted at the moment *now*.

    Raises BadRequestException for a truststore over the limits, with a private key in it, or without a certificate.
    """
    if len(content) > settings.max_truststore_bytes:
        raise bad_request(f"Truststore is larger than {settings.max_truststore_bytes} bytes")
    if _KEY.search(content):
        raise bad_request("Truststore holds a private key: expected certificates alone. Make that key invalid.")
    pieces = _PIECE.findall(content)
    if len(pieces) > settings.max_truststore_certificates:
        raise bad_request(
            f"Truststore holds {len(pieces)} certificates: expected at most {settings.max_truststore_certificates}"
        )
    with quiet():
        return _taken(pieces, now)


def _taken(pieces: list[bytes], now: datetime) -> Trust:
    members = list(_parsed(pieces))
    if not any(isinstance(one, x509.Certificate) for one in members):
        raise bad_request("Truststore holds no certificate in PEM form")
    good: list[x509.Certificate] = []
    told: list[str] = []
    for one in members:
        if isinstance(one, str):
            told.append(one)
        elif (issue := _issue(one, now)) is not None:
            told.append(f"{one.subject.rfc4514_string()}: {issue}")
        else:
            good.append(one)
    return Trust.of(good, told)


def _parsed(pieces: Iterable[bytes]) -> Iterator[x509.Certificate | str]:
    for number, piece in enumerate(pieces, start=1):
        try:
            if not piece.endswith(_END):
                raise ValueError("cut off")
            certificate = x509.load_pem_x509_certificate(piece)
            check_form(certificate)
        except MALFORMED:
            yield f"certificate {number} in the truststore: it cannot be parsed"
        else:
            yield certificate


def _issue(certificate: x509.Certificate, now: datetime) -> str | None:
    if now > certificate.not_valid_after_utc:
        return "certificate has expired"
    if now < certificate.not_valid_before_utc:
        return "certificate is not yet valid"
    if weak_digest(certificate):
        return "certificate uses an insecure signature algorithm"
    return "certificate has a weak or unsupported key" if weak_key(certificate) else None


def check_form(certificate: x509.Certificate) -> None:
    """Raises ValueError when *certificate* was taken, but holds names or extensions that mean nothing."""
    try:
        name_key(certificate.subject)
        name_key(certificate.issuer)
        for _ in certificate.extensions:  # they are parsed when they are first looked at
            return
    except MALFORMED as error:
        raise ValueError(str(error)) from error


def weak_digest(certificate: x509.Certificate) -> bool:
    """Whether it is signed with SHA-1 or worse, or in a way that nobody knows."""
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return True
    return digest is not None and digest.name in _WEAK


def weak_key(certificate: x509.Certificate) -> bool:
    """Whether its key is none of those that API Gateway takes: RSA from 2048 bits on, P-256, P-384, P-521."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return True
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < _SHORTEST_RSA
    return not (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES)
