"""The client side of TLS 1.2, without any I/O: octets of the network in, octets of the application out, and back.

How it works: pyOpenSSL over memory BIOs, so that what OpenSSL wants to send can be held back. Its verification is off;
once the server's certificates were read, and before anything of our second flight goes out, they are judged by
``judge``. A server that is refused gets the alert that Java sends, and never sees our certificate.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography import x509
from OpenSSL import SSL, crypto

from ...pki.credential import Credential
from ...tls.alerts import CLOSE_NOTIFY, alert_name
from .failures import CLOSED, TLS_TROUBLE, alert_failure, certificate_failure
from .flight import holds_certificate, requested_names
from .model import Failure, NotPresented, TlsRecord
from .verify import UNREADABLE, ServerCertificate

__all__ = ["ClientTls", "Presentation", "Session", "new_context", "withheld"]

_APPLICATION_DATA = 23
_FATAL = 2
_RECORD = 16_384
_LONGEST_RECORD = 18_500
_CERTIFICATE_UNKNOWN = bytes((21, 3, 3, 0, 2, 2, 46))
"""The alert of a Java client that does not like the server's certificate; before encryption starts, so by hand."""


@dataclass(frozen=True, slots=True)
class Session:
    """A TLS session that may be resumed; OpenSSL wants it offered on a connection of the same context."""

    context: SSL.Context
    handle: SSL.Session


@dataclass(frozen=True, slots=True, eq=False)
class Presentation:
    """What a connection presents if it is asked: what ``context`` holds, by ``new_context``."""

    context: SSL.Context
    credential: Credential | None
    presented_as: str | None
    choosy: bool = False
    """Like a Java client: only if the server's list of acceptable issuers has ours, or is empty."""
    withheld: NotPresented | None = None
    """Why nothing is presented, whatever is asked."""


