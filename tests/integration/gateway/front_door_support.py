"""A client of the front door that sees what is on the wire: handshake, alerts, octets, HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from OpenSSL import SSL

from pytest_mtls.harness.gateway.facade import MockGateway
from pytest_mtls.harness.pki import der
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.issue import self_signed
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.tls.observation import TlsVersion

__all__ = ["VERSIONS", "Caller", "Seen", "twice_extended", "visit"]

VERSIONS = (TlsVersion.TLS12, TlsVersion.TLS13)
_NUMBERS = {TlsVersion.TLS12: SSL.TLS1_2_VERSION, TlsVersion.TLS13: SSL.TLS1_3_VERSION}
_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came back. ``status`` is None when there was no answer."""

    status: int | None
    error_type: str | None = None
    body: bytes = b""
    alerts: tuple[int, ...] = ()
    octets_after_certificate: int = 0
    """Raw octets that came once our Certificate had gone out."""
    closed: bool = False


@dataclass
class Caller:
    """One connection to the gateway's TLS port, by *name* in SNI (None: without)."""

    gateway: MockGateway
    name: str | None
    credential: Credential | None = None
    version: TlsVersion = TlsVersion.TLS13
    alerts: list[int] = field(default_factory=list)
    session: Any = None
    """To be resumed; a tuple of context and session."""
    alter: Callable[[bytes], bytes] = bytes
    """What becomes of our octets on their way out."""
    octets: int = 0
    flights: int = 0
    is_closed: bool = False
    asked: bool = False
    """Whether a certificate was asked for."""

    def __post_init__(self) -> None:
        self.context = self.session[0] if self.session else self._new_context()
        self._raw = socket.create_connection(("127.0.0.1", self.gateway._gateway.tls_port), timeout=_SECONDS)
        self.tls = SSL.Connection(self.context, None)
        if self.name is not None:
            self.tls.set_tlsext_host_name(self.name.encode())
        if self.session:
            self.tls.set_session(self.session[1])
        self.tls.set_connect_state()
        self._shake_hands()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def get(self, path: str = "/", host: str | None = None, *headers: str) -> Seen:
        """A request on this connection, with more *headers* (whole lines), and its answer."""
        host = host if host is not None else f"{self.name}:{self.gateway._gateway.tls_port}"
        data = b""
        if not self.is_closed:
            try:
                request = [f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
                self.tls.send("\r\n".join(request).encode())
                self._flush()
            except (SSL.Error, OSError):
                self.is_closed = True
            data = self._read_answer()
        if not data:
            return self._seen(None)
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        given = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return self._seen(int(status.split()[1]), given.get("x-amzn-errortype"), body)

    def wait_for_close(self) -> bool:
        """Whether the gateway closes this connection within the time limit."""
        while not self.is_closed:
            self._receive()
        return self.is_closed

    @property
    def server_names(self) -> list[str]:
        """The names of the server's certificate."""
        certificate = self.tls.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [str(name.value) for name in found]

    def _seen(self, status: int | None, error_type: str | None = None, body: bytes = b"") -> Seen:
        return Seen(
            status=status,
            error_type=error_type,
            body=body,
            alerts=tuple(self.alerts),
            octets_after_certificate=self.octets,
            closed=self.is_closed,
        )

    def _new_context(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(_NUMBERS[self.version])
        context.set_max_proto_version(_NUMBERS[self.version])
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")  # else OpenSSL would not present what is weak
        context.set_info_callback(self._note)
        if self.credential is not None:
            context.use_certificate(self.credential.leaf)
            for one in self.credential.chain:
                context.add_extra_chain_cert(one)
            context.use_privatekey(self.credential.key)
        return context

    def _note(self, connection: SSL.Connection, where: int, value: int) -> None:
        if where & SSL.SSL_CB_ALERT and where & SSL.SSL_CB_READ:
            self.alerts.append(value & 0xFF)
        if b"certificate request" in connection.get_state_string():
            self.asked = True

    def _shake_hands(self) -> None:
        while not self.is_closed:
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                self._flush()
                self._receive()
            except SSL.Error:
                self._flush()
                return
            else:
                self._flush()
                return

    def _read_answer(self) -> bytes:
        data = b""
        while True:
            try:
                data += self.tls.recv(65_536)
                if _is_whole(data):
                    return data
            except SSL.WantReadError:
                if self.is_closed:
                    return data
                self._receive()
            except SSL.Error:
                self.is_closed = True
                return data

    def _receive(self) -> None:
        try:
            data = self._raw.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.is_closed = True
            return
        if self.flights >= 2:  # the second of ours begins with Certificate
            self.octets += len(data)
        self.tls.bio_write(data)

    def _flush(self) -> None:
        data = b""
        with suppress(SSL.WantReadError):
            while True:
                data += self.tls.bio_read(65_536)
        if not data:
            return
        self.flights += 1
        try:
            self._raw.sendall(self.alter(data))
        except OSError:
            self.is_closed = True


def _is_whole(data: bytes) -> bool:
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return False


def visit(
    gateway: MockGateway,
    name: str | None,
    credential: Credential | None = None,
    version: TlsVersion = TlsVersion.TLS13,
    *,
    path: str = "/",
    host: str | None = None,
    headers: Sequence[str] = (),
) -> Seen:
    """One request on a connection of its own."""
    with Caller(gateway, name, credential, version) as caller:
        return caller.get(path, host, *headers)


def twice_extended() -> Credential:
    """A self-signed certificate with one extension twice: OpenSSL takes it, RFC 5280 4.2 does not."""
    key, now = new_ec_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "twice")])
    oids = [x509.ObjectIdentifier(f"1.3.6.1.4.1.55555.{number}") for number in (1, 2)]
    extensions = tuple((x509.UnrecognizedExtension(oid, b"\x05\x00"), False) for oid in oids)
    plain = self_signed(name, key, now - timedelta(days=1), now + timedelta(days=1), extensions=extensions)
    tbs, algorithm, _ = der.split_certificate(plain)
    first, second = (oid.dotted_string.rpartition(".")[2].encode() for oid in oids)
    arc = bytes.fromhex("83b203")
    changed = tbs.replace(arc + bytes((int(second),)), arc + bytes((int(first),)))
    return Credential(der.certificate_from_parts(changed, algorithm, der.sign(changed, key)), key)
