"""Faults in the server's own certificate and protocol."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ...clock import system_clock
from ...pki.authority import SERVER_NAMES, server_credential
from ...tls.observation import TlsVersion
from ..reference import Behaviour
from .registry import fault


@fault("a certificate made out to another host")
def server_wrong_name(behaviour: Behaviour) -> Behaviour:
    """The server certificate is for other.example."""
    server = server_credential(("other.example",))
    return replace(behaviour, server=lambda: server)


@fault("any backend with ssl_protocols TLSv1.3 alone")
def tls13_only(behaviour: Behaviour) -> Behaviour:
    """Offers TLS 1.3 only."""
    return replace(behaviour, tls=(TlsVersion.TLS13,))


@fault("certificates that stand for more than one label")
def server_wide_wildcard(behaviour: Behaviour) -> Behaviour:
    """The server certificate is for *.test, and called as api.backend.test."""
    server = server_credential((*SERVER_NAMES, "*.test"))
    return replace(behaviour, server=lambda: server)


@fault("a certificate file without its intermediates")
def server_leaf_only(behaviour: Behaviour) -> Behaviour:
    """Sends no intermediate."""
    server = replace(server_credential(), chain=())
    return replace(behaviour, server=lambda: server)


@fault("a renewal that was forgotten")
def server_expired(behaviour: Behaviour) -> Behaviour:
    """The server certificate ended yesterday."""
    server = server_credential(clock=lambda: system_clock() - timedelta(days=366))
    return replace(behaviour, server=lambda: server)
