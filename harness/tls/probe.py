"""The probe: one TLS connection with one credential, one HTTP request, and a frozen observation of it.

How it works: pyOpenSSL over memory BIOs, a non-blocking socket, and a loop that goes on reading whatever happens to our
writing. In TLS 1.3 our side of the handshake ends before the server has judged our certificate, so a request is always
sent and the answer read (RFC 8446 4.4.2.4); a server that refuses may close while we still write, and its alert is only
seen by who goes on reading. pyOpenSSL's info callback gives alerts by number and the steps of the handshake; stdlib ssl
shows neither. The probe never judges: it does not even verify the server's certificate, only records it.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import h11
from OpenSSL import SSL

from ..pki.credential import Credential
from .alerts import CLOSE_NOTIFY, USER_CANCELED, Alert
from .observation import Closing, HttpAnswer, Observation, Phase, Presented, TlsVersion, Trouble

__all__ = ["Conversation", "Endpoint", "Request", "Timeouts", "converse", "probe"]

_T = TypeVar("_T")
_CHUNK = 65_536
_HEAD = 512
_VERSIONS = {TlsVersion.TLS12: SSL.TLS1_2_VERSION, TlsVersion.TLS13: SSL.TLS1_3_VERSION}
_STEPS = {
    b"SSLv3/TLS read server hello": Phase.SERVER_HELLO,
    b"SSLv3/TLS write client certificate": Phase.CERTIFICATE_SENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to connect and what to call it. ``server_name`` goes into SNI; IP addresses never do (RFC 6066 3)."""

    host: str
    port: int
    server_name: str | None
    authority: str
    """The value of the Host header."""
    path: str = "/"

    @property
    def url(self) -> str:
        """The URL of the endpoint, for people."""
        return f"https://{self.authority}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP/1.1 request; ``path`` None means the endpoint's. The connection is closed after it unless ``keep``."""

    method: str = "GET"
    path: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each phase may take, in seconds."""

    connect: float = 5.0
    handshake: float = 5.0
    answer: float = 5.0


class _PeerClosed(Exception):
    """The peer ended TCP."""


class _TimedOut(Exception):
    """The deadline of a phase passed."""


def probe(
    endpoint: Endpoint,
    *,
    tls: TlsVersion,
    credential: Credential | None = None,
    request: Request = Request(),
    ciphers: str | None = None,
    timeouts: Timeouts = Timeouts(),
) -> Observation:
    """Open one connection under exactly this TLS version, present *credential* if asked, send *request*, read the answer.

    Never raises for anything that the peer or the network does; that is in the observation. *ciphers* restricts the
    TLS 1.2 suites, in OpenSSL's notation.
    """
    with converse(endpoint, tls=tls, credential=credential, ciphers=ciphers, timeouts=timeouts) as conversation:
        return conversation.ask(request)


@contextmanager
def converse(
    endpoint: Endpoint,
    *,
    tls: TlsVersion,
    credential: Credential | None = None,
    ciphers: str | None = None,
    timeouts: Timeouts = Timeouts(),
) -> Iterator[Conversation]:
    """A connection that stays open for several requests (``Request(keep=True)``); closed at the end of the block."""
    conversation = Conversation(endpoint, tls, credential, ciphers, timeouts)
    try:
        yield conversation
    finally:
        conversation.close()


class Conversation:
    """One connection. This type has no public constructor; ``converse`` gives one."""

    def __init__(
        self,
        endpoint: Endpoint,
        tls: TlsVersion,
        credential: Credential | None,
        ciphers: str | None,
        timeouts: Timeouts,
    ) -> None:
        self._endpoint, self._tls, self._credential, self._timeouts = endpoint, tls, credential, timeouts
        self._seen = _Seen()
        self._socket: socket.socket | None = None
        self._tls_connection = SSL.Connection(_context(tls, credential, ciphers), None)
        self._tls_connection.set_app_data(self._seen)
        self._tls_connection.set_connect_state()
        if endpoint.server_name is not None:
            self._tls_connection.set_tlsext_host_name(endpoint.server_name.encode("idna"))
        self._outgoing = bytearray()
        self._http = h11.Connection(our_role=h11.CLIENT)

    def ask(self, request: Request = Request()) -> Observation:
        """Connect if need be, send *request* and read its answer; returns what has been seen so far."""
        seen = self._seen
        seen.answer = None
        try:
            if self._socket is None:
                self._connect()
                self._handshake()
            self._send(request)
            self._read_answer()
        except _PeerClosed:
            pass  # already noted
        except _TimedOut:
            seen.fail(Trouble.TIMEOUT, f"nothing came after {_phase_words(seen.phase)}")
        except SSL.ZeroReturnError:
            seen.closing = Closing.CLOSE_NOTIFY
        except SSL.Error as error:
            self._note_tls_error(error)
        except h11.ProtocolError as error:
            seen.fail(Trouble.NOT_HTTP, f"the answer is not HTTP/1.1: {error}")
        except OSError as error:
            seen.fail(*_connect_trouble(error))
        return self._observation()

    def close(self) -> None:
        """Send close_notify, if that is still possible, and close TCP."""
        if self._socket is None:
            return
        try:
            if self._seen.phase >= Phase.HANDSHAKE and self._seen.closing is None:
                self._tls_connection.shutdown()
            self._collect()
            self._write_some()
        except (SSL.Error, _PeerClosed):
            pass
        self._socket.close()

    # --- the phases

    def _connect(self) -> None:
        address = (self._endpoint.host, self._endpoint.port)
        self._socket = socket.create_connection(address, timeout=self._timeouts.connect)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seen.reach(Phase.CONNECTED)

    def _handshake(self) -> None:
        self._drive(self._tls_connection.do_handshake, self._timeouts.handshake)
        self._seen.reach(Phase.HANDSHAKE)

    def _send(self, request: Request) -> None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        headers = [
            ("Host", self._endpoint.authority),
            ("User-Agent", "pytest-mtls"),
            ("Accept", "*/*"),
            *request.headers,
            *((("Content-Length", str(len(request.body))),) if request.body else ()),
            *((("Connection", "close"),) if not request.keep else ()),
        ]
        target = request.path or self._endpoint.path
        data = self._http.send(h11.Request(method=request.method, target=target, headers=headers)) or b""
        if request.body:
            data += self._http.send(h11.Data(data=request.body)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        self._tls_connection.sendall(data)
        self._collect()
        self._write_some()
        self._seen.reach(Phase.REQUEST_SENT)

    def _read_answer(self) -> None:
        deadline = time.monotonic() + self._timeouts.answer
        draft: _Draft | None = None
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    self._receive(deadline)
                elif isinstance(event, h11.Response):
                    self._seen.reach(Phase.ANSWER)
                    draft = _Draft(event)
                elif isinstance(event, h11.Data) and draft is not None:
                    draft.add(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage) and draft is not None:
                    draft.complete = True
                    return
                elif isinstance(event, h11.ConnectionClosed):
                    return
        finally:
            if draft is not None:
                self._seen.answer = draft.answer()

    def _receive(self, deadline: float) -> None:
        """Feed h11 with what comes next; the end of the stream is fed too, for bodies that end with it."""
        try:
            data = self._drive(lambda: self._tls_connection.recv(_CHUNK), deadline - time.monotonic())
        except (SSL.ZeroReturnError, _PeerClosed) as error:
            if isinstance(error, SSL.ZeroReturnError):
                self._seen.closing = Closing.CLOSE_NOTIFY
            if self._http.their_state is h11.SEND_BODY:
                self._http.receive_data(b"")
                return
            raise
        self._seen.received += len(data)
        self._http.receive_data(data)

    # --- octets

    def _drive(self, step: Callable[[], _T], seconds: float) -> _T:
        """Repeat *step* until it has what it needs, moving octets both ways meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                result = step()
            except SSL.WantReadError:
                self._collect()
                self._move(deadline)
                continue
            self._collect()
            self._write_some()
            return result

    def _collect(self) -> None:
        """Take what TLS wants to send."""
        try:
            while True:
                self._outgoing += self._tls_connection.bio_read(_CHUNK)
        except SSL.WantReadError:
            pass

    def _move(self, deadline: float) -> None:
        """Write what can be written, wait until something can be read, and read it."""
        assert self._socket is not None
        poll = select.poll()
        while True:
            self._write_some()
            if self._read_some():
                return
            poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not poll.poll(remaining * 1000):
                raise _TimedOut

    def _write_some(self) -> None:
        assert self._socket is not None
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            # The peer has closed. What it said before is still to be read, so this is not the end.
            self._outgoing.clear()
            self._seen.write_failed = True

    def _read_some(self) -> bool:
        assert self._socket is not None
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
            self._seen.write_failed = True
        if not data:
            self._seen.closing = Closing.RESET if self._seen.write_failed else Closing.FIN
            raise _PeerClosed
        self._tls_connection.bio_write(data)
        return True

    # --- what was seen

    def _note_tls_error(self, error: SSL.Error) -> None:
        if self._seen.alert is not None:
            return  # the peer's alert is the reason
        reasons = "; ".join(str(entry[-1]) for entry in error.args[0]) if error.args and error.args[0] else repr(error)
        not_tls = self._seen.phase < Phase.SERVER_HELLO
        self._seen.fail(Trouble.NOT_TLS if not_tls else Trouble.LOCAL_TLS, reasons)

    def _observation(self) -> Observation:
        seen, connection = self._seen, self._tls_connection
        agreed = seen.phase >= Phase.SERVER_HELLO
        cipher = connection.get_cipher_name() if agreed else None
        names = connection.get_client_ca_list() if seen.requested else []
        return Observation(
            url=self._endpoint.url,
            tls=self._tls,
            server_name=self._endpoint.server_name,
            presented=None if self._credential is None else Presented.of(self._credential),
            phase=seen.phase,
            times=(*seen.times.items(), ("end", seen.elapsed())),
            negotiated=f"{connection.get_protocol_version_name()} {cipher}" if cipher else None,
            certificate_requested=seen.requested,
            acceptable_issuers=tuple(_rfc4514(name.get_components()) for name in names),
            alert=seen.alert,
            closing=seen.closing,
            trouble=seen.trouble,
            detail=seen.detail,
            received=seen.received,
            answer=seen.answer,
            resumed=seen.phase >= Phase.HANDSHAKE and not seen.server_certificate,
            server_chain=tuple(connection.get_peer_cert_chain(as_cryptography=True) or ()) if agreed else (),
        )