class ClientTls:
    """One connection. ``receive`` and ``encrypt`` give octets; what the network is to get lies in ``outgoing``."""

    def __init__(
        self,
        presentation: Presentation,
        host: str,
        server_name: bytes | None,
        judge: Callable[[Sequence[x509.Certificate]], ServerCertificate],
        session: Session | None = None,
    ) -> None:
        self._presentation, self._host, self._judge = presentation, host, judge
        self.server_name = None if server_name is None else server_name.decode("ascii")
        self.established = False
        self.failure: Failure | None = None
        """Why the connection cannot go on; set once, together with the peer's end of it."""
        self.closed: Literal["clean", "abrupt"] | None = None
        """``clean`` once the peer has said close_notify; ``abrupt`` is for TCP to notice."""
        self.alert: int | None = None
        self._alert_is_fatal = False
        self.server: ServerCertificate | None = None
        self._requested = self._certificate_read = self._answered_request = self._presented = False
        self._not_presented: NotPresented | None = presentation.withheld
        self._issuers: list[str] = []
        self._held = b"" if presentation.choosy else None
        self._whole = True
        """Whether all that has come were whole records, one at a time."""
        self._unsent = False
        self._told: TlsRecord | None = None
        self._tls = SSL.Connection(presentation.context if session is None else session.context, None)
        self._tls.set_app_data(self)
        self._tls.set_connect_state()
        if server_name is not None:
            self._tls.set_tlsext_host_name(server_name)
        if session is not None:
            self._tls.set_session(session.handle)

    # --- what OpenSSL calls

    @staticmethod
    def note_step(connection: SSL.Connection, where: int, value: int) -> None:
        """For ``Context.set_info_callback``: alerts, and the steps of the handshake, each when the next one begins."""
        self: ClientTls = connection.get_app_data()
        if where & SSL.SSL_CB_ALERT:
            if not where & SSL.SSL_CB_READ:
                self._unsent = True
            elif value & 0xFF != CLOSE_NOTIFY:
                self.alert, self._alert_is_fatal = value & 0xFF, value >> 8 == _FATAL
        elif where & SSL.SSL_CB_LOOP:
            step = connection.get_state_string()
            if step == b"SSLv3/TLS read server certificate":
                self._certificate_read = True
            elif step == b"SSLv3/TLS read server certificate request":
                self._requested = True
                self._issuers = [_rfc4514(name.get_components()) for name in connection.get_client_ca_list()]

    # --- octets

    def begin(self) -> bytes:
        """The ClientHello."""
        with suppress(SSL.WantReadError):
            self._tls.do_handshake()
        return self._tls.bio_read(_RECORD)

    def receive(self, data: bytes) -> bytes:
        """Take what the network brought; returns what it says to the application.

        Never raises: the end of it all stands in ``failure`` and ``closed``.
        """
        tls = self._tls
        if self._held is not None and not (data := self._hold(self._held + data)):
            return b""
        tls.bio_write(data)
        pieces: list[bytes] = []
        # asking OpenSSL for more where nothing is left costs an exception, a tenth of a small exchange
        single = self.established and self._whole and _is_one_record(data)
        self._whole = single or not self.established
        try:
            if not self.established:
                self._shake_hands()
            while True:
                pieces.append(tls.recv(_RECORD))
                if single:
                    break
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = "clean"
            self.failure = self.failure or CLOSED
        except SSL.Error:
            self._unsent = True
            if self.failure is None:
                if self.alert is not None and self._alert_is_fatal:
                    self.failure = alert_failure(self.alert)
                else:
                    self.failure = TLS_TROUBLE
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _hold(self, flight: bytes) -> bytes:
        """Keep the server's flight back until its list of names is known, then decide; returns what OpenSSL is to read."""
        names = requested_names(flight)
        if names is None:
            self._held = flight
            return b""
        self._held, credential = None, self._presentation.credential
        assert credential is not None
        ours = {certificate.issuer.public_bytes() for certificate in credential.certificates}
        if not names or not ours.isdisjoint(names):
            self._tls.use_certificate(credential.leaf)
            self._tls.use_privatekey(credential.key)
        else:
            self._not_presented = "issuer-not-acceptable"
        return flight

    @property
    def outgoing(self) -> bytes:
        """What the network is to get now, beside what ``encrypt`` returned; mostly nothing."""
        if not self._unsent:
            return b""
        self._unsent = False
        if self.server is not None and self.server.verdict != "ok" and not self.established:
            return _CERTIFICATE_UNKNOWN  # instead of our certificate and Finished
        flight = self._drain(_LONGEST_RECORD)
        if self._requested and not self._answered_request:
            self._answered_request = True
            self._presented = holds_certificate(flight)
        return flight

    def encrypt(self, data: bytes) -> bytes:
        """*data* as TLS records. Raises SSL.Error when TLS has ended."""
        self._tls.sendall(data)
        return self._drain(len(data) + (len(data) >> 8) + 512)

    def end(self) -> bytes:
        """Our close_notify, if it can still be said."""
        if self.failure is not None and self.closed is None:
            return b""
        try:
            self._tls.shutdown()
            return self._drain(_RECORD)
        except SSL.Error:
            return b""

    def _shake_hands(self) -> None:
        """Go on with the handshake, as far as what has come allows; nothing is sent before the server was judged."""
        try:
            self._tls.do_handshake()
            finished = True
        except SSL.WantReadError:
            finished = False
        if self.server is None and (self._certificate_read or finished):
            self._judge_server()
        self._unsent = True
        if not finished or self.failure is not None:
            raise SSL.WantReadError
        self.established = True

    def _judge_server(self) -> None:
        try:
            with warnings.catch_warnings(action="ignore"):  # cryptography's, of certificates that are none of ours
                chain = self._tls.get_peer_cert_chain(as_cryptography=True)
                if not chain:
                    raise ValueError("no certificate")
                self.server = server = self._judge(chain)
        except UNREADABLE:
            self.server = server = ServerCertificate("broken-chain", "(unreadable)", "(unreadable)", self._digest())
        if server.verdict != "ok":
            self.failure = certificate_failure(server.verdict, self._host, server.java_subject)

    def _digest(self) -> str:
        leaf = self._tls.get_peer_certificate()
        return "" if leaf is None else hashlib.sha256(crypto.dump_certificate(crypto.FILETYPE_ASN1, leaf)).hexdigest()

    def _drain(self, expected: int) -> bytes:
        """All that OpenSSL has to say; asking once more than needed costs an exception."""
        pieces = []
        with suppress(SSL.WantReadError):
            while len(piece := self._tls.bio_read(expected)) == expected:
                pieces.append(piece)
            if not pieces:
                return piece
            pieces.append(piece)
        return b"".join(pieces)

    # --- what there is to tell

    @property
    def session(self) -> Session | None:
        """The session, once established."""
        handle = self._tls.get_session() if self.established else None
        return None if handle is None else Session(self._tls.get_context(), handle)

    def record(self, connection: str, reused: bool) -> TlsRecord:
        """All that is known, for a log entry; *connection* is its id."""
        told = self._told
        if told is None:
            told = self._tell(connection)
            if self.established:
                self._told = told
        told = told.copy()
        told["reused"] = reused
        if self.alert is not None:
            told["alert_received"] = {"number": self.alert, "name": alert_name(self.alert)}
        told["closed"] = self.closed
        return told

    def _tell(self, connection: str) -> TlsRecord:
        """What does not change once the handshake is complete."""
        server, presentation = self.server, self._presentation
        cipher = self._tls.get_cipher_name()
        shown = presentation.credential if self._presented else None
        return {
            "connection": connection,
            "reused": False,
            "version": None if cipher is None else self._tls.get_protocol_version_name(),
            "cipher": cipher,
            "server_name": self.server_name,
            "requested": self._requested,
            "acceptable_issuers": self._issuers,
            "presented": None if shown is None else presentation.presented_as,
            "presented_sha256": None if shown is None else shown.fingerprint,
            "not_presented": self._why_not(),
            "alert_received": None,
            "closed": None,
            "server_certificate": None
            if server is None
            else {"verdict": server.verdict, "subject": server.subject, "sha256": server.sha256},
        }

    def _why_not(self) -> NotPresented | None:
        if self._presented or (self._requested and not self._answered_request):
            return None
        if not self._requested:
            return "not-requested" if self.server is not None else None
        # OpenSSL sends an empty Certificate when the server takes no signature that our key can make
        return self._not_presented or ("key-not-acceptable" if self._presentation.credential else "none-configured")


