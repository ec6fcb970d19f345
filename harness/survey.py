"""What can be seen of a backend before anything is judged: TLS versions, whom it asks for, ALPN, tickets, its name.

All but one comes from the control's connections, which are made anyway. ALPN (RFC 7301) is offered on one more
connection a TLS version, and on no other: a server may treat HTTP/2 connections differently, and verdicts are about
HTTP/1.1, which is what API Gateway speaks to its backends.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from . import interrupt
from .backend.instance import Instance
from .tls.observation import Observation, TlsVersion

__all__ = ["PROTOCOLS", "Sight", "VersionSeen", "survey"]

PROTOCOLS = (b"h2", b"http/1.1")
"""What is offered by ALPN, HTTP/2 first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSeen:
    """What was seen under one TLS version."""

    tls: str
    negotiated: str | None
    """Protocol and cipher suite."""
    certificate_requested: bool
    acceptable_issuers: tuple[str, ...]
    """The names in its CertificateRequest."""
    session_ticket: bool
    application_protocol: str | None
    """What it chose of ``PROTOCOLS``; None when it chose nothing, or the connection did not come that far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen of a backend by the good credential."""

    versions: tuple[VersionSeen, ...]
    http: str | None
    """The version of HTTP in its answer."""
    server_header: str | None
    server_certificates: tuple[str, ...]
    """The subjects of the certificates that it sent, its own first."""

    def to_json(self) -> dict[str, Any]:
        """As JSON types, as it stands in the report."""
        return asdict(self) | {
            "versions": [asdict(one) | {"acceptable_issuers": list(one.acceptable_issuers)} for one in self.versions],
            "server_certificates": list(self.server_certificates),
        }


def survey(instance: Instance) -> Sight:
    """Look at *instance*; never raises for anything that the backend does, and judges nothing."""
    seen = [instance.control_seen(tls)[0] for tls in instance.known_versions]
    answer = next((one.answer for one in seen if one.answer is not None), None)
    return Sight(
        versions=tuple(_version(instance, one) for one in seen),
        http=None if answer is None else answer.version,
        server_header=None if answer is None else answer.header("server"),
        server_certificates=next((one.server_subjects for one in seen if one.server_chain), ()),
    )


def _version(instance: Instance, seen: Observation) -> VersionSeen:
    return VersionSeen(
        tls=seen.tls.value,
        negotiated=seen.negotiated,
        certificate_requested=seen.certificate_requested,
        acceptable_issuers=seen.acceptable_issuers,
        session_ticket=seen.session_ticket,
        application_protocol=_chosen(instance, seen.tls),
    )


def _chosen(instance: Instance, tls: TlsVersion) -> str | None:
    with instance.converse(instance.control, tls, protocols=PROTOCOLS) as conversation:
        chosen = conversation.greet()
    interrupt.check()
    return chosen
