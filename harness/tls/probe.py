"""The probe: one TLS connection with one credential, one HTTP request, and a frozen observation of it.

How it works: pyOpenSSL over memory BIOs (``wire`` moves the octets, ``notes`` keeps what OpenSSL tells) and h11. In TLS
1.3 our side of the handshake ends before the server has judged our certificate, so a request is always sent and the
answer read (RFC 8446 4.4.2.4). The whole answer has one deadline and a limit, so that no peer can hold the probe. The
probe never judges: it does not even verify the server's certificate, only records it.
"""

from __future__ import annotations

import errno
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache

import h11
from cryptography import x509
from OpenSSL import SSL, crypto

from ..pki.credential import Credential
from .notes import Notes, client_context
from .observation import Closing, HttpAnswer, Observation, Phase, Presented, TlsVersion, Trouble
from .wire import PeerClosed, TimedOut, Wire, open_tcp

__all__ = ["Conversation", "Endpoint", "Request", "Session", "Timeouts", "converse", "probe"]

_CHUNK = 65_536
_HEAD = 512
_LONGEST_HEADERS = 131_072
_LONGEST_BODY = 16 * 1024 * 1024


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


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """A TLS session to resume; OpenSSL wants it offered on a connection of the same context."""

    context: SSL.Context
    handle: SSL.Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each phase may take as a whole, in seconds."""

    connect: float = 5.0
    handshake: float = 5.0
    answer: float = 5.0


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
    tickets: bool = True,
    resume: Session | None = None,
    protocols: tuple[bytes, ...] = (),
) -> Iterator[Conversation]:
    """A connection that stays open for several requests (``Request(keep=True)``); closed at the end of the block.

    *tickets* False asks for TLS 1.2 sessions by ID; *resume* offers a session of an earlier conversation.
    *protocols* are offered by ALPN: for ``greet`` alone, since what follows would be HTTP/1.1 whatever was agreed.
    """
    context = resume.context if resume is not None else client_context(tls, credential, ciphers, tickets, protocols)
    conversation = Conversation(endpoint, tls, credential, context, timeouts)
    if resume is not None:
        conversation.offer(resume)
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
        context: SSL.Context,
        timeouts: Timeouts,
    ) -> None:
        self._endpoint, self._version, self._credential, self._timeouts = endpoint, tls, credential, timeouts
        self._seen = Notes()
        self._wire: Wire | None = None
        self._tls = SSL.Connection(context, None)
        self._tls.set_app_data(self._seen)
        self._tls.set_connect_state()
        self._http = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_LONGEST_HEADERS)

    def offer(self, session: Session) -> None:
        """Offer *session* in the ClientHello; before the first ``ask``."""
        self._tls.set_session(session.handle)

    @property
    def session(self) -> Session | None:
        """The session that the peer gave by now (in TLS 1.3 it comes with or after the handshake); None without one.

        Whether it can be resumed shows only when it is offered.
        """
        handle = self._tls.get_session() if self._seen.phase >= Phase.SERVER_HELLO else None
        return None if handle is None else Session(self._tls.get_context(), handle)

    def ask(self, request: Request = Request()) -> Observation:
        """Connect if need be, send *request* and read its answer.

        Returns what has been seen of the connection so far, and of the answer to this request. Raises
        h11.LocalProtocolError for a request that cannot be written as HTTP.
        """
        seen = self._seen
        seen.begin_request()
        with self._noting():
            if self._wire is None:
                self._exchange(request, self._open())
            elif self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                seen.fail(Trouble.NOT_KEPT, "the connection was not kept open after the request before")
            elif self._http.trailing_data[0]:
                seen.fail(Trouble.NOT_KEPT, "octets that nobody had asked for came behind the answer before")
            else:
                self._http.start_next_cycle()
                self._exchange(request, self._wire)
        return self._observation()

    def greet(self) -> str | None:
        """Connect and shake hands, and send nothing; returns the protocol that the peer chose by ALPN, None without one."""
        with self._noting():
            self._open()
        return self._tls.get_alpn_proto_negotiated().decode("latin-1") or None

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Within the block whatever the peer and the network do ends up in the notes."""
        seen = self._seen
        try:
            yield
        except PeerClosed:
            pass  # already noted
        except TimedOut:
            partly = f"the answer was not complete in time ({seen.received} octets came)"
            seen.fail(Trouble.TIMEOUT, partly if seen.received else f"nothing came after {_phase_words(seen.phase)}")
        except SSL.ZeroReturnError:
            seen.closing = Closing.CLOSE_NOTIFY
        except SSL.Error as error:
            self._note_tls_error(error)
        except h11.RemoteProtocolError as error:
            if seen.closing is None:  # otherwise the answer was cut short, which is no trouble but incomplete
                seen.fail(Trouble.NOT_HTTP, f"the answer is not HTTP/1.1: {error}")
        except OSError as error:
            seen.fail(*_tcp_trouble(error))

    def close(self) -> None:
        """Send close_notify, if that is still possible, and close TCP."""
        if self._wire is None:
            return
        with suppress(SSL.Error, OSError):
            if self._seen.phase >= Phase.HANDSHAKE and self._seen.closing is None:
                self._tls.shutdown()
            self._wire.flush()
        self._wire.close()

    # --- the phases

    def _open(self) -> Wire:
        self._wire = self._connect()
        self._handshake(self._wire)
        return self._wire

    def _connect(self) -> Wire:
        try:
            if self._endpoint.server_name is not None:
                self._tls.set_tlsext_host_name(self._endpoint.server_name.encode("idna"))
            tcp = open_tcp(self._endpoint.host, self._endpoint.port, self._timeouts.connect)
        except UnicodeError as error:
            raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
        self._seen.reach(Phase.CONNECTED)
        return Wire(tcp, self._tls, self._seen)

    def _handshake(self, wire: Wire) -> None:
        wire.drive(self._tls.do_handshake, time.monotonic() + self._timeouts.handshake)
        if wire.flush():
            self._seen.reach(Phase.HANDSHAKE)

    def _exchange(self, request: Request, wire: Wire) -> None:
        self._tls.sendall(self._serialized(request))
        if wire.flush():
            self._seen.reach(Phase.REQUEST_SENT)
        self._read_answer(wire, time.monotonic() + self._timeouts.answer)

    def _serialized(self, request: Request) -> bytes:
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
        return data + (self._http.send(h11.EndOfMessage()) or b"")

    def _read_answer(self, wire: Wire, deadline: float) -> None:
        draft: _Draft | None = None
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    self._receive(wire, deadline)
                elif isinstance(event, h11.Response):
                    self._seen.reach(Phase.ANSWER)
                    draft = _Draft(event)
                elif isinstance(event, h11.Data) and draft is not None:
                    draft.add(bytes(event.data))
                    if draft.length > _LONGEST_BODY:
                        return
                elif isinstance(event, h11.EndOfMessage) and draft is not None:
                    draft.complete = True
                    return
                elif event is h11.PAUSED:
                    self._seen.fail(Trouble.NOT_HTTP, "the peer switched to another protocol")
                    return
        finally:
            if draft is not None:
                self._seen.answer = draft.answer()

    def _receive(self, wire: Wire, deadline: float) -> None:
        """Feed h11 with what comes next; close_notify too, for bodies that end with it (RFC 9112 9.8: with nothing less)."""
        try:
            data = wire.drive(lambda: self._tls.recv(_CHUNK), deadline)
        except SSL.ZeroReturnError:
            if self._http.their_state is not h11.SEND_BODY:
                raise
            self._seen.closing = Closing.CLOSE_NOTIFY
            self._http.receive_data(b"")
            return
        self._seen.received += len(data)
        self._http.receive_data(data)

    # --- what was seen

    def _note_tls_error(self, error: SSL.Error) -> None:
        if self._seen.alert is not None and self._seen.alert.fatal:
            return  # the peer's alert is the reason
        if not self._seen.peer_speaks_tls:
            self._seen.fail(Trouble.NOT_TLS, f"the peer's first octets are no TLS record: {self._seen.first!r}")
            return
        queue = error.args[0] if error.args and isinstance(error.args[0], list) else [(repr(error),)]
        self._seen.fail(Trouble.LOCAL_TLS, "; ".join(str(entry[-1]) for entry in queue))

    def _observation(self) -> Observation:
        seen, connection = self._seen, self._tls
        agreed = seen.phase >= Phase.SERVER_HELLO
        cipher = connection.get_cipher_name() if agreed else None
        names = connection.get_client_ca_list() if seen.requested else []
        return Observation(
            url=self._endpoint.url,
            tls=self._version,
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
            session_ticket=seen.ticket,
            resumed=seen.phase >= Phase.HANDSHAKE and not seen.server_certificate,
            server_chain=_readable(connection.get_peer_cert_chain() or []) if agreed else (),
        )


class _Draft:
    """An HTTP answer while its body comes in; only the beginning of the body is kept."""

    def __init__(self, response: h11.Response) -> None:
        self._response = response
        self._head = b""
        self.length = 0
        self.complete = False

    def add(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.length += len(data)
        self._head += data[: _HEAD - len(self._head)]

    def answer(self) -> HttpAnswer:
        """The answer as far as it came."""
        return HttpAnswer(
            status=self._response.status_code,
            version=self._response.http_version.decode(),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self._response.headers),
            head=self._head.decode("utf-8", "replace"),
            length=self.length,
            complete=self.complete,
        )


def _tcp_trouble(error: OSError) -> tuple[Trouble, str]:
    if isinstance(error, socket.gaierror):
        return Trouble.NAME, f"the host name cannot be resolved: {error.strerror}"
    if isinstance(error, TimeoutError):
        return Trouble.TIMEOUT, "TCP did not open in time"
    if error.errno == errno.ECONNREFUSED:
        return Trouble.REFUSED, "the connection was refused: nobody listens there"
    return Trouble.UNREACHABLE, f"TCP failed: {error.strerror or error}"


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


def _readable(chain: list[crypto.X509]) -> tuple[x509.Certificate, ...]:
    """The certificates that cryptography can read: it is stricter than OpenSSL."""
    found = (_parsed(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)) for certificate in chain)
    return tuple(certificate for certificate in found if certificate is not None)


@lru_cache(maxsize=64)  # a server shows the same ones on every connection
def _parsed(der: bytes) -> x509.Certificate | None:
    with suppress(ValueError, x509.InvalidVersion), warnings.catch_warnings(action="ignore"):
        return x509.load_der_x509_certificate(der)
    return None
