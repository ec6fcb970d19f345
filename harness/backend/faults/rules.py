"""Faults in the rules for authorities and purposes (RFC 5280 6.1.4)."""

from __future__ import annotations

from dataclasses import replace

from ...tls.policy import CONSTRAINTS, PURPOSE, Peer
from ..reference import Behaviour
from .changes import forgiving, with_check, without
from .registry import fault


@fault("Apache's default (SSLVerifyDepth 1), which takes no intermediate")
def depth_limit_1(behaviour: Behaviour) -> Behaviour:
    """At most 1 CA certificate in a path."""
    return replace(behaviour, verify_depth=0)


@fault("nginx's default (ssl_verify_depth 1), which takes one intermediate")
def depth_limit_2(behaviour: Behaviour) -> Behaviour:
    """At most 2 CA certificates in a path."""
    return replace(behaviour, verify_depth=1)


@fault("a verify depth of 2")
def depth_limit_3(behaviour: Behaviour) -> Behaviour:
    """At most 3 CA certificates in a path."""
    return replace(behaviour, verify_depth=2)


@fault("Erlang ssl, for an issuer without basicConstraints")
def no_ca_flag_check(behaviour: Behaviour) -> Behaviour:
    """Ignores basicConstraints of issuers."""

    def wrong_purpose_of_the_leaf(peer: Peer) -> bool:
        # OpenSSL finds a certificate in an issuer's place unfit for that purpose too
        return any(error.depth == 0 and error.code == 26 for error in peer.errors)

    return with_check(forgiving(behaviour, CONSTRAINTS, {24, 79}), PURPOSE, wrong_purpose_of_the_leaf)


@fault("hand-written walks up the chain")
def no_path_length_check(behaviour: Behaviour) -> Behaviour:
    """Ignores pathLenConstraint."""
    return forgiving(behaviour, CONSTRAINTS, {25})


@fault("GnuTLS servers, for a CA-issued leaf")
def no_purpose_check(behaviour: Behaviour) -> Behaviour:
    """Ignores the extended key usage."""
    return without(behaviour, PURPOSE)
