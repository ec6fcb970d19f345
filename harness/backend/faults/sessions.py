"""Faults in the resumption of sessions."""

from __future__ import annotations

from dataclasses import replace

from ...tls.policy import Peer
from ..reference import Behaviour
from .registry import fault


@fault("OpenSSL servers that never call SSL_CTX_set_session_id_context; Squid")
def no_session_context(behaviour: Behaviour) -> Behaviour:
    """OpenSSL's session ID context is not set: resumption with client certificates fails."""
    return replace(behaviour, session_context=False)


@fault("servers that keep the answer, not the certificate, in the session")
def resumed_is_authenticated(behaviour: Behaviour) -> Behaviour:
    """A resumed session counts as authenticated, and those who are refused get one too."""
    return replace(behaviour, alerts=False, resumed=lambda peer: None)


@fault("HAProxy's runtime API, Java with a swapped trust manager, Python's sni_callback; CVE-2025-68121")
def resumes_removed(behaviour: Behaviour) -> Behaviour:
    """Does not look at the present truststore on resumption."""
    return replace(behaviour, resumed=lambda peer: replace(peer, errors=()))


@fault("nginx, Apache, HAProxy, Node, Java, Python")
def resumes_expired(behaviour: Behaviour) -> Behaviour:
    """Does not look at notAfter on resumption."""

    def as_it_was(peer: Peer) -> Peer:
        begin = peer.certificate.not_valid_before_utc if peer.certificate else peer.now
        return replace(peer, now=begin, errors=tuple(error for error in peer.errors if error.code != 10))

    return replace(behaviour, resumed=as_it_was)