class _Seen:
    """What the callbacks and phases note while the connection lives."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.phase = Phase.START
        self.times: dict[str, float] = {}
        self.requested = self.server_certificate = self.write_failed = False
        self.alert: Alert | None = None
        self.closing: Closing | None = None
        self.trouble: Trouble | None = None
        self.detail = ""
        self.received = 0
        self.answer: HttpAnswer | None = None

    def elapsed(self) -> float:
        return round((time.perf_counter() - self.began) * 1000, 3)

    def reach(self, phase: Phase) -> None:
        if phase > self.phase:
            self.phase = phase
            self.times[phase.name.lower().replace("_", "-")] = self.elapsed()

    def fail(self, trouble: Trouble, detail: str) -> None:
        self.trouble, self.detail = trouble, detail


class _Draft:
    """An HTTP answer while its body comes in; only the beginning of the body is kept."""

    def __init__(self, response: h11.Response) -> None:
        self._response = response
        self._head = b""
        self._length = 0
        self.complete = False

    def add(self, data: bytes) -> None:
        self._length += len(data)
        self._head += data[: _HEAD - len(self._head)]

    def answer(self) -> HttpAnswer:
        return HttpAnswer(
            status=self._response.status_code,
            version=self._response.http_version.decode(),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._response.headers),
            head=self._head.decode("utf-8", "replace"),
            length=self._length,
            complete=self.complete,
        )


@lru_cache(maxsize=64)
def _context(tls: TlsVersion, credential: Credential | None, ciphers: str | None) -> SSL.Context:
    """The client's settings; kept, because making one takes as long as a third of a handshake."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(_VERSIONS[tls])
    context.set_max_proto_version(_VERSIONS[tls])
    # Weak credentials are presented on purpose; whether they are taken is for the backend to say, not for our library.
    context.set_cipher_list(f"{ciphers or 'DEFAULT'}:@SECLEVEL=0".encode())
    context.set_info_callback(_note_step)
    if credential is not None:
        context.use_certificate(credential.leaf)
        for certificate in credential.chain:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(credential.key)
    return context


