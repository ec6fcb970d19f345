"""Faults in what is read of the truststore, and when."""

from __future__ import annotations

from dataclasses import replace

from ...pki.truststore import Truststore
from ..reference import Behaviour
from .registry import fault


@fault("OpenSSL without X509_V_FLAG_PARTIAL_CHAIN: nginx, Apache, HAProxy, Node, Python up to 3.12")
def first_same_name_only(behaviour: Behaviour) -> Behaviour:
    """Of several trusted certificates with one name knows only the first."""
    return replace(behaviour, partial_chain=False)


@fault("CVE-2026-27586")
def missing_truststore_open(behaviour: Behaviour) -> Behaviour:
    """A missing truststore switches verification off."""
    return replace(behaviour, open_when=behaviour.open_when | {"missing"})


@fault("CVE-2026-27586")
def empty_truststore_open(behaviour: Behaviour) -> Behaviour:
    """An empty truststore switches verification off."""
    return replace(behaviour, open_when=behaviour.open_when | {"empty"})


@fault("Python's SSLContext.load_verify_locations")
def reload_adds_only(behaviour: Behaviour) -> Behaviour:
    """A reload adds anchors and never removes any."""

    def add(old: Truststore, new: Truststore) -> Truststore:
        return Truststore.of(dict.fromkeys((*old, *new)))

    return replace(behaviour, reload=add)


@fault("hitch on SIGHUP")
def reload_ignored(behaviour: Behaviour) -> Behaviour:
    """A reload does nothing."""
    return replace(behaviour, reload=lambda old, new: old)


@fault("Caddy 2.6 and lighttpd's mod_gnutls; CVE-2026-40944")
def first_anchor_only(behaviour: Behaviour) -> Behaviour:
    """Reads only the first PEM block of the truststore."""
    return replace(behaviour, read=lambda truststore: Truststore(truststore.certificates[:1]))


@fault("quarkus issue 45565")
def reload_drops_client_auth(behaviour: Behaviour) -> Behaviour:
    """After a reload no CertificateRequest is sent."""
    return replace(behaviour, verifies_after_reload=False)


@fault("reloads that drop the verifier before they have the new one")
def broken_reload_open(behaviour: Behaviour) -> Behaviour:
    """A reload that cannot read the truststore switches verification off."""
    return replace(behaviour, broken_reload_opens=True)


@fault("Envoy and gunicorn (a variant, not an error)")
def watches_file(behaviour: Behaviour) -> Behaviour:
    """Takes a changed truststore over by itself."""
    return replace(behaviour, watches=True)
