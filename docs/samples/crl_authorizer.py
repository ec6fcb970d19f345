"""A Lambda authorizer that refuses client certificates which their authorities have revoked by CRL (RFC 5280 5, 6.3).

Every certificate up to the root is looked up in the list of its issuer, at the URL that the certificate names. A list is
downloaded once and used until its nextUpdate. It fails hard: without a list that is in force, nobody is let in.

Bind it as ``crl_authorizer.handler``, REQUEST type, with a result TTL of 0: the cache of API Gateway does not look at the
certificate. The variable TRUSTSTORE names a PEM file with all CA certificates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from authorizer_common import Refused, Unreachable, authorize, download, path_to_root, read_truststore
from cryptography import x509

SKEW = timedelta(minutes=5)
"""How far the authority's clock may be ahead of ours."""


class CrlCheck:
    """Refuses certificates of the *truststore*'s authorities that are revoked; keeps the lists that it has downloaded."""

    def __init__(
        self, truststore: Sequence[x509.Certificate], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.truststore, self.clock = truststore, clock
        self._lists: dict[tuple[str, x509.Certificate], x509.CertificateRevocationList] = {}

    def __call__(self, leaf: x509.Certificate) -> None:
        """Raise Refused unless the *leaf*, and each authority above it, is known not to be revoked."""
        for certificate, issuer in path_to_root(leaf, self.truststore):
            crl = self._list_of(certificate, issuer)
            if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                raise Refused("revoked" if certificate is leaf else "authority revoked")

    def _list_of(self, certificate: x509.Certificate, issuer: x509.Certificate) -> x509.CertificateRevocationList:
        problem = "no distribution point"
        for url in _urls(certificate):
            kept = self._lists.get((url, issuer))
            if kept is not None and kept.next_update_utc is not None and self.clock() < kept.next_update_utc:
                return kept
            try:
                self._lists[url, issuer] = crl = self._verified(download(url), issuer)
            except Unreachable as error:
                problem = str(error)
            else:
                return crl
        raise Refused(f"no CRL: {problem}")

    def _verified(self, octets: bytes, issuer: x509.Certificate) -> x509.CertificateRevocationList:
        """The list in these *octets*; raises Unreachable for one that says nothing about what *issuer* revokes today."""
        try:
            crl = x509.load_der_x509_crl(octets)
            critical = any(extension.critical for extension in crl.extensions)
        except (ValueError, x509.DuplicateExtension) as error:
            raise Unreachable("malformed list") from error
        key = issuer.public_key()
        if crl.issuer != issuer.subject:
            raise Unreachable("list of another issuer")
        if not crl.is_signature_valid(key):  # type: ignore[arg-type]  # keys that sign nothing raise TypeError
            raise Unreachable("list with a wrong signature")
        if critical:  # a delta, an indirect list, one for some certificates only, or something new (RFC 5280 5.2)
            raise Unreachable("list that is not complete")
        if crl.last_update_utc > self.clock() + SKEW:
            raise Unreachable("list that is not yet in force")
        if crl.next_update_utc is None or crl.next_update_utc <= self.clock():
            raise Unreachable("stale list")
        return crl


def _urls(certificate: x509.Certificate) -> Iterator[str]:
    """Where complete lists of the certificate's own issuer are."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return
    for point in points:
        if point.reasons is None and point.crl_issuer is None:
            for name in point.full_name or ():
                if isinstance(name, x509.UniformResourceIdentifier):
                    yield name.value


CHECK = CrlCheck(read_truststore())
"""Made when Lambda starts an instance. It lives as long as that does, and with it the lists, over many requests."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What API Gateway calls."""
    return authorize(event, CHECK)
