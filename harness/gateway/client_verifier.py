"""Judging a client's certificate at the front door: API Gateway's checks and reasons, over what OpenSSL says of a path.

The path is sought here: over the members of the truststore alone, since API Gateway does not use what clients send
along, and among all members of a name, of which OpenSSL tries but the first. OpenSSL then verifies the path that was found
(RFC 5280 6.1), and what it says is what the policy reads. So a handshake costs the same whatever the truststore holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from ..tls.policy import Check, Peer, Policy, VerifyError, refusal_of_request
from .settings import Settings
from .truststores import Trust, check_form, name_key, weak_digest, weak_key

__all__ = ["refusal"]

Path = tuple[x509.Certificate, ...]

_SELF_SIGNED, _NO_ISSUER, _BAD_SIGNATURE, _TOO_LONG, _NOT_AN_AUTHORITY = 18, 20, 7, 22, 24
"""X509_V_ERR codes (openssl verify(1)) for what is found without OpenSSL."""
_EARLY, _EXPIRED = 9, 10
_DEEPEST = 10
"""CA certificates: longer paths are not followed, since they are refused anyway."""
_MOST_TRIES = 2_000
"""Signatures that are verified for one client, so that a truststore full of one name cannot hold the gateway up."""


def refusal(certificate: x509.Certificate, trust: Trust, now: datetime, settings: Settings) -> str | None:
    """Why *certificate* is kept out, in API Gateway's words where they are known; None for one that is let in."""
    path, errors = _record(certificate, trust, now, settings.max_chain)
    peer = Peer(certificate=certificate, chain=path, errors=errors, trusted=trust.certificates, now=now)
    broken = refusal_of_request(_WITH_EKU if settings.check_eku else _POLICY, peer)
    return None if broken is None else broken.reason


# --- the policy


def _unreadable(peer: Peer) -> bool:
    """OpenSSL took it, but parts of it mean nothing."""
    assert peer.certificate is not None
    try:
        check_form(peer.certificate)
    except ValueError:
        return True
    return False


def _weakly_signed(peer: Peer) -> bool:
    return peer.certificate is not None and weak_digest(peer.certificate)


def _weakly_keyed(peer: Peer) -> bool:
    return peer.certificate is not None and weak_key(peer.certificate)


def _ended(peer: Peer) -> bool:
    return peer.certificate is not None and peer.certificate.not_valid_after_utc < peer.now


def _begins_later(peer: Peer) -> bool:
    return peer.certificate is not None and peer.certificate.not_valid_before_utc > peer.now


def _for_another_purpose(peer: Peer) -> bool:
    assert peer.certificate is not None
    for extension in peer.certificate.extensions:
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            allowed = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
            return not any(usage in extension.value for usage in allowed)
    return False


_LEAF: Policy = (
    Check("readable", "Client cert cannot be parsed", broken=_unreadable),
    Check("digest", "Client cert using an insecure Signature Algorithm", broken=_weakly_signed),
    Check("key", "Client cert using a weak or unsupported key", broken=_weakly_keyed),
    Check("not-after", "certificate has expired", broken=_ended),
    Check("not-before", "certificate is not yet valid", broken=_begins_later),
)
"""What a leaf shows by itself comes first: a truststore leaves such members out, so that they have no path either."""
_PATH: Policy = (
    Check("self-signed", "self signed certificate", frozenset({_SELF_SIGNED})),
    Check("issuer", "Could not find issuer for certificate", frozenset({2, 19, _NO_ISSUER, 21, 27})),
    Check("length", "certificate chain too long", frozenset({_TOO_LONG})),
    Check("signature", "certificate signature failure", frozenset({4, 6, _BAD_SIGNATURE})),
    Check("authorities-not-after", "certificate has expired", frozenset({_EXPIRED})),
    Check("authorities-not-before", "certificate is not yet valid", frozenset({_EARLY})),
    Check(
        "constraints",
        "an issuer breaks its constraints, or a critical extension is unknown",
        frozenset({_NOT_AN_AUTHORITY, 25, 32, 34, 41, 47, 48, 79}),
    ),
    Check("others", "certificate verify failed", broken=lambda peer: bool(peer.errors)),
)
_POLICY: Policy = (*_LEAF, *_PATH)
_WITH_EKU: Policy = (
    *_POLICY,
    Check("purpose", "Client cert is not for client authentication", broken=_for_another_purpose),
)


# --- the record


