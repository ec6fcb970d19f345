"""The front door: custom domains on the TLS port, their server certificates, and the judgement of who comes in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import web
from OpenSSL import SSL

from ..pki.authority import Hierarchy
from ..pki.credential import Credential
from .answers import Reply
from .client_cert import ClientCert
from .client_verifier import refusal
from .data_plane import DataPlane
from .domain_model import DomainMapping, DomainName
from .front_door_tls import Door, FrontDoorConnection, FrontDoorPeer, tls_context
from .ids import new_request_id
from .log import Log
from .routing import Address
from .state import State
from .truststores import Trust, quiet

__all__ = ["FrontDoor"]

_DENIED = "Access denied. Reason: "
_UNREADABLE = "Client cert cannot be parsed"
_OTHER_HOST = "Host header names another domain than the TLS handshake"


class FrontDoor:
    """Doors for the domains of *state*, and the connections that came through them; *authority* issues their certificates.

    ``domain`` and ``answer`` are for the requests of such a connection, ``refresh`` for changes of the state.
    """

    def __init__(
        self, state: State, log: Log, data_plane: DataPlane, authority: Hierarchy, default: Credential
    ) -> None:
        self._state, self._log, self._data_plane = state, log, data_plane
        self._authority, self._default = authority, tls_context(default)
        self._contexts: dict[str, _Served] = {}
        self._connections: dict[FrontDoorConnection, None] = {}
        self._later: asyncio.TimerHandle | None = None

    # --- connections

    def accept(self, inner: Callable[[], asyncio.Protocol]) -> FrontDoorConnection:
        """The protocol of a new connection; *inner* makes the one for HTTP."""
        one = FrontDoorConnection(
            self._default, inner, choose=self._choose, closed=self._note_closed, ended=self._forget
        )
        self._connections[one] = None
        return one

    def refresh(self) -> None:
        """Domains changed, or will by themselves: close what was judged by what is not in force any more."""
        for connection in list(self._connections):
            if connection.door is not None and not self._in_force(connection):
                connection.retire()
        self._contexts = {name: one for name, one in self._contexts.items() if name in self._state.domain_names}
        self._wake()

    def close(self) -> None:
        """Nothing is to be done any more; who is in the middle of a handshake, and so unknown to HTTP, is cut off."""
        if self._later is not None:
            self._later.cancel()
        for connection in list(self._connections):
            connection.cut()

    def _wake(self) -> None:
        """Come back when the next truststore arrives."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        now = time.monotonic()
        coming = [one.arrives for one in self._state.domain_names.values() if one.is_updating(now)]
        if coming:
            # a millisecond more, since a timer may fire a little early
            self._later = asyncio.get_running_loop().call_later(min(coming) - now + 0.001, self.refresh)

    def _choose(self, name: str | None) -> Door | None:
        domain = self._state.domain_for(name)
        if domain is None:
            return None
        return Door(domain.name, self._context(domain), domain.is_mutual, domain.judge(time.monotonic()))

    def _in_force(self, connection: FrontDoorConnection) -> bool:
        door = connection.door
        assert door is not None
        domain = self._state.domain_for(connection.peer.server_name)
        if domain is None or domain.name != door.domain:
            return False
        return (domain.is_mutual, domain.judge(time.monotonic())) == (door.is_mutual, door.trust)

    def _forget(self, connection: FrontDoorConnection) -> None:
        self._connections.pop(connection, None)

    def _context(self, domain: DomainName) -> SSL.Context:
        """With the certificate that was imported into ACM under the domain's ARN, else with one of the mock's own CA."""
        imported = self._state.acm_certificates.get(domain.certificate_arn or "")
        credential = None if imported is None else imported.credential
        known = self._contexts.get(domain.name)
        if known is None or known.imported is not credential:
            served = credential or self._authority.issue(domain.name, names=(domain.name,), name="server certificate")
            known = self._contexts[domain.name] = _Served(credential, tls_context(served))
        return known.context

    # --- requests

    async def answer(self, request: web.BaseRequest, path: str, query: str) -> Reply | None:
        """The answer to a request on a connection for a custom domain; None on one for no custom domain."""
        peer: FrontDoorPeer = request.get_extra_info("mtls")
        connection = peer.connection
        if connection is None or connection.door is None:
            return None
        connection.busy += 1
        try:
            reply = await self._answer(request, connection, connection.door, path, query)
        finally:
            connection.busy -= 1
        if connection.is_retired:
            reply.force_close()
        return reply

    async def _answer(
        self, request: web.BaseRequest, connection: FrontDoorConnection, door: Door, path: str, query: str
    ) -> Reply:
        domain = self._state.domain_for(request.headers.get("Host", "").partition(":")[0])
        request_id = new_request_id()
        reason = self._refusal(connection.peer, door.trust) if door.is_mutual else None
        if reason is None and (domain is None or domain.name != door.domain):
            reason = _OTHER_HOST
        if door.is_mutual:
            self._note(connection, "forbidden" if reason else "accepted", reason, request_id)
        if reason is not None or domain is None:
            return self._data_plane.forbidden(request_id)
        certificate = connection.peer.certificate
        client_cert = ClientCert(certificate) if door.is_mutual and certificate is not None else None
        found = _mapped(domain, path)
        if found is None:
            return self._data_plane.forbidden(request_id)
        mapping, rest = found
        address = Address(mapping.api_id, mapping.stage, rest, called=path)
        return await self._data_plane.answer(request, address, query, request_id=request_id, client_cert=client_cert)

    def _refusal(self, peer: FrontDoorPeer, trust: Trust | None) -> str | None:
        if peer.certificate is None or trust is None:  # it is there, or the connection would have been closed
            return _UNREADABLE
        with quiet():
            return refusal(peer.certificate, trust, self._state.now(), self._state.settings)

    # --- the log

    def _note_closed(self, connection: FrontDoorConnection) -> None:
        door, reason = connection.door, connection.failure
        if reason is None and door is not None and door.trust is None:
            reason = "the domain name is not AVAILABLE yet"
        self._note(connection, "closed", reason, None)

    def _note(self, connection: FrontDoorConnection, outcome: str, reason: str | None, request_id: str | None) -> None:
        door, certificate = connection.door, connection.peer.certificate
        shown, settings = _Shown(), self._state.settings
        if certificate is not None:
            try:
                client = ClientCert(certificate)
                shown = _Shown(client.subject_dn(settings), client.serial_number(settings))
            except ValueError:
                shown = _Shown()
        self._log.add(
            "front_door",
            request_id,
            domain=None if door is None else door.domain,
            outcome=outcome,
            reason=reason,
            tls_version=connection.peer.tls_version,
            subject_dn=shown.subject_dn,
            serial_number=shown.serial_number,
            execution_log=lambda: [f"{_DENIED}{reason}"] if outcome == "forbidden" else [],
        )


@dataclass(frozen=True, slots=True)
class _Served:
    """TLS settings, and the imported credential that they were made with; None for one of our own."""

    imported: Credential | None
    context: SSL.Context = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Shown:
    subject_dn: str | None = None
    serial_number: str | None = None


def _mapped(domain: DomainName, path: str) -> tuple[DomainMapping, str] | None:
    """The mapping whose key is the longest that *path* (raw) begins with, by whole segments, and the rest of the path."""
    parts = path.split("/")[1:]
    names = [unquote(part) for part in parts]
    best: tuple[int, DomainMapping] | None = None
    for one in domain.mappings.values():
        wanted = one.key.split("/") if one.key else []
        if names[: len(wanted)] == wanted and (best is None or len(wanted) > best[0]):
            best = len(wanted), one
    if best is None:
        return None
    rest = parts[best[0] :]
    return best[1], f"/{'/'.join(rest)}" if rest else ""
