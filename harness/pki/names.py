"""Host names in server certificates, matched as RFC 9525 says."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

__all__ = ["ServedNames", "first_gap", "issued_by", "matches", "names_of"]


@dataclass(frozen=True, slots=True)
class ServedNames:
    """What a certificate is made out to; names and addresses are never compared with one another (RFC 9525 6.5)."""

    dns: tuple[str, ...] = ()
    addresses: tuple[IPv4Address | IPv6Address, ...] = ()

    def __str__(self) -> str:
        return ", ".join((*self.dns, *map(str, self.addresses))) or "no name at all"


def names_of(certificate: x509.Certificate) -> ServedNames:
    """The DNS names and addresses of a certificate's subjectAltName; without that extension, its CN.

    API Gateway still looks at the CN then, although RFC 9525 does not.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return ServedNames(tuple(str(one.value) for one in common))
    addresses = [one for one in names.get_values_for_type(x509.IPAddress) if isinstance(one, IPv4Address | IPv6Address)]
    return ServedNames(tuple(names.get_values_for_type(x509.DNSName)), tuple(addresses))


def matches(host: str, names: ServedNames) -> bool:
    """Whether *host* is one of *names*; ``*`` stands for exactly the left-most label (RFC 9525 6.3)."""
    try:
        return ip_address(host) in names.addresses
    except ValueError:
        wanted = host.rstrip(".").lower()
    return any(_matches_one(wanted, name.rstrip(".").lower()) for name in names.dns)


def _matches_one(host: str, name: str) -> bool:
    if host == name:
        return True
    label, _, rest = name.partition(".")
    return label == "*" and "." in rest and host.partition(".")[2] == rest


def first_gap(chain: tuple[x509.Certificate, ...], roots: tuple[x509.Certificate, ...]) -> str | None:
    """Where a chain as sent does not hang together, in words: None when each certificate was issued by the next, and the
    last one by a root, or is one."""
    for number, certificate in enumerate(chain):
        above = chain[number + 1 : number + 2] or tuple(roots)
        if certificate not in roots and not any(issued_by(certificate, one) for one in above):
            name, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
            return f"certificate {number + 1} ({name}) is not followed by its issuer ({issuer})"
    return None if chain else "no certificate was sent"


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether *certificate* names *issuer* as its issuer and was signed by it; dates and extensions do not matter."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
