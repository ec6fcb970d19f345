"""OCSP: what an authority answers to the question whether a certificate is still good (RFC 6960), rightly or wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.ocsp import OCSPCertStatus, OCSPResponseStatus
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .authority import Authority
from .issue import CLIENT_EXTENSIONS, Extensions, issue, self_signed
from .keys import PrivateKey, new_ec_key
from .revocation import SKEW, Revoked

__all__ = ["LIFETIME", "OcspMode", "ocsp_answer"]

LIFETIME = timedelta(days=1)
"""How long an answer may be kept (nextUpdate)."""


class OcspMode(StrEnum):
    """How a responder answers."""

    NORMAL = "normal"
    """The truth: revoked, good, or, for a certificate of another authority, unknown."""
    GOOD = "good"
    """Good, whoever is asked for."""
    REVOKED = "revoked"
    """Revoked, whoever is asked for."""
    UNKNOWN = "unknown"
    """Unknown, whoever is asked for."""
    STALE = "stale"
    """The truth, but nextUpdate has passed: what somebody replays who has kept an old answer."""
    TRY_LATER = "tryLater"
    """No status and no signature, but the error of that name."""
    INTERNAL_ERROR = "internalError"
    """Likewise."""
    SILENT = "silent"
    """The connection is accepted and never answered."""
    FOREIGN_SIGNED = "foreign-signed"
    """Good, signed by a stranger who sends along a certificate for OCSP that it made itself."""
    DELEGATED = "delegated"
    """The truth, signed by a responder that the authority has certified for that (RFC 6960 4.2.2.2)."""
    UNDELEGATED = "undelegated"
    """Good, signed with a certificate of the authority that is not for OCSP: any leaf could do that."""
    OTHER_CERTIFICATE = "other-certificate"
    """Good and well signed, but about another serial number."""


_FAULTS = {
    OcspMode.TRY_LATER: OCSPResponseStatus.TRY_LATER,
    OcspMode.INTERNAL_ERROR: OCSPResponseStatus.INTERNAL_ERROR,
}
_CLAIMS = {
    OcspMode.GOOD: OCSPCertStatus.GOOD,
    OcspMode.FOREIGN_SIGNED: OCSPCertStatus.GOOD,
    OcspMode.UNDELEGATED: OCSPCertStatus.GOOD,
    OcspMode.OTHER_CERTIFICATE: OCSPCertStatus.GOOD,
    OcspMode.REVOKED: OCSPCertStatus.REVOKED,
    OcspMode.UNKNOWN: OCSPCertStatus.UNKNOWN,
}
"""What is said whoever is asked for; other modes tell the truth."""

_RESPONDER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OCSP responder")])
_FOR_OCSP: Extensions = (
    (x509.BasicConstraints(ca=False, path_length=None), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
    (x509.OCSPNoCheck(), False),  # nobody has to ask for the responder's own status (RFC 6960 4.2.2.2.1)
)


def ocsp_answer(
    authority: Authority,
    request: bytes,
    revoked: Mapping[int, Revoked],
    *,
    now: datetime,
    mode: OcspMode = OcspMode.NORMAL,
    lifetime: timedelta = LIFETIME,
) -> bytes | None:
    """What *authority*, which has *revoked* these (by serial), answers to a *request*; both are DER. None: nothing at all.

    The answer is valid from an hour before *now* for *lifetime*. A nonce is given back (RFC 6960 4.4.1). What is no
    request, or one for several certificates, is answered ``malformedRequest``. (producedAt is the machine's time.)
    """
    if mode is OcspMode.SILENT:
        return None
    if mode in _FAULTS:
        return _fault(_FAULTS[mode])
    try:
        asked = ocsp.load_der_ocsp_request(request)
        builder = _with_nonce(_status(authority, asked, revoked, mode, now, lifetime), asked)
        return _signed(builder, *_signer(authority, mode, now), authority)
    except (ValueError, NotImplementedError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return _fault(OCSPResponseStatus.MALFORMED_REQUEST)


def _status(
    authority: Authority,
    asked: ocsp.OCSPRequest,
    revoked: Mapping[int, Revoked],
    mode: OcspMode,
    now: datetime,
    lifetime: timedelta,
) -> ocsp.OCSPResponseBuilder:
    """The part that says how the certificate is; it names the certificate as the request did (RFC 6960 4.2.1)."""
    entry = revoked.get(asked.serial_number)
    status = _CLAIMS.get(mode) or _truth(authority, asked, entry)
    is_revoked = status is OCSPCertStatus.REVOKED
    entry = entry or Revoked(asked.serial_number, now - SKEW)
    begin = now - SKEW - (lifetime if mode is OcspMode.STALE else timedelta())
    return ocsp.OCSPResponseBuilder().add_response_by_hash(
        asked.issuer_name_hash,
        asked.issuer_key_hash,
        asked.serial_number + (mode is OcspMode.OTHER_CERTIFICATE),
        asked.hash_algorithm,
        status,
        begin,
        begin + lifetime,
        entry.moment if is_revoked else None,
        entry.reason if is_revoked else None,
    )


def _with_nonce(builder: ocsp.OCSPResponseBuilder, asked: ocsp.OCSPRequest) -> ocsp.OCSPResponseBuilder:
    for extension in asked.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            return builder.add_extension(extension.value, critical=False)
    return builder


def _fault(status: OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def _truth(authority: Authority, asked: ocsp.OCSPRequest, entry: Revoked | None) -> OCSPCertStatus:
    if not _is_about(authority.certificate, asked):
        return OCSPCertStatus.UNKNOWN
    return OCSPCertStatus.GOOD if entry is None else OCSPCertStatus.REVOKED


def _is_about(issuer: x509.Certificate, asked: ocsp.OCSPRequest) -> bool:
    """Whether the certificate asked for names this *issuer*, by the hashes of its name and key (RFC 6960 4.1.1)."""
    name = hashes.Hash(asked.hash_algorithm)
    name.update(issuer.subject.public_bytes())
    # cryptography hashes a key so in a request alone; whose certificate that asks for does not matter here
    own = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, asked.hash_algorithm).build()
    return (asked.issuer_name_hash, asked.issuer_key_hash) == (name.finalize(), own.issuer_key_hash)


def _signer(authority: Authority, mode: OcspMode, now: datetime) -> tuple[x509.Certificate, PrivateKey]:
    """Who signs: the certificate and its key. Responders' own certificates are made on the spot; their keys are P-256."""
    begin, end = now - SKEW, now + LIFETIME
    key, issuer = new_ec_key(), authority.certificate.subject
    if mode is OcspMode.FOREIGN_SIGNED:
        return self_signed(_RESPONDER, key, begin, end, extensions=_FOR_OCSP), key
    if mode is OcspMode.DELEGATED:
        extensions = _FOR_OCSP
    elif mode is OcspMode.UNDELEGATED:
        extensions = CLIENT_EXTENSIONS
    else:
        return authority.certificate, authority.key
    return issue(_RESPONDER, key, begin, end, issuer=issuer, issuer_key=authority.key, extensions=extensions), key


def _signed(
    builder: ocsp.OCSPResponseBuilder, signer: x509.Certificate, key: PrivateKey, authority: Authority
) -> bytes:
    """The answer, with the certificate of a *signer* that is not the *authority* itself."""
    if signer is not authority.certificate:
        builder = builder.certificates([signer])
    response = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer).sign(key, hashes.SHA256())
    return response.public_bytes(Encoding.DER)
