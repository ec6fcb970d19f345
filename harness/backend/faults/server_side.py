"""Faults in the server's own certificate and protocol. The certificates are material: whoever lays it out alters them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ...clock import system_clock
from ...pki.authority import SERVER_NAMES, Hierarchy, server_credential
from ...pki.credential import Credential
from ...pki.names import names_of
from ...tls.observation import TlsVersion
from ..reference import Behaviour
from .registry import fault


@fault("a certificate made out to another host")
def server_wrong_name(behaviour: Behaviour) -> Behaviour:
    """The server certificate is for other.example."""

    def alter(_: Credential, hierarchy: Hierarchy) -> Credential:
        return server_credential(("other.example",), hierarchy=hierarchy)

    return replace(behaviour, alter_server=alter)


@fault("certificates that stand for more than one label")
def server_wide_wildcard(behaviour: Behaviour) -> Behaviour:
    """The server certificate is for *.test, and called as api.backend.test."""

    def alter(_: Credential, hierarchy: Hierarchy) -> Credential:
        return server_credential((*SERVER_NAMES, "*.test"), hierarchy=hierarchy)

    return replace(behaviour, alter_server=alter)


@fault("a certificate file without its intermediates")
def server_leaf_only(behaviour: Behaviour) -> Behaviour:
    """Sends no intermediate."""
    return replace(behaviour, alter_server=lambda server, hierarchy: replace(server, chain=()))


@fault("a renewal that was forgotten")
def server_expired(behaviour: Behaviour) -> Behaviour:
    """The server certificate ended yesterday."""

    def alter(server: Credential, hierarchy: Hierarchy) -> Credential:
        names = names_of(server.leaf)
        both = (*names.dns, *map(str, names.addresses))
        return server_credential(both, hierarchy=hierarchy, clock=lambda: system_clock() - timedelta(days=366))

    return replace(behaviour, alter_server=alter)


@fault("any backend with ssl_protocols TLSv1.3 alone")
def tls13_only(behaviour: Behaviour) -> Behaviour:
    """Offers TLS 1.3 only."""
    return replace(behaviour, tls=(TlsVersion.TLS13,))
