"""Faults in whether a certificate is asked for."""

from __future__ import annotations

from dataclasses import replace

from ...tls.policy import PATH, PRESENTED, Peer
from ..reference import Behaviour
from .changes import path_is_broken, with_check, without
from .registry import fault


@fault("nginx's ssl_verify_client optional, without a check behind it")
def optional_unchecked(behaviour: Behaviour) -> Behaviour:
    """Asks for a certificate, and serves without one."""
    return without(behaviour, PRESENTED)


@fault("a TLS server without client authentication")
def no_request(behaviour: Behaviour) -> Behaviour:
    """Sends no CertificateRequest."""
    return replace(behaviour, ask=lambda name: False)


@fault("emissary issue 3340")
def open_without_server_name(behaviour: Behaviour) -> Behaviour:
    """A connection without SNI gets a context without client authentication."""
    return replace(behaviour, ask=lambda name: name is not None and behaviour.ask(name))


@fault("applications that believe a header of their proxy from anybody (RFC 9440 4)")
def trusts_header(behaviour: Behaviour) -> Behaviour:
    """A certificate header makes up for a missing certificate."""

    def missing(peer: Peer) -> bool:
        return peer.certificate is None and not any("cert" in name.lower() for name in peer.headers)

    return with_check(behaviour, PRESENTED, missing)


@fault("a proxy's application with optional_no_ca in front: the header decides, whatever the handshake brought")
def trusts_header_of_strangers(behaviour: Behaviour) -> Behaviour:
    """A certificate header makes up for a certificate that is not trusted."""

    def untrusted(peer: Peer) -> bool:
        return path_is_broken(peer) and not any("cert" in name.lower() for name in peer.headers)

    return with_check(behaviour, PATH, untrusted)
