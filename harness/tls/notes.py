"""The client's TLS settings, and the notes that OpenSSL's callbacks and the probe take while a connection lives.

pyOpenSSL's info callback gives alerts by number and the steps of the handshake; stdlib ssl shows neither.
"""

from __future__ import annotations

import time
from functools import lru_cache

from OpenSSL import SSL

from ..pki.credential import Credential
from .alerts import CLOSE_NOTIFY, USER_CANCELED, Alert
from .observation import Closing, HttpAnswer, Phase, TlsVersion, Trouble

__all__ = ["Notes", "client_context"]

_VERSIONS = {TlsVersion.TLS12: SSL.TLS1_2_VERSION, TlsVersion.TLS13: SSL.TLS1_3_VERSION}
_BEGINNING = 16
_RECORD_TYPES = tuple(bytes((number,)) for number in range(20, 25))


class Notes:
    """What the callbacks and phases note while the connection lives."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.phase = Phase.START
        self.times: dict[str, float] = {}
        self.requested = self.certificate_written = self.server_certificate = self.ticket = False
        self.alert: Alert | None = None
        self.closing: Closing | None = None
        self.first = b""
        self.begin_request()

    def begin_request(self) -> None:
        """Forget what belongs to the request before."""
        self.trouble: Trouble | None = None
        self.detail = ""
        self.received = 0
        self.answer: HttpAnswer | None = None

    def elapsed(self) -> float:
        """Milliseconds since the beginning."""
        return round((time.perf_counter() - self.began) * 1000, 3)

    def reach(self, phase: Phase) -> None:
        """Note that the connection came as far as *phase*."""
        if phase > self.phase:
            self.phase = phase
            self.times[phase.word] = self.elapsed()

    def fail(self, trouble: Trouble, detail: str) -> None:
        """Note why the attempt ended without the peer's word."""
        self.trouble, self.detail = trouble, detail

    def note_octets(self, data: bytes) -> None:
        """Note how the octets begin that TCP brings."""
        self.first += data[: _BEGINNING - len(self.first)]

    @property
    def peer_speaks_tls(self) -> bool:
        """Whether what came, if anything, begins with a record: a content type of TLS, version 3.something (RFC 8446 5.1)."""
        return not self.first or (self.first[:1] in _RECORD_TYPES and self.first[1:2] == b"\3")


@lru_cache(maxsize=64)
def client_context(
    tls: TlsVersion,
    credential: Credential | None,
    ciphers: str | None,
    tickets: bool = True,
    protocols: tuple[bytes, ...] = (),
) -> SSL.Context:
    """The client's settings; kept, because making one takes as long as a third of a handshake.

    Without *tickets*, TLS 1.2 sessions are resumed by session ID alone (RFC 5077). *protocols* are offered by ALPN (RFC 7301);
    without any the extension is not sent.

    The connections made with it must have their ``Notes`` as app data.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(_VERSIONS[tls])
    context.set_max_proto_version(_VERSIONS[tls])
    # Weak credentials are presented on purpose; whether they are taken is for the backend to say, not for our library.
    context.set_cipher_list(f"{ciphers or 'DEFAULT'}:@SECLEVEL=0".encode())
    context.set_info_callback(_note_step)
    if not tickets:
        context.set_options(SSL.OP_NO_TICKET)
    if protocols:
        context.set_alpn_protos(list(protocols))
    if credential is not None:
        context.use_certificate(credential.leaf)
        for certificate in credential.chain:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(credential.key)
    return context


def _note_step(connection: SSL.Connection, where: int, value: int) -> None:
    """OpenSSL calls this for each alert, and for each step of the handshake once the next one begins."""
    notes: Notes = connection.get_app_data()
    if where & SSL.SSL_CB_ALERT and where & SSL.SSL_CB_READ:
        number, fatal = value & 0xFF, value >> 8 == 2
        if number != CLOSE_NOTIFY:
            # RFC 8446 6: but for these two every alert is fatal, whatever its level says; once TLS 1.3 is agreed, that is
            tls13 = notes.phase >= Phase.SERVER_HELLO and connection.get_protocol_version() >= SSL.TLS1_3_VERSION
            notes.alert = Alert(number, fatal or (tls13 and number != USER_CANCELED), notes.phase.word)
    elif where & SSL.SSL_CB_LOOP:
        step = connection.get_state_string()
        if step == b"SSLv3/TLS read server hello":
            notes.reach(Phase.SERVER_HELLO)
        elif step == b"SSLv3/TLS read server certificate":
            notes.server_certificate = True
        elif step == b"SSLv3/TLS read server certificate request":
            notes.requested = True
        elif step == b"SSLv3/TLS read server session ticket":
            notes.ticket = True
        elif step == b"SSLv3/TLS write client certificate":
            notes.certificate_written = True