def new_context(credential: Credential | None, *, resumption: bool, choosy: bool = False) -> SSL.Context:
    """The settings of connections that present *credential* with its chain, or nothing. TLS 1.2 only.

    *choosy*: the chain alone; the leaf is added once the server's names are known (to take one away again is beyond
    OpenSSL). The connections made with it must have their ``ClientTls`` as app data.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    # Weak certificates may be presented on purpose; whether they are taken is for the backend to say.
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if not resumption:
        context.set_options(SSL.OP_NO_TICKET)
    context.set_info_callback(ClientTls.note_step)
    if credential is not None:
        for certificate in credential.chain:
            context.add_extra_chain_cert(certificate)
    if credential is not None and not choosy:
        context.use_certificate(credential.leaf)
        context.use_privatekey(credential.key)
    return context


def withheld(credential: Credential | None, moment: datetime, *, present_expired: bool) -> NotPresented | None:
    """Why *credential* does not go out at *moment*, whatever the server asks; None when it does."""
    if credential is None:
        return "none-configured"
    return "expired" if not present_expired and credential.leaf.not_valid_after_utc < moment else None


def _is_one_record(data: bytes) -> bool:
    return len(data) > 5 and data[0] == _APPLICATION_DATA and data[3] << 8 | data[4] == len(data) - 5


def _rfc4514(components: Sequence[tuple[bytes, bytes]]) -> str:
    """A name as text, last attribute first, escaped as RFC 4514 2.4 says."""
    parts = []
    for key, raw in reversed(components):
        value = raw.decode("utf-8", "replace")
        text = "".join(f"\\{sign}" if sign in '\\"+,;<>' else sign for sign in value).replace("\0", "\\00")
        if text.startswith((" ", "#")):
            text = f"\\{text}"
        if text.endswith(" ") and len(value) > 1:
            text = f"{text[:-1]}\\ "
        parts.append(f"{key.decode()}={text}")
    return ",".join(parts)
