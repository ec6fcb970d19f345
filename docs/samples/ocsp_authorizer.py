"""A Lambda authorizer that asks by OCSP whether a client certificate is still good (RFC 6960).

Every certificate up to the root is asked for, at the responder that the certificate names, for each request anew. What it
does when nobody answers is stated by the variable OCSP_SOFT_FAIL: ``true`` lets such a client in, all else refuses it. What
was answered is obeyed either way: revoked, unknown, stale, forged, or about somebody else is refused.

Bind it as ``ocsp_authorizer.handler``, REQUEST type, with a result TTL of 0: the cache of API Gateway does not look at the
certificate. The variable TRUSTSTORE names a PEM file with all CA certificates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from authorizer_common import Refused, Unreachable, authorize, download, issued_by, path_to_root, read_truststore
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

SKEW = timedelta(minutes=5)
"""How far the responder's clock may be ahead of ours."""

WITHOUT_NEXT_UPDATE = timedelta(hours=1)
"""How old an answer may be that does not say when there will be a newer one."""


class OcspCheck:
    """Refuses certificates that the *truststore*'s authorities do not call good."""

    def __init__(
        self,
        truststore: Sequence[x509.Certificate],
        *,
        soft_fail: bool,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.truststore, self.soft_fail, self.clock = truststore, soft_fail, clock

    def __call__(self, leaf: x509.Certificate) -> None:
        """Raise Refused unless the *leaf*, and each authority above it, is called good, or if need be nothing."""
        for certificate, issuer in path_to_root(leaf, self.truststore):
            try:
                status = self._status_of(certificate, issuer)
            except Unreachable as error:
                if not self.soft_fail:
                    raise Refused(f"no OCSP answer: {error}") from error
                continue
            if status is not ocsp.OCSPCertStatus.GOOD:
                raise Refused(status.name.lower() if certificate is leaf else f"authority {status.name.lower()}")

    def _status_of(self, certificate: x509.Certificate, issuer: x509.Certificate) -> ocsp.OCSPCertStatus:
        # SHA-1 here only names the issuer, and many responders know nothing else (RFC 5019 2.1.1).
        request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build()
        octets = download(_url(certificate), request.public_bytes(Encoding.DER), "application/ocsp-request")
        try:
            response = ocsp.load_der_ocsp_response(octets)
        except ValueError as error:
            raise Unreachable("malformed answer") from error
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise Unreachable(f"responder says {response.response_status.name.lower()}")
        if not self._is_signed_for(response, issuer):
            raise Refused("forged OCSP answer")
        for one in response.responses:
            if _names(one) == _names(request):
                self._check_dates(one)
                return one.certificate_status
        raise Refused("OCSP answer about another certificate")

    def _check_dates(self, one: ocsp.OCSPSingleResponse) -> None:
        if one.this_update_utc > self.clock() + SKEW:
            raise Refused("OCSP answer that is not yet in force")
        if (one.next_update_utc or one.this_update_utc + WITHOUT_NEXT_UPDATE) <= self.clock():
            raise Refused("stale OCSP answer")

    def _is_signed_for(self, response: ocsp.OCSPResponse, issuer: x509.Certificate) -> bool:
        """Whether the *issuer* signed it, or a responder that the issuer itself certified for that (RFC 6960 4.2.2.2)."""
        delegates = [one for one in response.certificates if self._is_delegate(one, issuer)]
        return any(_is_signed_by(response, one) for one in (issuer, *delegates))

    def _is_delegate(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        try:
            purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
            return False
        in_force = certificate.not_valid_before_utc <= self.clock() <= certificate.not_valid_after_utc
        return ExtendedKeyUsageOID.OCSP_SIGNING in purposes and in_force and issued_by(certificate, issuer)


def _is_signed_by(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    try:
        algorithm, key = response.signature_hash_algorithm, signer.public_key()
        if algorithm is None:
            return False
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _names(one: ocsp.OCSPRequest | ocsp.OCSPSingleResponse) -> tuple[int, str, bytes, bytes]:
    """Which certificate it is about (CertID, RFC 6960 4.1.1)."""
    return one.serial_number, one.hash_algorithm.name, one.issuer_name_hash, one.issuer_key_hash


def _url(certificate: x509.Certificate) -> str:
    """The first responder that the *certificate* names."""
    try:
        places = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        places = x509.AuthorityInformationAccess([])
    for place in places:
        location = place.access_location
        if place.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
            location, x509.UniformResourceIdentifier
        ):
            return location.value
    raise Unreachable("no responder named")


CHECK = OcspCheck(read_truststore(), soft_fail=os.environ.get("OCSP_SOFT_FAIL") == "true")
"""Made when Lambda starts an instance, and used for all its requests."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What API Gateway calls."""
    return authorize(event, CHECK)
