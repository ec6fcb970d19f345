"""Faults in what is compared: whom the server takes for trusted."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...tls.policy import CONSTRAINTS, PATH, SIGNATURES, Peer
from ..reference import Behaviour
from .changes import also, forgiving, path_is_broken, with_check, with_path, without
from .registry import fault


@fault("nginx optional_no_ca, Go RequireAnyClientCert, Node rejectUnauthorized: false")
def accept_any(behaviour: Behaviour) -> Behaviour:
    """Accepts every certificate."""
    return without(behaviour, PATH)


@fault(
    "verify callbacks that overlook X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY (20, 21) and refuse the self-signed (18)"
)
def foreign_authorities(behaviour: Behaviour) -> Behaviour:
    """Accepts certificates of authorities that it does not know."""
    return forgiving(behaviour, PATH, {2, 19, 20, 21})


@fault("any check of CN=ApiGateway: every AWS customer's certificate bears that name")
def dn_only(behaviour: Behaviour) -> Behaviour:
    """Accepts whoever bears the DN of a trusted certificate."""
    return with_path(behaviour, lambda peer, one: peer.subject == one.subject)


@fault("allow-lists of serial numbers")
def serial_and_name_only(behaviour: Behaviour) -> Behaviour:
    """Compares serial and DN."""
    return with_path(
        behaviour, lambda peer, one: (peer.subject, peer.serial_number) == (one.subject, one.serial_number)
    )


@fault("CVE-2023-2422 and its like")
def any_in_chain(behaviour: Behaviour) -> Behaviour:
    """Accepts if any certificate in the chain is in the truststore, or issued by one that is."""

    def broken(peer: Peer) -> bool:
        return path_is_broken(peer) and not any(_is_known(one, peer.trusted) for one in peer.chain)

    return with_check(behaviour, PATH, broken)


@fault("pins of the public key that nothing else is compared with")
def no_signature_check(behaviour: Behaviour) -> Behaviour:
    """Ignores bad signatures, and knows a trusted certificate by its public key."""

    def known(peer: Peer) -> bool:
        leaf = peer.certificate
        return leaf is not None and any(_key_of(leaf) == _key_of(one) for one in peer.trusted)

    # a name that was changed no longer fits its issuer, which then is somebody without the right to issue
    issuers = next(check.codes for check in behaviour.policy if check.name == CONSTRAINTS)

    def breaks_constraints(peer: Peer) -> bool:
        return not known(peer) and any(error.code in issuers for error in peer.errors)

    lenient = with_check(behaviour, PATH, lambda peer: path_is_broken(peer) and not known(peer))
    return without(with_check(lenient, CONSTRAINTS, breaks_constraints), SIGNATURES)


@fault("verifiers that want basicConstraints or an EKU, such as Go of 2016 (fabio issue 108)")
def require_extensions(behaviour: Behaviour) -> Behaviour:
    """Wants basicConstraints and EKU clientAuth in the leaf."""

    def broken(peer: Peer) -> bool:
        return peer.certificate is not None and not _says_client(peer.certificate)

    return also(behaviour, "extensions", "the certificate does not say that it is for clients", broken)


@fault("allow-lists that never look at a chain")
def pinned_only(behaviour: Behaviour) -> Behaviour:
    """Accepts only certificates that are themselves in the truststore."""

    def broken(peer: Peer) -> bool:
        return peer.certificate is not None and peer.certificate not in peer.trusted

    return also(behaviour, "pinned", "the certificate itself is not in the truststore", broken)


@fault("verifiers that look the issuer up by name and stop there (RFC 5280 6.1.3(a)(1))")
def issuer_name_only(behaviour: Behaviour) -> Behaviour:
    """Takes the issuer by name and does not verify its signature."""

    def broken(peer: Peer) -> bool:
        return path_is_broken(peer) and not _leads_by_names(peer)

    return without(with_check(behaviour, PATH, broken), SIGNATURES)


@fault("trust on first use, by subject")
def locks_to_first_seen(behaviour: Behaviour) -> Behaviour:
    """Trusts only the first certificate of a subject that it has seen."""

    def broken(peer: Peer) -> bool:
        if peer.certificate is None or peer.errors:
            return False
        first = peer.memory.setdefault(peer.certificate.subject.rfc4514_string(), peer.certificate)
        return first != peer.certificate

    return also(behaviour, "first-seen", "another certificate of that subject was seen before", broken)


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


def _leads_by_names(peer: Peer) -> bool:
    """Whether the names alone lead from the leaf, over what was sent, to a trusted certificate."""
    trusted, below = {one.subject for one in peer.trusted}, peer.certificate
    for _ in peer.chain:
        if below is None or below.issuer in trusted:
            break
        below = (
            next((one for one in peer.chain if one.subject == below.issuer and one != below), None) if below else None
        )
    return below is not None and below.issuer in trusted
