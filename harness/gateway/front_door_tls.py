"""TLS of the front door: SNI chooses the domain; every client certificate is taken, and none at all ends the connection.

API Gateway answers 403 to a certificate that it does not accept, so TLS must complete with any; and it closes TCP without
alert behind an empty Certificate message, which stdlib ssl and OpenSSL's own verification cannot do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from OpenSSL import SSL, crypto

from ..pki.credential import Credential
from ..tls.transport import ServedPeer, TlsServerProtocol
from .truststores import MALFORMED, Trust, quiet

__all__ = ["Door", "FrontDoorConnection", "FrontDoorPeer", "tls_context"]

# The security policy TLS_1_2 of a regional domain; level 0, because what is too weak is to get a 403 and no alert.
_CIPHERS = (
    b"ECDHE+AESGCM:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:"
    b"ECDHE-RSA-AES256-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:@SECLEVEL=0"
)


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """How a handshake for one domain is made: the server's certificate, and whether the client has to have one."""

    domain: str
    context: SSL.Context
    is_mutual: bool
    trust: Trust | None
    """What judges; None without mutual TLS, and before the first truststore has arrived."""


@dataclass(slots=True, eq=False)
class FrontDoorPeer(ServedPeer):
    """What TLS learned of a client, for whoever answers its requests."""

    connection: FrontDoorConnection | None = None
    tls_version: str = ""


class FrontDoorConnection(TlsServerProtocol):
    """One connection to the TLS port. *choose* gives the door for a server name, None where there is no such domain.

    *closed* is told of every one to a domain with mutual TLS that ended before HTTP began, *ended* of every one that is gone.
    """

    def __init__(
        self,
        context: SSL.Context,
        inner: Callable[[], asyncio.Protocol],
        *,
        choose: Callable[[str | None], Door | None],
        closed: Callable[[FrontDoorConnection], None],
        ended: Callable[[FrontDoorConnection], None],
    ) -> None:
        super().__init__(context, context, inner, policy=(), ask=lambda name: False, alerts=False)
        self.peer: FrontDoorPeer = FrontDoorPeer(connection=self)
        self.door: Door | None = None
        self.busy = 0
        """Requests that are being answered."""
        self.is_retired = False
        self.failure: str | None = None
        """Why the handshake failed, if it did."""
        self._choose, self._closed, self._ended = choose, closed, ended

    @staticmethod
    def choose_door(connection: SSL.Connection) -> None:
        """For ``Context.set_tlsext_servername_callback``: called once a ClientHello was read, with or without SNI."""
        self: FrontDoorConnection = connection.get_app_data()
        name = connection.get_servername()
        self.peer.server_name = None if name is None else name.decode("ascii", "replace")
        self.door = self._choose(self.peer.server_name)
        if self.door is not None:
            connection.set_context(self.door.context)
        wants = self.door is not None and self.door.is_mutual
        connection.set_verify(SSL.VERIFY_PEER if wants else SSL.VERIFY_NONE, _take)

    def retire(self) -> None:
        """What this connection was judged by counts no more: close it, or let it end behind the present answer."""
        self.is_retired = True
        if not self.busy:
            self.close()

    def cut(self) -> None:
        """Close TCP, without another octet of TLS."""
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP is gone."""
        super().connection_lost(exc)
        self._ended(self)

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            raise
        except SSL.Error as error:
            self._note_failure(error)
            raise
        self._cancel_timer()
        presented = self._note_client()
        door = self.door
        if door is not None and door.is_mutual and (not presented or door.trust is None):
            # Our side of the handshake lies in the BIO still; it stays there, as API Gateway's does.
            self.cut()
            self._closed(self)
            return
        self._begin()

    def _note_client(self) -> bool:
        """Keep what the handshake told of the client; returns whether it presented a certificate."""
        presented = self._tls.get_peer_certificate()
        self.peer.tls_version = self._tls.get_protocol_version_name()
        self.peer.certificate = None if presented is None else _readable(presented)
        return presented is not None

    def _note_failure(self, error: SSL.Error) -> None:
        """Tell of a handshake that came to no end: what the client sent, or that it did not like what we sent."""
        if self.door is not None and self.door.is_mutual and self.failure is None:
            self.failure = _told(error)
            self._note_client()
            self._closed(self)


def _take(*_: object) -> bool:
    return True


def _told(error: SSL.Error) -> str:
    """Who ended the handshake, and OpenSSL's reasons: the last one is that of TLS, those before it are the details."""
    found = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [str(one[-1]) for one in found] or ["no reason given"]
    _, alert, name = reasons[-1].partition(" alert ")
    if alert:
        return f"the client ended the TLS handshake: alert {name}"
    details = f" ({reasons[0]})" if len(reasons) > 1 else ""
    return f"TLS handshake failed: {reasons[-1]}{details}"


def _readable(certificate: crypto.X509) -> x509.Certificate | None:
    """*certificate*; None when OpenSSL takes it, but it is not well-formed."""
    try:
        with quiet():
            return certificate.to_cryptography()
    except MALFORMED:
        return None


def tls_context(credential: Credential) -> SSL.Context:
    """Settings of the TLS port with this server certificate: TLS 1.2 and 1.3, and no session is ever resumed."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    context.use_certificate(credential.leaf)
    for certificate in credential.chain:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(credential.key)
    context.set_tlsext_servername_callback(FrontDoorConnection.choose_door)
    return context
