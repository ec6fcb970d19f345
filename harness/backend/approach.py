"""How one connection to a backend is made."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..tls.probe import Request, Session

__all__ = ["Approach"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """How a connection differs from an ordinary one."""

    request: Request = field(default_factory=Request)
    send_server_name: bool = True
    ciphers: str | None = None
    """TLS 1.2 suites, in OpenSSL's notation."""
    server_name: str | None = None
    """Another name to call than the endpoint's, in SNI and Host."""
    resume: Session | None = None
    """A session to offer."""
