"""Host names in server certificates, matched as RFC 9525 says."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

__all__ = ["matches", "names_of"]


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """What a certificate is made out to: DNS names and addresses of its subjectAltName; without one, the CN.

    API Gateway still looks at the CN then, although RFC 9525 does not.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return tuple(str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    names = extension.value.get_values_for_type(x509.DNSName)
    return (*names, *(str(address) for address in extension.value.get_values_for_type(x509.IPAddress)))


def matches(host: str, names: tuple[str, ...]) -> bool:
    """Whether *host* is one of *names*; ``*`` stands for exactly the left-most label (RFC 9525 6.3)."""
    wanted = host.rstrip(".").lower()
    return any(_matches_one(wanted, name.rstrip(".").lower()) for name in names)


def _matches_one(host: str, name: str) -> bool:
    if host == name:
        return True
    label, _, rest = name.partition(".")
    return label == "*" and "." in rest and host.partition(".")[2] == rest
