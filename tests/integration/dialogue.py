"""One connection as a scripted TLS peer sees it: what it can do, right and wrong, at a moment of its choice.

How it works: a blocking socket and pyOpenSSL over memory BIOs, so that a script can put any octet onto the wire
between two TLS records. Alerts that OpenSSL would not send at that moment are written by hand: in
plaintext before TLS 1.2 starts to encrypt, under the server's application key in TLS 1.3. Any client certificate is let
in unless the script asks for OpenSSL's own verdict. Every wait has a deadline.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL, crypto

__all__ = ["SECONDS", "Dialogue", "Gone", "note_secret"]

_T = TypeVar("_T")
SECONDS = 10.0
"""The deadline of a connection."""
_CHUNK = 65_536
_NO_RESUMPTION_ON_RENEGOTIATION = 1 << 16  # pyOpenSSL has no name for it
_ALERT, _APPLICATION_DATA = 21, 23


class Gone(Exception):
    """The client has ended TCP, or TLS cannot go on: the script is over."""


class _CertificateRead(Exception):
    """OpenSSL has the client's certificate, and the script wants to stop there."""


class Dialogue:
    """One connection as a script sees it, from the peer's side."""

    def __init__(self, raw: socket.socket, context: SSL.Context) -> None:
        self.raw = raw
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Nagle would keep back what a reset then destroys
        self.server_name: str | None = None
        self.chain: tuple[x509.Certificate, ...] = ()
        self._deadline = time.monotonic() + SECONDS
        self._stop_at_certificate = self._stopped = self._trust_openssl = self._shaken = False
        self._secret, self._flight_sent, self._records = b"", False, 0
        self._tls = SSL.Connection(context, None)
        self._tls.set_app_data(self)
        self._tls.set_accept_state()

    # --- keeping to the protocol

    def shake_hands(self, *, ask: bool = True, strict: bool = False) -> None:
        """A handshake; *strict* leaves the verdict on the certificate, and the alert, to OpenSSL."""
        self._trust_openssl = strict
        mode = SSL.VERIFY_PEER if ask else SSL.VERIFY_NONE
        self._tls.set_verify(mode | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if strict else 0), _verify)
        self._drive(self._tls.do_handshake)
        self._shaken = True
        name = self._tls.get_servername()
        self.server_name = None if name is None else name.decode()
        leaf = self._tls.get_peer_certificate(as_cryptography=True)
        # on the server's side OpenSSL counts the leaf out
        self.chain = (leaf, *(self._tls.get_peer_cert_chain(as_cryptography=True) or ())) if leaf else ()

    def ask_late(self, *, strict: bool = False) -> None:
        """Ask for a certificate by a second handshake on the same connection (TLS 1.2 only), between two messages."""
        self._trust_openssl = strict
        self._tls.set_verify(SSL.VERIFY_PEER, _verify)
        self._tls.set_options(_NO_RESUMPTION_ON_RENEGOTIATION)
        self._tls.renegotiate()
        self._drive(self._tls.do_handshake)
        while self._tls.renegotiate_pending():
            self._feed()
            try:
                self._tls.recv(_CHUNK)
            except SSL.WantReadError:
                self._flush()
            except SSL.Error as error:
                self._flush()
                raise Gone from error

    def read_request(self) -> bytes:
        """Read a request, with its body if it has a Content-Length."""
        head, _, body = self.read_head().partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            while name.lower() == b"content-length" and len(body) < int(value):
                body += self._receive()
        return head + b"\r\n\r\n" + body

    def read_head(self) -> bytes:
        """Read until the end of a request's headers; what came of the body stands behind them."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        return data

    def read_close(self) -> bool:
        """Read until the client ends TLS or TCP; returns whether it said close_notify."""
        try:
            while True:
                self._receive()
        except Gone as gone:
            return isinstance(gone.__cause__, SSL.ZeroReturnError)

    def say(self, data: bytes) -> None:
        """Send application data."""
        self._tls.sendall(data)
        self._flush()

    def close_notify(self) -> None:
        """Close TLS in order, then TCP."""
        self._tls.shutdown()
        self._flush()
        self.fin()

    # --- moments within the handshake

    def read_hello(self) -> None:
        """Stop once the ClientHello was read."""
        self._feed()

    def send_flight(self, *, then_fin: bool = False) -> None:
        """Stop once our first flight (ServerHello to the end) was sent, with the FIN in the same segment if asked."""
        self._tls.set_verify(SSL.VERIFY_PEER, _verify)
        while True:
            with suppress(SSL.WantReadError):
                self._tls.do_handshake()
            if flight := self._outgoing():
                break
            self._feed()
        if then_fin:
            self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        self.write(flight)
        if then_fin:
            self.fin()

    def read_certificate(self) -> None:
        """Stop once OpenSSL has read the client's certificate, which cannot be an empty one."""
        self._stop_at_certificate = True
        try:
            self.shake_hands()
        except _CertificateRead:
            return
        raise AssertionError("the client sent no certificate")

    # --- misbehaving

    def write(self, data: bytes) -> None:
        """Put octets onto TCP beside TLS."""
        self._wait()
        try:
            self.raw.sendall(data)
        except ConnectionError as error:
            raise Gone from error

    def trickle(self, data: bytes, *, inside: bool, seconds: float = 0.02) -> None:
        """Send *data* again and again, one octet at a time with a pause before each, until the client has gone."""
        while time.monotonic() < self._deadline:
            for number in range(len(data)):
                if select.select([self.raw], [], [], seconds)[0]:
                    self._feed()
                (self.say if inside else self.write)(data[number : number + 1])
        raise AssertionError("the client has never gone")

    def flood(self, data: bytes) -> None:
        """Send *data* as application data as fast as TCP takes it, until the client has gone."""
        while time.monotonic() < self._deadline:
            self.say(data)
        raise AssertionError("the client has never gone")

    def alert(self, number: int, *, fatal: bool = True) -> None:
        """Send any alert: in TLS 1.2 before encryption starts, in TLS 1.3 after our first flight too."""
        text = bytes((2 if fatal else 1, number))
        if self._secret:
            self.write(self._encrypted(text + bytes((_ALERT,))))
        elif self._shaken:
            raise AssertionError("in TLS 1.2 an alert by number is possible only before encryption starts")
        else:
            self.write(bytes((_ALERT, 3, 3, 0, 2)) + text)

    def choke(self) -> None:
        """Let our OpenSSL read a spoiled record: it sends bad_record_mac (20), encrypted, in either version."""
        self._tls.bio_write(bytes((_APPLICATION_DATA, 3, 3, 0x40, 0)) + bytes(0x4000))
        with suppress(SSL.Error):
            while True:
                self._tls.recv(_CHUNK)
        self._flush()

    def fin(self) -> None:
        """End our side of TCP, and let the client end its own."""
        with suppress(OSError):  # the client may have gone first
            self.raw.shutdown(socket.SHUT_WR)
        self.hold()

    def reset(self) -> None:
        """End TCP by RST."""
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.close()

    def hold(self) -> None:
        """Say nothing more, and take what comes until the client has gone."""
        with suppress(ConnectionError):
            self._wait()
            while self.raw.recv(_CHUNK):
                self._wait()

    # --- what OpenSSL calls

    def verified(self, ok: bool) -> bool:
        """Whether a certificate is let pass."""
        self._stopped = self._stop_at_certificate
        return not self._stopped and (ok or not self._trust_openssl)

    def note_secret(self, line: bytes) -> None:
        """A line of the key log."""
        label, _, secret = line.split()
        if label == b"SERVER_TRAFFIC_SECRET_0":
            self._secret = bytes.fromhex(secret.decode())

    # --- octets

    def _wait(self) -> None:
        """Let the next call on the socket wait no longer than the connection's deadline."""
        self.raw.settimeout(max(self._deadline - time.monotonic(), 0.001))

    def _drive(self, step: Callable[[], _T]) -> _T:
        while True:
            try:
                result = step()
            except SSL.WantReadError:
                self._flush()
                self._feed()
            except SSL.Error as error:
                if self._stopped:
                    raise _CertificateRead from error
                self._flush()
                raise Gone from error
            else:
                self._flush()
                return result

    def _receive(self) -> bytes:
        return self._drive(lambda: self._tls.recv(_CHUNK))

    def _feed(self) -> None:
        self._wait()
        try:
            data = self.raw.recv(_CHUNK)
        except ConnectionError as error:
            raise Gone from error
        if not data:
            raise Gone
        self._tls.bio_write(data)

    def _flush(self) -> None:
        self.write(self._outgoing())

    def _outgoing(self) -> bytes:
        """What TLS wants to send; counts the records under the application key, which follow our first flight."""
        data = b""
        with suppress(SSL.WantReadError):
            while True:
                data += self._tls.bio_read(_CHUNK)
        if self._flight_sent:
            self._records += len(_split(data))
        self._flight_sent = bool(self._secret)
        return data

    def _encrypted(self, inner: bytes) -> bytes:
        """A TLS 1.3 record around *inner*, text and content type (RFC 8446 5.2, 5.3, 7.3)."""
        if self._tls.get_cipher_name() != "TLS_AES_256_GCM_SHA384":
            raise AssertionError("records are written by hand for OpenSSL's first suite only")
        key, vector = _expand(self._secret, b"key", 32), _expand(self._secret, b"iv", 12)
        nonce = (int.from_bytes(vector, "big") ^ self._records).to_bytes(12, "big")
        header = struct.pack("!BHH", _APPLICATION_DATA, 0x0303, len(inner) + 16)
        self._records += 1
        return header + AESGCM(key).encrypt(nonce, inner, header)


def _verify(connection: SSL.Connection, _certificate: crypto.X509, _code: int, _depth: int, ok: int) -> bool:
    dialogue: Dialogue = connection.get_app_data()
    return dialogue.verified(bool(ok))


def note_secret(connection: SSL.Connection, line: bytes) -> None:
    """For ``Context.set_keylog_callback``: TLS 1.3 alerts by number need it."""
    dialogue: Dialogue = connection.get_app_data()
    dialogue.note_secret(line)


def _split(octets: bytes) -> list[bytes]:
    """TLS records, one by one."""
    records = []
    while octets:
        end = 5 + int.from_bytes(octets[3:5], "big")
        records.append(octets[:end])
        octets = octets[end:]
    return records


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 7.1)."""
    label = b"tls13 " + label
    info = struct.pack("!HB", length, len(label)) + label + b"\0"
    return HKDFExpand(hashes.SHA384(), length, info).derive(secret)