def _record(
    certificate: x509.Certificate, trust: Trust, now: datetime, longest: int
) -> tuple[Path, tuple[VerifyError, ...]]:
    """The best path from *certificate* to a self-signed member, and what is wrong with it; nothing is, if there are no errors."""
    try:
        check_form(certificate)
        if _self_signed(certificate):
            if trust.holds(certificate):
                return (), _by_openssl(certificate, (certificate,), now)
            return (), (VerifyError(0, _SELF_SIGNED),)
        search = _Search(trust)
        best: tuple[Path, tuple[VerifyError, ...]] | None = None
        for path in search.paths(certificate, ()):
            errors = _judged(certificate, path, now, longest)
            if not errors:
                return path, ()
            best = best or (path, errors)
    except ValueError:  # the policy's first check says so
        return (), (VerifyError(0, _NO_ISSUER),)
    if best is not None:
        return best
    return (), (VerifyError(0, _BAD_SIGNATURE if search.mismatches else _NO_ISSUER),)


def _judged(certificate: x509.Certificate, path: Path, now: datetime, longest: int) -> tuple[VerifyError, ...]:
    if len(path) > longest:
        return (VerifyError(longest + 1, _TOO_LONG),)
    for depth, authority in enumerate(path, start=1):
        if not _may_issue(authority):
            return (VerifyError(depth, _NOT_AN_AUTHORITY),)
    return _by_openssl(certificate, path, now)


@dataclass(slots=True)
class _Search:
    """All paths over the members of *trust*, depth first; ``mismatches``: issuers by name whose key it was not."""

    trust: Trust
    mismatches: int = 0
    tries: int = 0

    def paths(self, certificate: x509.Certificate, above: Path) -> Iterator[Path]:
        """The paths that go on from the last certificate of *above*, each of them whole."""
        last = above[-1] if above else certificate
        if above and _self_signed(last):
            yield above
            return
        if len(above) == _DEEPEST:
            return
        for candidate in self.trust.named(last.issuer):
            if candidate not in above and self._is_issuer(last, candidate):
                yield from self.paths(certificate, (*above, candidate))

    def _is_issuer(self, certificate: x509.Certificate, candidate: x509.Certificate) -> bool:
        wanted, own = _issuer_key_id(certificate), _key_id(candidate)
        if wanted is not None and own is not None and wanted != own:
            return False  # another key of that name: RFC 5280 4.2.1.1
        if self.tries >= _MOST_TRIES:
            return False
        self.tries += 1
        signed = _signed_by(certificate, candidate)
        self.mismatches += not signed
        return signed


def _self_signed(certificate: x509.Certificate) -> bool:
    """By its own key: a CA's new key may be signed by its former one, subject and issuer the same (RFC 4210 4.4)."""
    return name_key(certificate.subject) == name_key(certificate.issuer) and _signed_by(certificate, certificate)


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        key, signature, octets = issuer.public_key(), certificate.signature, certificate.tbs_certificate_bytes
        how, digest = certificate.signature_algorithm_parameters, certificate.signature_hash_algorithm
        if digest is None:
            return False  # EdDSA, which API Gateway does not take
        if isinstance(key, rsa.RSAPublicKey) and isinstance(how, padding.PKCS1v15 | padding.PSS):
            key.verify(signature, octets, how, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            key.verify(signature, octets, how)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _issuer_key_id(certificate: x509.Certificate) -> bytes | None:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.AuthorityKeyIdentifier):
            return extension.value.key_identifier
    return None


def _key_id(certificate: x509.Certificate) -> bytes | None:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectKeyIdentifier):
            return extension.value.digest
    return None


def _may_issue(certificate: x509.Certificate) -> bool:
    """OpenSSL lets version 1 and a bare keyCertSign pass; the rule is CA:TRUE (RFC 5280 6.1.4(k))."""
    return any(isinstance(one.value, x509.BasicConstraints) and one.value.ca for one in certificate.extensions)


def _by_openssl(certificate: x509.Certificate, path: Path, now: datetime) -> tuple[VerifyError, ...]:
    """What OpenSSL says of *certificate* when *path* is all that it has: nothing, or its first error."""
    store = crypto.X509Store()
    for authority in path:
        store.add_cert(crypto.X509.from_cryptography(authority))
    store.set_time(now)
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(certificate)).verify_certificate()
    except crypto.X509StoreContextError as error:
        code, depth, _ = error.errors
        return (VerifyError(depth, code),)
    return ()
