"""Faults in the handling of time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.hashes import SHA256

from ...tls.policy import NOT_AFTER, NOT_BEFORE, Check, Peer, refusal_of_request
from ..reference import Behaviour
from .changes import also, with_check, without
from .registry import fault


@fault("Java (HttpsServer, Tomcat, Jetty), when the certificate is itself the anchor")
def no_expiry_check(behaviour: Behaviour) -> Behaviour:
    """Ignores notAfter."""
    return without(behaviour, NOT_AFTER)


@fault("Java, likewise")
def no_start_check(behaviour: Behaviour) -> Behaviour:
    """Ignores notBefore."""
    return without(behaviour, NOT_BEFORE)


@fault("hand-written checks of the peer certificate's dates")
def leaf_dates_only(behaviour: Behaviour) -> Behaviour:
    """Ignores the dates of CA certificates."""

    def at_leaf(codes: set[int]) -> Callable[[Peer], bool]:
        return lambda peer: any(error.depth == 0 and error.code in codes for error in peer.errors)

    return with_check(with_check(behaviour, NOT_AFTER, at_leaf({10, 14})), NOT_BEFORE, at_leaf({9, 13}))


@fault("Envoy, which refuses the new gateway certificate behind the expired old one")
def expired_hides_namesakes(behaviour: Behaviour) -> Behaviour:
    """Takes the first certificate of the peer's name in the truststore, and refuses if that one has expired."""

    def broken(peer: Peer) -> bool:
        namesakes = (one for one in peer.trusted if peer.certificate and one.subject == peer.certificate.subject)
        first = next(namesakes, None)
        return first is not None and first.not_valid_after_utc < peer.now

    return also(behaviour, "namesake", "the first trusted certificate of that name has expired", broken)


@fault("authentication caches by certificate")
def caches_verdict(behaviour: Behaviour) -> Behaviour:
    """Keeps the first verdict per certificate for ever."""

    def broken(peer: Peer) -> bool:
        verdict = refusal_of_request(behaviour.policy, peer) is not None
        if peer.certificate is None:
            return verdict
        return bool(peer.memory.setdefault(f"verdict {peer.certificate.fingerprint(SHA256()).hex()}", verdict))

    cached = Check("cached", "this certificate was refused before", broken=broken, at_handshake=False)
    return replace(behaviour, policy=(cached,))


@fault("API Gateway's own certificates come without a reminder: CloudSploit warns at 30 days")
def near_expiry_gateway(behaviour: Behaviour) -> Behaviour:
    """Material: the good credential has 29 days left."""
    return replace(behaviour, good_days=29)