def _note_step(connection: SSL.Connection, where: int, value: int) -> None:
    """OpenSSL calls this for each step of the handshake and each alert."""
    seen: _Seen = connection.get_app_data()
    if where & SSL.SSL_CB_ALERT and where & SSL.SSL_CB_READ:
        number, fatal = value & 0xFF, value >> 8 == 2
        if number != CLOSE_NOTIFY:
            tls13 = connection.get_protocol_version() >= SSL.TLS1_3_VERSION
            # RFC 8446 6: but for these two every alert is fatal, whatever its level says
            seen.alert = Alert(number, fatal or (tls13 and number != USER_CANCELED), seen.phase.name.lower())
    elif where & SSL.SSL_CB_LOOP:
        step = connection.get_state_string()
        if step in _STEPS:
            seen.reach(_STEPS[step])
        elif step == b"SSLv3/TLS read server certificate request":
            seen.requested = True
        elif step == b"SSLv3/TLS read server certificate":
            seen.server_certificate = True


def _connect_trouble(error: OSError) -> tuple[Trouble, str]:
    if isinstance(error, socket.gaierror):
        return Trouble.NAME, f"the host name cannot be resolved: {error.strerror}"
    if isinstance(error, TimeoutError):
        return Trouble.TIMEOUT, "TCP did not open in time"
    if error.errno == errno.ECONNREFUSED:
        return Trouble.REFUSED, "the connection was refused: nobody listens there"
    return Trouble.UNREACHABLE, f"TCP could not be opened: {error.strerror or error}"


def _phase_words(phase: Phase) -> str:
    words = {
        Phase.CONNECTED: "our ClientHello",
        Phase.SERVER_HELLO: "the ServerHello",
        Phase.CERTIFICATE_SENT: "our certificate",
        Phase.HANDSHAKE: "the handshake",
        Phase.REQUEST_SENT: "our request",
        Phase.ANSWER: "the answer's headers",
    }
    return words.get(phase, "the start")


def _rfc4514(components: list[tuple[bytes, bytes]]) -> str:
    parts = [f"{key.decode()}={value.decode('utf-8', 'replace')}" for key, value in reversed(components)]
    return ",".join(parts)
