"""Judging a backend's certificate: OpenSSL builds and checks the path, at the gateway's time; we name the outcome.

How it works: the platform's CAs and those of ``--ca-bundle`` are one store. Under insecureSkipVerification the
self-signed certificates that the server sent count as anchors too; what then fails is what is still refused.
X509_V_FLAG_PARTIAL_CHAIN stays off: a path ends in a self-signed certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL, crypto

from ...pki.names import matches, names_of

__all__ = ["UNREADABLE", "ServerCertificate", "Trust", "Verdict", "judge"]

Verdict = Literal["ok", "untrusted", "expired", "not-yet-valid", "host-mismatch", "bad-root", "broken-chain"]

UNREADABLE = (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What cryptography raises for certificates that OpenSSL took; parts are parsed on first use, so ``judge`` raises them too."""

_BAD_SIGNATURE, _NOT_YET_VALID, _EXPIRED = 7, 9, 10
_NO_PATH = frozenset({2, 18, 19, 20, 21, 27, 28})
"""X509_V_ERR codes of a path that could not be built or ends in nobody known."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What is kept of a server's certificate. ``subject`` is RFC 4514; ``java_subject`` has Java's blanks after commas."""

    verdict: Verdict
    subject: str
    java_subject: str
    sha256: str


@dataclass(frozen=True, slots=True)
class _Broken:
    """OpenSSL's first objection: its code, and the certificate with its place in the path (0 is the leaf)."""

    code: int
    depth: int
    certificate: x509.Certificate


class Trust:
    """Whom the gateway trusts: the platform's CAs (unless *platform* is False) and those of *bundle*."""

    def __init__(self, bundle: Iterable[x509.Certificate] = (), *, platform: bool = True) -> None:
        self._platform = platform
        self.replace(bundle)

    def replace(self, bundle: Iterable[x509.Certificate]) -> None:
        """Let *bundle* take the former one's place."""
        self.bundle = tuple(bundle)
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._store: crypto.X509Store | None = None

    @property
    def store(self) -> crypto.X509Store:
        """All of them; read from the disk when first asked for, which takes some milliseconds."""
        if self._store is None:
            # pyOpenSSL knows where platforms keep their CAs, but tells only a Context, whose store lives as long as it does
            if self._platform:
                self._context.set_default_verify_paths()
            store = self._context.get_cert_store()
            assert store is not None
            _add(store, self.bundle)
            self._store = store
        return self._store


def judge(
    sent: Sequence[x509.Certificate],
    host: str,
    moment: datetime,
    trust: Trust,
    *,
    skip_verification: bool = False,
    needs_root: bool = True,
) -> ServerCertificate:
    """The verdict on what a server *sent* (leaf first, at least one) for *host* at *moment* (aware).

    *skip_verification* waives only that the path ends in a CA of *trust*; *needs_root* says whether it must then end in
    a self-signed root with CA:TRUE and keyCertSign all the same.
    """
    if skip_verification:
        verdict = _verdict_by_own_root(sent, moment, trust, needs_root)
    else:
        verdict = _verdict_by_trust(sent, moment, trust)
    leaf = sent[0]
    if verdict == "ok" and not _made_out_to(leaf, host):
        verdict = "host-mismatch"
    return ServerCertificate(
        verdict,
        leaf.subject.rfc4514_string(),
        ", ".join(part.rfc4514_string() for part in reversed(leaf.subject.rdns)),
        leaf.fingerprint(hashes.SHA256()).hex(),
    )


def _verdict_by_trust(sent: Sequence[x509.Certificate], moment: datetime, trust: Trust) -> Verdict:
    found = _path(trust.store, sent, moment)
    if isinstance(found, _Broken) and found.code == _BAD_SIGNATURE:
        # OpenSSL takes the first of several CAs of one name, as after the rotation of a CA; Java finds the right one
        for anchor in trust.bundle:
            if not isinstance(_path(_new_store([anchor]), sent, moment), _Broken):
                return "ok"
    return _named(found)


def _verdict_by_own_root(sent: Sequence[x509.Certificate], moment: datetime, trust: Trust, needs_root: bool) -> Verdict:
    own = [one for one in sent if _self_signed(one)]
    verdict = _verdict_by(own, sent, moment, needs_root)
    if verdict != "ok" and trust.bundle:  # completed from the bundle, where CAs of the same names may be
        return _verdict_by([*own, *trust.bundle], sent, moment, needs_root)
    return verdict


def _verdict_by(
    anchors: Sequence[x509.Certificate], sent: Sequence[x509.Certificate], moment: datetime, needs_root: bool
) -> Verdict:
    found = _path(_new_store(anchors), sent, moment)
    if isinstance(found, _Broken) and found.code in _NO_PATH:
        verdict = _verdict_without_root(found, sent, anchors)
        if verdict != "bad-root" or needs_root:
            return verdict
        # a path that ends early still has to hold: dates, signatures and constraints up to where it ends
        store = _new_store((*anchors, found.certificate))
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        return _named(_path(store, sent, moment))
    if isinstance(found, _Broken):
        return _named(found)
    return "ok" if not needs_root or _is_root(found[-1]) else "bad-root"


def _verdict_without_root(
    broken: _Broken, sent: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> Verdict:
    namesakes = [anchor for anchor in anchors if anchor.subject == broken.certificate.issuer]
    if namesakes:  # the root is there, and OpenSSL does not take it: no CA, or it has signed something else
        return "broken-chain" if any(_is_root(one) for one in namesakes) else "bad-root"
    return "broken-chain" if broken.depth + 1 < len(set(sent)) else "bad-root"


def _path(
    store: crypto.X509Store, sent: Sequence[x509.Certificate], moment: datetime
) -> list[x509.Certificate] | _Broken:
    """The path that OpenSSL found, leaf first, or its first objection."""
    store.set_time(moment)
    leaf, *rest = (crypto.X509.from_cryptography(one) for one in sent)
    context = crypto.X509StoreContext(store, leaf, rest)
    try:
        return [one.to_cryptography() for one in context.get_verified_chain()]
    except crypto.X509StoreContextError as error:
        # OpenSSL's errors stay queued in the thread, where other connections would take them for theirs; this empties it
        with suppress(crypto.Error):
            crypto.load_certificate(crypto.FILETYPE_ASN1, b"")
        code, depth, _ = error.errors
        return _Broken(code, depth, error.certificate.to_cryptography())


def _named(found: list[x509.Certificate] | _Broken) -> Verdict:
    if not isinstance(found, _Broken):
        return "ok"
    if found.code in _NO_PATH:
        return "untrusted"
    if found.code == _EXPIRED:
        return "expired"
    if found.code == _NOT_YET_VALID:
        return "not-yet-valid"
    # a signature that does not verify, an issuer that is no CA, a broken constraint
    return "bad-root" if found.depth and _self_signed(found.certificate) else "broken-chain"


def _made_out_to(leaf: x509.Certificate, host: str) -> bool:
    try:
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False  # the CN alone does not count (RFC 9525 2)
    return matches(host, names_of(leaf))


def _self_signed(certificate: x509.Certificate) -> bool:
    """By its own key: a CA's new key may be signed by its former one, subject and issuer the same."""
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _is_root(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return _self_signed(certificate) and constraints.ca and usage.key_cert_sign


def _new_store(anchors: Iterable[x509.Certificate]) -> crypto.X509Store:
    store = crypto.X509Store()
    _add(store, anchors)
    return store


def _add(store: crypto.X509Store, certificates: Iterable[x509.Certificate]) -> None:
    for certificate in certificates:
        store.add_cert(crypto.X509.from_cryptography(certificate))
