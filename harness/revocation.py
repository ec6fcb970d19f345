"""A private PKI that takes certificates back: a hierarchy whose authorities publish CRLs and answer OCSP on loopback.

How it works: every certificate that is issued here, but for the root, names its authority's distribution point and
responder (RFC 5280 4.2.1.13, 4.2.2.1), which ``revocation_server`` runs. What they say is decided when they are asked,
by a mode that a test may change at any moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from cryptography import x509

from .clock import Clock, system_clock
from .errors import UsageError, did_you_mean
from .pki.authority import Hierarchy, new_hierarchy
from .pki.credential import Credential
from .pki.issue import Extensions, revocation_extensions
from .pki.names import issued_by
from .pki.revocation import CrlMode, armour
from .pki.truststore import Truststore
from .revocation_authority import DistributionPoint, Responder, RevocationAuthority
from .revocation_server import RevocationServer

__all__ = ["CRL_LIFETIME", "RevocationPki"]

CRL_LIFETIME = timedelta(days=7)
"""How long a published list is valid, unless told otherwise."""


class RevocationPki:
    """A hierarchy of *depth* CA certificates with a CRL and an OCSP responder for each of them, on 127.0.0.1.

    A context manager: the server runs from its beginning to its end. *clock* is the time by which lists and answers are
    made, *lifetime* is how long a CRL is valid (thisUpdate, an hour ago, to nextUpdate). Raises UsageError unless *depth*
    is 1 to 4.
    """

    def __init__(self, depth: int = 1, *, clock: Clock = system_clock, lifetime: timedelta = CRL_LIFETIME) -> None:
        self._clock = clock
        self._server = server = RevocationServer()
        try:
            self.hierarchy: Hierarchy = new_hierarchy(depth, extensions=self._extensions)
        except BaseException:
            server.close()
            raise
        self.authorities: tuple[RevocationAuthority, ...] = tuple(
            RevocationAuthority(
                authority,
                DistributionPoint(server.crl_url(number)),
                Responder(server.ocsp_url(number)),
                clock,
                lifetime,
            )
            for number, authority in enumerate(self.hierarchy.authorities)
        )
        """Root first, as in the hierarchy; each can be switched by itself."""
        server.services = self.authorities

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    def start(self) -> None:
        """Answer again, after ``stop``, on the same port."""
        self._server.start()

    def stop(self) -> None:
        """Be down: connections to every distribution point and responder are refused until ``start``."""
        self._server.stop()

    # --- certificates

    @property
    def issuing(self) -> RevocationAuthority:
        """The authority that signs the leaves."""
        return self.authorities[-1]

    @property
    def crl(self) -> DistributionPoint:
        """The issuing authority's distribution point: ``.mode``, ``.requests``, ``.url``."""
        return self.issuing.crl

    @property
    def ocsp(self) -> Responder:
        """The issuing authority's responder: ``.mode``, ``.requests``, ``.url``."""
        return self.issuing.ocsp

    @property
    def root(self) -> x509.Certificate:
        """What a backend trusts whose clients send their intermediates."""
        return self.hierarchy.root

    @property
    def truststore(self) -> Truststore:
        """All CA certificates, issuing authority first: what API Gateway wants, which ignores what clients send."""
        return Truststore.of((*self.hierarchy.intermediates, self.hierarchy.root))

    def issue(
        self,
        common_name: str = "client.example",
        *,
        names: tuple[str, ...] = (),
        not_after: datetime | None = None,
        rsa_key: bool = False,
        crl: bool = True,
        ocsp: bool = True,
    ) -> Credential:
        """A leaf, as ``Hierarchy.issue`` makes it, that names the CRL and the responder, unless one is switched off."""
        return self.hierarchy.issue(
            common_name,
            names=names,
            clock=self._clock,
            not_after=not_after,
            rsa_key=rsa_key,
            crl_distribution_points=(self.crl.url,) if crl else (),
            authority_information_access=(self.ocsp.url,) if ocsp else (),
        )

    # --- revocation

    def revoke(
        self,
        certificate: Credential | x509.Certificate,
        reason: x509.ReasonFlags | str | None = None,
        *,
        publish: bool = True,
    ) -> None:
        """Take back a *certificate*, a leaf's or an intermediate's, for a *reason* such as "keyCompromise" (RFC 5280 5.3.1).

        OCSP says so at once. The authority's CRL does too, unless *publish* is False: it then waits for ``publish()``.
        Raises UsageError for a certificate of somebody else, and for an unknown reason.
        """
        leaf = certificate.leaf if isinstance(certificate, Credential) else certificate
        issuer = self._issuer_of(leaf)
        issuer.revoke(leaf.serial_number, _reason(reason))
        if publish:
            issuer.publish()

    def publish(self) -> None:
        """Publish a new CRL of every authority: the next number, valid from now, with all revocations until now."""
        for authority in self.authorities:
            authority.publish()

    def crl_pem(self, mode: CrlMode | str | None = None) -> bytes:
        """The CRLs of all authorities as they are published, or as in another *mode*, as PEM, issuing authority first.

        That is the file that nginx, Apache, HAProxy and ``openssl verify -CRLfile`` read.
        """
        return b"".join(armour(authority.crl_der(mode)) for authority in reversed(self.authorities))

    @property
    def crl_requests(self) -> int:
        """How often a CRL was asked for, of any authority."""
        return sum(authority.crl.requests for authority in self.authorities)

    @property
    def ocsp_requests(self) -> int:
        """How often a responder was asked, of any authority."""
        return sum(authority.ocsp.requests for authority in self.authorities)

    def _extensions(self, number: int) -> Extensions:
        return revocation_extensions((self._server.crl_url(number),), (self._server.ocsp_url(number),))

    def _issuer_of(self, certificate: x509.Certificate) -> RevocationAuthority:
        for one in self.authorities:
            if issued_by(certificate, one.authority.certificate):
                return one
        raise UsageError(
            f"revoke ({certificate.subject.rfc4514_string()}): expected a certificate of this hierarchy, saw one of "
            f"{certificate.issuer.rfc4514_string()}. Issue it with the same object's issue()."
        )


def _reason(reason: x509.ReasonFlags | str | None) -> x509.ReasonFlags | None:
    known = [
        one.value for one in x509.ReasonFlags if one is not x509.ReasonFlags.remove_from_crl
    ]  # for delta CRLs only
    if reason is None:
        return None
    word = reason.value if isinstance(reason, x509.ReasonFlags) else reason
    if word not in known:
        raise UsageError(
            f"reason ({word}): expected one of {', '.join(known)}.{did_you_mean(word, known)} See RFC 5280 5.3.1."
        )
    return x509.ReasonFlags(word)
