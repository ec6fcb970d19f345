"""Scripted TLS peers on loopback: each connection is served by a script, which misbehaves at the moment it chooses.

One thread a peer, which is joined at the end; a script that fails is told to the test.
"""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Callable

from cryptography import x509
from OpenSSL import SSL, crypto

from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.tls.observation import TlsVersion
from pytest_mtls.harness.tls.probe import Endpoint

from .dialogue import SECONDS, Dialogue, Gone, note_secret

__all__ = ["OK", "Peer", "Peers", "Script", "serve", "server_context"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_VERSIONS = {TlsVersion.TLS12: SSL.TLS1_2_VERSION, TlsVersion.TLS13: SSL.TLS1_3_VERSION}

Script = Callable[[Dialogue], object]
"""What a peer does with one connection."""


def serve(dialogue: Dialogue) -> None:
    """What a backend does that lets everybody in: one request, 200, and a close in order."""
    dialogue.shake_hands()
    dialogue.read_request()
    dialogue.say(OK)
    dialogue.close_notify()


class Peer:
    """A TCP server whose connections are served one after the other, each by the next script, or by ``serve``."""

    def __init__(self, host: str, context: SSL.Context) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.host, self.port = host, int(self._listener.getsockname()[1])
        self._context = context
        self._scripts: deque[Script] = deque()
        self._faults: list[Exception] = []
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"peer on port {self.port}")
        self._thread.start()

    def endpoint(self, server_name: str | None = "localhost") -> Endpoint:
        """Where it listens."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return Endpoint(host=self.host, port=self.port, server_name=server_name, authority=f"{shown}:{self.port}")

    def next(self, script: Script) -> None:
        """Serve the next connection that has no script yet by *script*."""
        self._scripts.append(script)

    def end(self) -> None:
        """Stop listening and join the thread; raises what went wrong in a script."""
        self._stop.close()
        self._thread.join(2 * SECONDS)
        self._listener.close()
        self._stopped.close()
        if self._thread.is_alive():
            raise AssertionError(f"{self._thread.name} has not ended")
        if self._faults:
            raise self._faults[0]

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._stopped], [], [])
            if self._stopped in ready:
                return
            raw, _ = self._listener.accept()
            script = self._scripts.popleft() if self._scripts else serve
            with raw:
                try:
                    script(Dialogue(raw, self._context))
                except Gone:
                    pass
                except Exception as error:
                    self._faults.append(error)


class Peers:
    """Starts peers, and ends them with the block."""

    def __init__(self, server: Credential) -> None:
        self._server = server
        self._started: list[Peer] = []

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        for peer in self._started:
            peer.end()

    def start(
        self,
        *scripts: Script,
        host: str = "127.0.0.1",
        versions: tuple[TlsVersion, ...] = tuple(TlsVersion),
        trusted: tuple[x509.Certificate, ...] = (),
        server: Credential | None = None,
    ) -> Peer:
        """A peer whose first connections are served by *scripts*; *trusted* matters to strict handshakes only."""
        return self.listen(Peer(host, server_context(server or self._server, versions, trusted)), *scripts)

    def listen(self, peer: Peer, *scripts: Script) -> Peer:
        """Take care of a peer with a context of its own."""
        self._started.append(peer)
        for script in scripts:
            peer.next(script)
        return peer


def server_context(
    server: Credential,
    versions: tuple[TlsVersion, ...] = tuple(TlsVersion),
    trusted: tuple[x509.Certificate, ...] = (),
) -> SSL.Context:
    """The settings of a peer that presents *server*."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(_VERSIONS[min(versions)])
    context.set_max_proto_version(_VERSIONS[max(versions)])
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.use_certificate(server.leaf)
    for certificate in server.chain:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(server.key)
    context.set_session_id(b"scripted peer")
    context.set_keylog_callback(note_secret)
    store = context.get_cert_store()
    for certificate in trusted:
        if store is not None:
            store.add_cert(crypto.X509.from_cryptography(certificate))
    return context
