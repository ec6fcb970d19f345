"""Authorities and hierarchies: a root and the authorities below it, and what they issue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from ..clock import Clock, system_clock
from ..errors import UsageError
from .credential import Credential
from .issue import Extensions, revocation_extensions, with_extensions
from .keys import PrivateKey

__all__ = ["MAX_DEPTH", "Authority", "Hierarchy", "new_hierarchy", "server_credential"]

MAX_DEPTH = 4
"""CA certificates in a chain, root included: the most that API Gateway's own truststore allows."""

SERVER_NAMES = ("localhost", "127.0.0.1", "::1")
"""What the server certificate of the kit is made out to."""


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A CA that issues: its certificate and key, for what cryptography makes; trustme does the ordinary leaves."""

    ca: trustme.CA
    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True, eq=False)
class Hierarchy:
    """A root and the authorities below it, root first; the last one issues the leaves. Depth counts CA certificates."""

    authorities: tuple[Authority, ...]

    @property
    def depth(self) -> int:
        """How many CA certificates there are, root included."""
        return len(self.authorities)

    @property
    def root(self) -> x509.Certificate:
        """What a truststore holds."""
        return self.authorities[0].certificate

    @property
    def issuing(self) -> Authority:
        """The authority that signs the leaves."""
        return self.authorities[-1]

    @property
    def intermediates(self) -> tuple[x509.Certificate, ...]:
        """The CA certificates that go over the wire with a leaf: issuing authority first, root left out."""
        return tuple(authority.certificate for authority in reversed(self.authorities[1:]))

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """All CA certificates, root first."""
        return tuple(authority.certificate for authority in self.authorities)

    def issue(
        self,
        common_name: str = "gateway.example",
        *,
        names: tuple[str, ...] = (),
        clock: Clock = system_clock,
        not_after: datetime | None = None,
        rsa_key: bool = False,
        crl_distribution_points: tuple[str, ...] = (),
        authority_information_access: tuple[str, ...] = (),
        name: str = "leaf",
    ) -> Credential:
        """An ordinary leaf, for client and server, under the issuing authority, with the intermediates to send.

        Its key is P-256, or RSA-2048 when *rsa_key* is set; it is valid from an hour ago for 365 days or until *not_after*.
        It names the CRLs and the OCSP responders at these URLs (RFC 5280 4.2.1.13, 4.2.2.1).
        """
        begin = clock() - timedelta(hours=1)  # a server's clock may be behind ours
        leaf = self.issuing.ca.issue_cert(
            *(names or (common_name,)),
            common_name=common_name,
            not_before=begin,
            not_after=not_after or begin + timedelta(days=365),
            key_type=trustme.KeyType.RSA if rsa_key else trustme.KeyType.ECDSA,
        )
        certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        if extensions := revocation_extensions(crl_distribution_points, authority_information_access):
            certificate = with_extensions(certificate, self.issuing.key, extensions)
        return Credential(certificate, _private_key(leaf.private_key_pem.bytes()), self.intermediates, name)

    def write(self, folder: Path) -> tuple[tuple[Path, Path], ...]:
        """Write ``root``, ``intermediate-1`` …, each as ``.pem`` and ``.key`` (mode 0600); return the pairs of paths."""
        return tuple(
            Credential(authority.certificate, authority.key).write(
                folder, f"intermediate-{number}" if number else "root"
            )
            for number, authority in enumerate(self.authorities)
        )


def new_hierarchy(depth: int = 1, *, extensions: Callable[[int], Extensions] | None = None) -> Hierarchy:
    """A fresh hierarchy of *depth* CA certificates; raises UsageError unless it is 1 to 4.

    ``extensions(n)``: what the certificate that authority *n* (0 is the root) issues for the one below it carries besides.
    """
    if not 1 <= depth <= MAX_DEPTH:
        raise UsageError(f"depth ({depth}): expected 1 to {MAX_DEPTH} CA certificates. API Gateway allows no more.")
    authorities = [_authority(trustme.CA())]
    while len(authorities) < depth:
        more = extensions(len(authorities) - 1) if extensions else ()
        authorities.append(_child(authorities[-1], more))
    return Hierarchy(tuple(authorities))


def server_credential(
    names: tuple[str, ...] = SERVER_NAMES, *, hierarchy: Hierarchy | None = None, clock: Clock = system_clock
) -> Credential:
    """A server certificate for *names* as a backend should have it: leaf, one intermediate, private root."""
    return (hierarchy or new_hierarchy(2)).issue(names[0], names=names, clock=clock, name="server certificate")


def _child(above: Authority, extensions: Extensions) -> Authority:
    plain = _authority(above.ca.create_child_ca())
    if not extensions:
        return plain
    certificate = with_extensions(plain.certificate, above.key, extensions)
    key = plain.ca.private_key_pem.bytes()
    return Authority(trustme.CA.from_pem(certificate.public_bytes(Encoding.PEM), key), certificate, plain.key)


def _authority(ca: trustme.CA) -> Authority:
    certificate = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    return Authority(ca, certificate, _private_key(ca.private_key_pem.bytes()))


def _private_key(pem: bytes) -> PrivateKey:
    key = load_pem_private_key(pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)  # trustme makes no others
    return key
