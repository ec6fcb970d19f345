"""What one connection attempt showed on the wire: facts only, no judgement (that is ``verdict``'s)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any

from cryptography import x509

from ..pki.credential import Credential
from .alerts import Alert

__all__ = ["Closing", "HttpAnswer", "Observation", "Phase", "Presented", "TlsVersion", "Trouble"]


class TlsVersion(StrEnum):
    """The versions that a backend may speak to its gateway. API Gateway itself speaks 1.2 only."""

    TLS12 = "1.2"
    TLS13 = "1.3"


class Phase(IntEnum):
    """How far a connection came, in order."""

    START = 0
    """Nothing yet: name look-up and TCP."""
    CONNECTED = 1
    """TCP is open."""
    SERVER_HELLO = 2
    """The peer speaks TLS and took our version and suites."""
    CERTIFICATE_SENT = 3
    """The peer asked for a certificate and we sent our Certificate message, empty or not."""
    HANDSHAKE = 4
    """Our side of the handshake is complete. In TLS 1.3 the peer has not judged yet (RFC 8446 4.4.2.4)."""
    REQUEST_SENT = 5
    """The request was handed to the network, as much of it as the peer took."""
    ANSWER = 6
    """The final status line and headers of an HTTP answer were read."""

    @property
    def word(self) -> str:
        """The name as reports write it."""
        return self.name.lower().replace("_", "-")


class Closing(StrEnum):
    """How the peer ended the connection."""

    CLOSE_NOTIFY = "close_notify"
    """In order, by TLS."""
    FIN = "fin"
    """TCP end of stream without close_notify."""
    RESET = "reset"
    """TCP reset, or our writing met a closed connection."""


class Trouble(StrEnum):
    """Why an attempt ended without the peer having said anything about our certificate."""

    NAME = "name"
    """The host name could not be resolved."""
    REFUSED = "refused"
    """Nobody listens on that port."""
    UNREACHABLE = "unreachable"
    """Any other failure to open TCP."""
    TIMEOUT = "timeout"
    """The peer was silent for longer than the phase may take."""
    NOT_TLS = "not-tls"
    """The peer's octets are no TLS records."""
    LOCAL_TLS = "local-tls"
    """Our own TLS library refused to go on."""
    NOT_HTTP = "not-http"
    """Octets came that are no HTTP/1.1 answer."""
    NOT_KEPT = "not-kept"
    """The connection can carry no other request after the one before, so this one was not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What we had to present; whether it went out depends on whether the peer asked."""

    name: str
    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    sha256: str
    chain: tuple[str, ...]

    @classmethod
    @lru_cache(maxsize=64)  # the same one goes over many connections
    def of(cls, credential: Credential) -> Presented:
        """The public facts of *credential*."""
        leaf = credential.leaf
        return cls(
            name=credential.name,
            subject=credential.subject,
            issuer=leaf.issuer.rfc4514_string(),
            serial=f"{leaf.serial_number:x}",
            not_before=leaf.not_valid_before_utc.isoformat(),
            not_after=leaf.not_valid_after_utc.isoformat(),
            sha256=credential.fingerprint,
            chain=tuple(certificate.subject.rfc4514_string() for certificate in credential.chain),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """A final HTTP answer. ``head`` is the beginning of the body; ``complete`` says whether the whole body came."""

    status: int
    version: str
    headers: tuple[tuple[str, str], ...]
    head: str
    length: int
    complete: bool

    def header(self, name: str) -> str | None:
        """The first value of header *name* (any letter case), or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One connection attempt, as seen from our side."""

    url: str
    tls: TlsVersion
    server_name: str | None
    presented: Presented | None
    """None: no certificate, an empty Certificate message where the peer asks."""
    phase: Phase
    """The furthest phase that was reached."""
    times: tuple[tuple[str, float], ...]
    """Milliseconds from the start to each phase reached, and to the end."""
    negotiated: str | None
    """Protocol and cipher suite, once agreed."""
    certificate_requested: bool
    acceptable_issuers: tuple[str, ...]
    """The names in CertificateRequest; empty also when the peer sends none."""
    alert: Alert | None
    """The last alert other than close_notify that the peer sent."""
    closing: Closing | None
    """How the peer closed; None when it did not before we had what we wanted."""
    trouble: Trouble | None
    detail: str
    """The trouble in words."""
    received: int
    """Octets of application data that came from the peer since this request began."""
    answer: HttpAnswer | None
    session_ticket: bool
    """Whether the peer gave a session ticket by the end of the observation."""
    resumed: bool
    server_chain: tuple[x509.Certificate, ...]
    """The certificates that the server sent, leaf first; empty when resumed or not that far."""

    def to_json(self) -> dict[str, Any]:
        """The observation as JSON types, as it stands in the report."""
        answer = self.answer
        return {
            "url": self.url,
            "tls": self.tls.value,
            "server_name": self.server_name,
            "presented": None if self.presented is None else _presented_json(self.presented),
            "certificate_requested": self.certificate_requested,
            "acceptable_issuers": list(self.acceptable_issuers),
            "phase": self.phase.word,
            "negotiated": self.negotiated,
            "session_ticket": self.session_ticket,
            "resumed": self.resumed,
            "alert": None
            if self.alert is None
            else {"number": self.alert.number, "name": self.alert.name, "phase": self.alert.phase},
            "close": None if self.closing is None else self.closing.value,
            "trouble": None if self.trouble is None else {"kind": self.trouble.value, "detail": self.detail},
            "received_octets": self.received,
            "http": None
            if answer is None
            else {"status": answer.status, "version": answer.version, "complete": answer.complete, "body": answer.head},
            "milliseconds": dict(self.times),
            "server_certificates": list(self.server_subjects),
        }

    @property
    def server_subjects(self) -> tuple[str, ...]:
        """The subjects of the certificates that the server sent, leaf first."""
        return tuple(_subject(certificate) for certificate in self.server_chain)


def _presented_json(presented: Presented) -> dict[str, Any]:
    return {name: getattr(presented, name) for name in Presented.__dataclass_fields__} | {
        "chain": list(presented.chain)
    }


@lru_cache(maxsize=64)
def _subject(certificate: x509.Certificate) -> str:
    try:
        return certificate.subject.rfc4514_string()
    except ValueError:  # names are parsed on first use, more strictly than OpenSSL does
        return "(unreadable)"
