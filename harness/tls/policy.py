"""Judging a client certificate: TLS accepts and records, then an ordered list of small checks admits or refuses.

How it works: OpenSSL verifies the chain, but its callback only records what it says of each certificate (depth and
X509_V_ERR code); the checks below, in the order of RFC 5280 6.1, read that record. A correct server has them all. A
fault replaces or removes one. Checks that need nothing but error codes decide during the handshake already, so that
the refusal is an alert with the right number; every check is asked again before each request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

__all__ = ["CORRECT_POLICY", "Check", "Peer", "Policy", "VerifyError", "refusal_during_handshake", "refusal_of_request"]


@dataclass(frozen=True, slots=True)
class VerifyError:
    """What OpenSSL said of one certificate: its depth (0 is the leaf) and the X509_V_ERR code."""

    depth: int
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """All that is known of a client when a request of its is judged."""

    certificate: x509.Certificate | None
    chain: tuple[x509.Certificate, ...] = ()
    """What it sent, leaf first."""
    errors: tuple[VerifyError, ...] = ()
    trusted: tuple[x509.Certificate, ...] = ()
    """The truststore of this moment."""
    now: datetime
    server_name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    memory: dict[str, object] = field(default_factory=dict)
    """What the server remembers of earlier peers: a correct one nothing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule. ``codes`` are the verify errors that break it; ``broken`` looks at the peer as a whole.

    ``at_handshake`` says that it may decide before the peer is wholly known: by one error code, or, for the check named
    ``presented``, by the absence of a certificate.
    """

    name: str
    reason: str
    codes: frozenset[int] = frozenset()
    broken: Callable[[Peer], bool] | None = None
    at_handshake: bool = True

    def refuses(self, peer: Peer) -> bool:
        """Whether *peer* breaks this rule."""
        if self.broken is not None and self.broken(peer):
            return True
        return any(error.code in self.codes for error in peer.errors)


Policy = tuple[Check, ...]

PRESENTED = "presented"
PATH = "path"
SIGNATURES = "signatures"
NOT_BEFORE = "not-before"
NOT_AFTER = "not-after"
CONSTRAINTS = "constraints"
PURPOSE = "purpose"
STRENGTH = "strength"
OTHERS = "others"

_CODES = {
    PATH: {2, 18, 19, 20, 21, 22, 27, 28},  # no issuer, self-signed, chain too long, not trusted
    SIGNATURES: {4, 6, 7},
    NOT_BEFORE: {9, 13},
    NOT_AFTER: {10, 14},
    CONSTRAINTS: {
        24,
        25,
        32,
        34,
        47,
        48,
        79,
        89,
        90,
        91,
        92,
    },  # basicConstraints, pathLen, keyCertSign, critical, names
    PURPOSE: {26},
    STRENGTH: {66, 67, 68},
}
_KNOWN = frozenset[int]().union(*_CODES.values())


def _by_codes(name: str, reason: str) -> Check:
    return Check(name, reason, frozenset(_CODES[name]))


def _ended(peer: Peer) -> bool:
    """The certificate of a connection that stays open ends too."""
    return peer.certificate is not None and peer.certificate.not_valid_after_utc < peer.now


def _early(peer: Peer) -> bool:
    return peer.certificate is not None and peer.certificate.not_valid_before_utc > peer.now


CORRECT_POLICY: Policy = (
    Check(PRESENTED, "no certificate was presented", broken=lambda peer: peer.certificate is None),
    _by_codes(PATH, "no path leads from the certificate to the truststore"),  # RFC 5280 6.1: a prospective path
    _by_codes(SIGNATURES, "a signature does not verify"),  # 6.1.3(a)(1)
    Check(NOT_BEFORE, "a certificate is not valid yet", frozenset(_CODES[NOT_BEFORE]), _early),  # 6.1.3(a)(2)
    Check(NOT_AFTER, "a certificate has expired", frozenset(_CODES[NOT_AFTER]), _ended),  # 6.1.3(a)(2)
    _by_codes(CONSTRAINTS, "an issuer breaks its constraints, or a critical extension is unknown"),  # 6.1.4
    _by_codes(PURPOSE, "the certificate is for another purpose"),  # 4.2.1.12
    _by_codes(STRENGTH, "a key or digest is too weak"),  # RFC 8446 4.4.2.4
    Check(
        OTHERS,
        "OpenSSL found another error",
        broken=lambda peer: any(error.code not in _KNOWN for error in peer.errors),
    ),
)
"""What a server has to check that authenticates its gateway."""


def refusal_during_handshake(policy: Policy, error: VerifyError) -> Check | None:
    """The check that *error* alone already breaks for certain, or None: then the request is judged later."""
    for check in policy:
        if check.at_handshake and error.code in check.codes:
            return check
    return None


def refusal_of_request(policy: Policy, peer: Peer) -> Check | None:
    """The first check that *peer* breaks, or None: it may enter."""
    return next((check for check in policy if check.refuses(peer)), None)
