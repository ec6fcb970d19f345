"""Faults: switches that break the reference backend on purpose, one check or one step each, to prove that a scenario can fail.

A fault is a function from a correct ``Behaviour`` to one that is wrong in one thing; several can be combined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..errors import UsageError, did_you_mean
from ..pki.authority import server_credential
from ..pki.truststore import Truststore
from ..tls.observation import TlsVersion
from ..tls.policy import (
    CONSTRAINTS,
    CORRECT_POLICY,
    NOT_AFTER,
    NOT_BEFORE,
    PATH,
    PRESENTED,
    SIGNATURES,
    Check,
    Peer,
    Policy,
)
from .reference import Behaviour

__all__ = ["FAULTS", "Fault", "behaviour_with"]

Change = Callable[[Behaviour], Behaviour]


@dataclass(frozen=True, slots=True)
class Fault:
    """One switch: what is wrong, and which CVE or measured server behaves so (empty: none is known)."""

    name: str
    wrong: str
    like: str
    change: Change


FAULTS: dict[str, Fault] = {}
"""All faults by name."""


def behaviour_with(names: Iterable[str], behaviour: Behaviour = Behaviour()) -> Behaviour:
    """*behaviour* with the named faults; raises UsageError for an unknown name."""
    for name in names:
        if name not in FAULTS:
            raise UsageError(
                f"--fault ({name}): expected one of {', '.join(sorted(FAULTS))}.{did_you_mean(name, FAULTS)} "
                "See 'pytest-mtls backend --list-faults'."
            )
        behaviour = FAULTS[name].change(behaviour)
    return behaviour


def _fault(like: str = "") -> Callable[[Change], Change]:
    """Register a change as the fault of its name; its docstring says what is wrong."""

    def register(change: Change) -> Change:
        name = change.__name__.replace("_", "-")
        if name in FAULTS:
            raise ValueError(f"duplicate fault: {name} is already registered")
        FAULTS[name] = Fault(name, (change.__doc__ or "").strip().rstrip("."), like, change)
        return change

    return register


# --- whether a certificate is asked for


@_fault("nginx's ssl_verify_client optional, without a check behind it")
def optional_unchecked(behaviour: Behaviour) -> Behaviour:
    """Asks for a certificate, and serves without one."""
    return _without(behaviour, PRESENTED)


@_fault("a TLS server without client authentication")
def no_request(behaviour: Behaviour) -> Behaviour:
    """Sends no CertificateRequest."""
    return replace(behaviour, ask=lambda name: False)


@_fault("emissary issue 3340")
def open_without_server_name(behaviour: Behaviour) -> Behaviour:
    """A connection without SNI gets a context without client authentication."""
    return replace(behaviour, ask=lambda name: name is not None and behaviour.ask(name))


@_fault("applications that believe a header of their proxy from anybody (RFC 9440 4)")
def trusts_header(behaviour: Behaviour) -> Behaviour:
    """A certificate header makes up for a missing certificate."""

    def missing(peer: Peer) -> bool:
        return peer.certificate is None and not any("cert" in name.lower() for name in peer.headers)

    return _with(behaviour, PRESENTED, missing)


# --- what is compared


@_fault("nginx optional_no_ca, Go RequireAnyClientCert, Node rejectUnauthorized: false")
def accept_any(behaviour: Behaviour) -> Behaviour:
    """Accepts every certificate."""
    return _without(behaviour, PATH)


@_fault("any check of CN=ApiGateway: every AWS customer's certificate bears that name")
def dn_only(behaviour: Behaviour) -> Behaviour:
    """Accepts whoever bears the DN of a trusted certificate."""
    return _with_path(behaviour, lambda peer, one: peer.subject == one.subject)


@_fault("allow-lists of serial numbers")
def serial_and_name_only(behaviour: Behaviour) -> Behaviour:
    """Compares serial and DN."""
    return _with_path(
        behaviour, lambda peer, one: (peer.subject, peer.serial_number) == (one.subject, one.serial_number)
    )


@_fault("CVE-2023-2422 and its like")
def any_in_chain(behaviour: Behaviour) -> Behaviour:
    """Accepts if any certificate in the chain is in the truststore, or issued by one that is."""

    def broken(peer: Peer) -> bool:
        return _path_is_broken(peer) and not any(_is_known(one, peer.trusted) for one in peer.chain)

    return _with(behaviour, PATH, broken)


@_fault("pins of the public key that nothing else is compared with")
def no_signature_check(behaviour: Behaviour) -> Behaviour:
    """Ignores bad signatures, and knows a trusted certificate by its public key."""
    lenient = _with_path(behaviour, lambda peer, one: _key_of(peer) == _key_of(one))
    return _without(_without(lenient, SIGNATURES), CONSTRAINTS)


@_fault("verifiers that want basicConstraints or an EKU, such as Go of 2016 (fabio issue 108)")
def require_extensions(behaviour: Behaviour) -> Behaviour:
    """Wants basicConstraints and EKU clientAuth in the leaf."""

    def broken(peer: Peer) -> bool:
        return peer.certificate is not None and not _says_client(peer.certificate)

    check = Check("extensions", "the certificate does not say that it is for clients", broken=broken)
    return replace(behaviour, policy=(*behaviour.policy, check))


# --- time


@_fault("Java (HttpsServer, Tomcat, Jetty), when the certificate is itself the anchor")
def no_expiry_check(behaviour: Behaviour) -> Behaviour:
    """Ignores notAfter."""
    return _without(behaviour, NOT_AFTER)


@_fault("Java, likewise")
def no_start_check(behaviour: Behaviour) -> Behaviour:
    """Ignores notBefore."""
    return _without(behaviour, NOT_BEFORE)


# --- the truststore


@_fault("OpenSSL without X509_V_FLAG_PARTIAL_CHAIN: nginx, Apache, HAProxy, Node, Python up to 3.12")
def first_same_name_only(behaviour: Behaviour) -> Behaviour:
    """Of several trusted certificates with one name knows only the first."""
    return replace(behaviour, partial_chain=False)


@_fault("CVE-2026-27586")
def missing_truststore_open(behaviour: Behaviour) -> Behaviour:
    """A missing truststore switches verification off."""
    return replace(behaviour, open_when=behaviour.open_when | {"missing"})


@_fault("CVE-2026-27586")
def empty_truststore_open(behaviour: Behaviour) -> Behaviour:
    """An empty truststore switches verification off."""
    return replace(behaviour, open_when=behaviour.open_when | {"empty"})


@_fault("Python's SSLContext.load_verify_locations")
def reload_adds_only(behaviour: Behaviour) -> Behaviour:
    """A reload adds anchors and never removes any."""

    def add(old: Truststore, new: Truststore) -> Truststore:
        return Truststore.of(dict.fromkeys((*old, *new)))

    return replace(behaviour, reload=add)


@_fault("hitch on SIGHUP")
def reload_ignored(behaviour: Behaviour) -> Behaviour:
    """A reload does nothing."""
    return replace(behaviour, reload=lambda old, new: old)


# --- the server's own side


@_fault("a certificate made out to another host")
def server_wrong_name(behaviour: Behaviour) -> Behaviour:
    """The server certificate is for other.example."""
    server = server_credential(("other.example",))
    return replace(behaviour, server=lambda: server)


@_fault("any backend with ssl_protocols TLSv1.3 alone")
def tls13_only(behaviour: Behaviour) -> Behaviour:
    """Offers TLS 1.3 only."""
    return replace(behaviour, tls=(TlsVersion.TLS13,))


# --- what they are made of


def _without(behaviour: Behaviour, name: str) -> Behaviour:
    policy: Policy = tuple(check for check in behaviour.policy if check.name != name)
    return replace(behaviour, policy=policy)


def _with(behaviour: Behaviour, name: str, broken: Callable[[Peer], bool]) -> Behaviour:
    """Let *broken* decide instead of the check *name*; it needs the whole peer, so not before the handshake is over."""
    policy = tuple(
        replace(check, codes=frozenset(), broken=broken, at_handshake=False) if check.name == name else check
        for check in behaviour.policy
    )
    return replace(behaviour, policy=policy)


def _with_path(behaviour: Behaviour, same: Callable[[x509.Certificate, x509.Certificate], bool]) -> Behaviour:
    """Let in, without a path, whoever is the *same* as a trusted certificate."""

    def broken(peer: Peer) -> bool:
        leaf = peer.certificate
        return _path_is_broken(peer) and not (leaf and any(same(leaf, one) for one in peer.trusted))

    return _with(behaviour, PATH, broken)


_PATH_CODES = next(check.codes for check in CORRECT_POLICY if check.name == PATH)


def _path_is_broken(peer: Peer) -> bool:
    return any(error.code in _PATH_CODES for error in peer.errors)


def _is_known(certificate: x509.Certificate, trusted: Iterable[x509.Certificate]) -> bool:
    for anchor in trusted:
        try:
            certificate.verify_directly_issued_by(anchor)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def _key_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _says_client(certificate: x509.Certificate) -> bool:
    try:
        certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage
