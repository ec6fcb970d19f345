"""What the first flights of a TLS 1.2 handshake say in plaintext (RFC 5246 7.4), where OpenSSL does not tell or tells late.

OpenSSL decides whether to present a certificate in the moment that it reads the CertificateRequest; pyOpenSSL has no way
in between. So whoever wants to see the request first reads it here.
"""

from __future__ import annotations

__all__ = ["holds_certificate", "requested_names"]

_HANDSHAKE = 22
_CERTIFICATE, _CERTIFICATE_REQUEST, _SERVER_HELLO_DONE = 11, 13, 14
_LONGEST_FLIGHT = 1_048_576


def requested_names(flight: bytes) -> list[bytes] | None:
    """The acceptable issuers (DER) of the CertificateRequest in a server's *flight*; none if it asks for nothing.

    None while more has to come. What is no handshake has no names either; OpenSSL will say what is wrong with it.
    """
    messages, at = bytearray(), 0
    while at + 5 <= len(flight):
        end = at + 5 + int.from_bytes(flight[at + 3 : at + 5])
        if flight[at] != _HANDSHAKE:
            return []
        if end > len(flight):
            break
        messages += flight[at + 5 : end]
        at = end
    start = 0
    while start + 4 <= len(messages):
        end = start + 4 + int.from_bytes(messages[start + 1 : start + 4])
        if messages[start] == _SERVER_HELLO_DONE:
            return []
        if messages[start] == _CERTIFICATE_REQUEST and end <= len(messages):
            return _names(bytes(messages[start + 4 : end]))
        start = end
    return [] if len(flight) > _LONGEST_FLIGHT else None


def _names(request: bytes) -> list[bytes]:
    """RFC 5246 7.4.4: certificate types, signature algorithms, then the names, each behind its length."""
    types_end = 1 + request[0] if request else 0
    at = types_end + 2 + int.from_bytes(request[types_end : types_end + 2]) + 2
    names = []
    while at + 2 <= len(request):
        end = at + 2 + int.from_bytes(request[at : at + 2])
        names.append(request[at + 2 : end])
        at = end
    return names


def holds_certificate(flight: bytes) -> bool:
    """Whether a client's second *flight* begins with a Certificate message that is not empty (RFC 5246 7.4.6)."""
    if len(flight) < 12 or flight[0] != _HANDSHAKE or flight[5] != _CERTIFICATE:
        return False
    return flight[9:12] != b"\0\0\0"  # the length of the list
