"""What goes into the egress and what comes out of it: destinations, requests, attempts, failures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

from ...pki.credential import Credential

if TYPE_CHECKING:
    from .body import AnswerBody

__all__ = [
    "AlertRecord",
    "Answer",
    "Attempt",
    "BodyError",
    "CertificateRecord",
    "ConnectionRecord",
    "Destination",
    "Exchange",
    "Failure",
    "Key",
    "NotPresented",
    "Outcome",
    "Outgoing",
    "TlsRecord",
]

Outcome = Literal["response", "configuration-error", "network-error", "timeout"]
NotPresented = Literal["not-requested", "none-configured", "issuer-not-acceptable", "expired", "key-not-acceptable"]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes, and as whom. Requests with equal scheme, host, port, credential and mode share connections.

    ``host`` is a name or an address (IPv6 without brackets). ``api_id`` and ``stage`` are for the log only.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    api_id: str
    stage: str | None = None
    credential: Credential | None = None
    presented_as: str | None = None
    """The clientCertificateId or ARN of *credential*."""
    insecure_skip_verification: bool = False


class Key(NamedTuple):
    """What connections must have in common to carry the same requests."""

    scheme: str
    host: str
    port: int
    at: tuple[str, int] | None
    """Where the name is to be found, if told otherwise than by DNS."""
    credential: Credential | None
    """Compared by identity, which is stricter than by fingerprint."""
    insecure: bool


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request. ``headers`` go out as they are, but for Content-Length and Transfer-Encoding, which the body decides.

    Text is UTF-8 with surrogateescape, as aiohttp decodes it, so that any octet comes out as it came in. ``body`` None
    has no framing header; octets have Content-Length; an iterator has Content-Length if ``length`` is given and is
    chunked otherwise.
    """

    method: str
    target: str
    """The raw path with its query string."""
    headers: Sequence[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer. ``reason`` is AWS's text; it may name the backend's certificate, never a key."""

    outcome: Outcome
    reason: str

    @property
    def line(self) -> str:
        """The whole line of the execution log."""
        return f"Execution failed due to {self.reason}"


class BodyError(Exception):
    """The answer's body ended too early, or stalled for longer than the time-out."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.line)
        self.failure = failure


class CertificateRecord(TypedDict):
    """The server's certificate in the log: ``ok`` or why not, its subject (RFC 4514), SHA-256 of its DER in hex."""

    verdict: str
    subject: str
    sha256: str


class AlertRecord(TypedDict):
    """An alert in the log."""

    number: int
    name: str


class TlsRecord(TypedDict):
    """The ``tls`` member of a log entry, ready for JSON."""

    connection: str
    reused: bool
    version: str | None
    cipher: str | None
    server_name: str | None
    requested: bool
    acceptable_issuers: list[str]
    presented: str | None
    presented_sha256: str | None
    not_presented: NotPresented | None
    alert_received: AlertRecord | None
    closed: Literal["clean", "abrupt"] | None
    server_certificate: CertificateRecord | None


class ConnectionRecord(TypedDict):
    """An open connection, as ``GET /_mtls/connections`` shows it."""

    id: str
    api_id: str
    stage: str | None
    host: str
    port: int
    presented: str | None
    state: Literal["idle", "busy"]
    requests: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of a request over one connection; ``latency_ms`` ends with the head of the answer or the failure."""

    number: int
    connection: str | None
    """Its id; None when no connection was tried."""
    reused: bool
    tls: TlsRecord | None
    """None for http://."""
    outcome: Outcome
    backend_status: int | None
    latency_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The head of a final answer, and its body, which must be read or closed before the connection is free again."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    """As they came, letter case and order too; text as in ``Outgoing``. Transfer coding is already undone in the body."""
    body: AnswerBody

    async def read(self) -> bytes:
        """The whole body. Raises BodyError when it ends too early or stalls."""
        return await self.body.read()


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """What came of a request: its attempts (a second one after a reused connection was found closed), answer or failure."""

    attempts: list[Attempt]
    answer: Answer | None = None
    failure: Failure | None = None
