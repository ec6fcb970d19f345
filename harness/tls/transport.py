"""The server side of TLS for asyncio, on pyOpenSSL: a protocol that hands plain octets to another protocol.

stdlib ssl cannot take a client certificate that it has not verified and refuse it by HTTP afterwards, nor say what was
wrong with it. Here the verify callback records and a policy decides; the inner protocol (aiohttp's, for one) finds the
record by ``transport.get_extra_info("mtls")``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto

from .policy import PRESENTED, Policy, VerifyError, refusal_during_handshake

__all__ = ["ServedPeer", "TlsServerProtocol"]

_CHUNK = 65_536


@dataclass(slots=True, eq=False)
class ServedPeer:
    """What TLS learned of a client; complete once the handshake is."""

    server_name: str | None = None
    certificate: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()
    errors: list[VerifyError] = field(default_factory=list)
    resumed: bool = True
    """Whether the handshake was an abbreviated one, without certificates."""
    judged_by: object = None
    """Whatever the server's settings were at the handshake, to notice that they changed since."""


class TlsServerProtocol(asyncio.Protocol):
    """One accepted connection. *context* gives its TLS settings, *inner* the protocol that gets the plain octets.

    *front* is the context that stays when *context* is replaced by a reload: sessions and ticket keys live there.

    ``ask`` says by the server name (None without SNI) whether a certificate is asked for. When ``alerts`` is set, the
    policy's certain refusals end the handshake with the fitting alert; otherwise all is left to whoever judges the request.
    """

    def __init__(
        self,
        front: SSL.Context,
        context: SSL.Context,
        inner: Callable[[], asyncio.Protocol],
        *,
        policy: Policy,
        ask: Callable[[str | None], bool],
        alerts: bool = True,
        judged_by: object = None,
        handshake_seconds: float = 10.0,
    ) -> None:
        self.peer = ServedPeer(judged_by=judged_by)
        self._policy, self._ask, self._alerts = policy, ask, alerts
        self._make_inner, self._inner = inner, None
        self._handshake_seconds = handshake_seconds
        self._context = context
        self._tls = SSL.Connection(front, None)
        self._tls.set_app_data(self)
        self._tls.set_accept_state()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    _inner: asyncio.Protocol | None

    # --- what OpenSSL calls (the context's callbacks find the connection's protocol as its app data)

    @staticmethod
    def choose_by_name(connection: SSL.Connection) -> None:
        """For ``Context.set_tlsext_servername_callback``: called once a ClientHello was read, with or without SNI."""
        self: TlsServerProtocol = connection.get_app_data()
        connection.set_context(self._context)
        name = connection.get_servername()
        self.peer.server_name = None if name is None else name.decode("ascii", "replace")
        mode = SSL.VERIFY_NONE
        if self._ask(self.peer.server_name):
            mode = SSL.VERIFY_PEER
            if self._alerts and any(check.name == PRESENTED and check.at_handshake for check in self._policy):
                mode |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        connection.set_verify(mode, TlsServerProtocol.record)

    @staticmethod
    def note_step(connection: SSL.Connection, where: int, _: int) -> None:
        """For ``Context.set_info_callback``: a handshake in which we send our certificate is a full one."""
        if where & SSL.SSL_CB_LOOP and connection.get_state_string() == b"SSLv3/TLS write certificate":
            self: TlsServerProtocol = connection.get_app_data()
            self.peer.resumed = False

    @staticmethod
    def record(connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int) -> bool:
        """OpenSSL's verify callback: keep the error; end the handshake only for what no check can forgive."""
        self: TlsServerProtocol = connection.get_app_data()
        if ok:
            return True
        error = VerifyError(depth, code)
        self.peer.errors.append(error)
        return not (self._alerts and refusal_during_handshake(self._policy, error))

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(self._handshake_seconds, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Octets from the peer."""
        self._tls.bio_write(data)
        try:
            if self._inner is None:
                self._shake_hands()
            self._read()
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self._end()
        except SSL.Error:
            self._end()
        self.flush()

    def eof_received(self) -> bool:
        """The peer ended its side of TCP; so do we."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP is gone."""
        self._cancel_timer()
        if self._inner is not None:
            self._inner.connection_lost(exc)
            self._inner = None

    def pause_writing(self) -> None:
        """The peer reads slowly."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._inner is not None:
            self._inner.resume_writing()

    # --- between the two

    def _shake_hands(self) -> None:
        self._tls.do_handshake()
        self._cancel_timer()
        self.peer.certificate = self._tls.get_peer_certificate(as_cryptography=True)
        self.peer.chain = tuple(self._tls.get_peer_cert_chain(as_cryptography=True) or ())
        self._begin()

    def _begin(self) -> None:
        """From now on the octets are the inner protocol's."""
        assert self._transport is not None
        self._inner = self._make_inner()
        self._inner.connection_made(_PlainTransport(self, self._transport))

    def _read(self) -> None:
        while self._inner is not None:
            self._inner.data_received(self._tls.recv(_CHUNK))

    def _end(self) -> None:
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def flush(self) -> None:
        """Send what TLS has to say."""
        try:
            while self._transport is not None and not self._transport.is_closing():
                self._transport.write(self._tls.bio_read(_CHUNK))
        except SSL.WantReadError:
            pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send *data*."""
        if len(data):
            try:
                self._tls.sendall(bytes(data))
            except SSL.Error:
                self._end()
        self.flush()

    def close(self) -> None:
        """Send close_notify and close TCP once all is written."""
        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()
        self._end()


class _PlainTransport(asyncio.Transport):
    """What the inner protocol writes to."""

    def __init__(self, protocol: TlsServerProtocol, transport: asyncio.Transport) -> None:
        super().__init__()
        self._protocol, self._raw = protocol, transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``mtls`` is the ServedPeer; all else comes from TCP."""
        return self._protocol.peer if name == "mtls" else self._raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        self._protocol.write(data)

    def writelines(self, list_of_data: Any) -> None:
        """Encrypt and send all of it as one piece."""
        self._protocol.write(b"".join(list_of_data))

    def close(self) -> None:
        """Close in order."""
        self._protocol.close()

    def abort(self) -> None:
        """Close at once."""
        self._raw.abort()

    def is_closing(self) -> bool:
        """Whether TCP is closing."""
        return self._raw.is_closing()

    def pause_reading(self) -> None:
        """Stop reading from TCP."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read from TCP again."""
        self._raw.resume_reading()

    def is_reading(self) -> bool:
        """Whether TCP is read."""
        return self._raw.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Limits of TCP's buffer."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Octets not yet taken by TCP."""
        return self._raw.get_write_buffer_size()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand over to another protocol (aiohttp does, for upgrades)."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol._inner = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The inner protocol."""
        inner = self._protocol._inner
        assert inner is not None
        return inner

    def can_write_eof(self) -> bool:
        """TLS has no half-close."""
        return False
