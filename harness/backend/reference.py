"""The reference backend: aiohttp behind our own TLS transport, correct in everything, with faults as switches.

It judges by OpenSSL's recorded verify errors with X509_V_FLAG_PARTIAL_CHAIN set (without it OpenSSL knows only the
first of several self-signed certificates of one name), refuses during the handshake by alert where it can, and judges
again before every request, by the truststore of that moment, so that a certificate that ended or was removed ends on open
connections and in resumed sessions too. What a fault changes is one field of ``Behaviour``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL, crypto

from ..clock import Clock, system_clock
from ..errors import BackendError, MtlsError, StartError
from ..pki.authority import Hierarchy
from ..pki.credential import Credential
from ..pki.truststore import Truststore
from ..tls.observation import TlsVersion
from ..tls.policy import CORRECT_POLICY, Check, Peer, Policy, VerifyError, refusal_of_request
from ..tls.transport import ServedPeer, TlsServerProtocol
from .contract import Material

__all__ = ["Behaviour", "ReferenceBackend", "embedded", "listen", "serve_until"]

_VERSIONS = {TlsVersion.TLS12: SSL.TLS1_2_VERSION, TlsVersion.TLS13: SSL.TLS1_3_VERSION}
_GREETING = "hello from the pytest-mtls reference backend\n"


_T = TypeVar("_T")
_REMEMBERED_CHAINS = 1_000


def _always(_: str | None) -> bool:
    return True


def _as_it_is(value: _T) -> _T:
    return value


def _replace(old: Truststore, new: Truststore) -> Truststore:
    return new


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the reference backend behaves; the defaults are correct, a fault replaces a field."""

    policy: Policy = CORRECT_POLICY
    ask: Callable[[str | None], bool] = _always
    """Whether to ask for a certificate, by server name."""
    alerts: bool = True
    """Refuse by alert where possible; otherwise by HTTP 403 alone."""
    partial_chain: bool = True
    """Every certificate in the truststore ends a path (X509_V_FLAG_PARTIAL_CHAIN)."""
    tls: tuple[TlsVersion, ...] = (TlsVersion.TLS12, TlsVersion.TLS13)
    open_when: frozenset[str] = frozenset()
    """The states of the truststore, ``missing`` or ``empty``, that switch verification off."""
    reload: Callable[[Truststore, Truststore], Truststore] = _replace
    """From the old and the new truststore, the one that counts after a reload."""
    alter_server: Callable[[Credential, Hierarchy], Credential] | None = None
    """Material: from the server certificate that is due, and the hierarchy above it, the one that is served."""
    verify_depth: int | None = None
    """The most intermediates in a path; None: OpenSSL's default, 100."""
    read: Callable[[Truststore], Truststore] = _as_it_is
    """What is taken of the truststore file."""
    verifies_after_reload: bool = True
    broken_reload_opens: bool = False
    """A reload that cannot read the truststore switches verification off."""
    watches: bool = False
    """Takes a changed truststore over by itself."""
    session_context: bool = True
    """Sets OpenSSL's session ID context, without which no session with a client certificate can be resumed."""
    resumed: Callable[[Peer], Peer | None] = _as_it_is
    """How a peer with a resumed session is looked at; None: as authenticated."""
    good_days: int | None = None
    """Material: how long the good credential is to be valid; None: as API Gateway makes it."""
    clock: Clock = system_clock


@dataclass(frozen=True, slots=True)
class _State:
    """What one reading of the material gave: replaced as a whole by a reload."""

    truststore: Truststore
    verifies: bool
    context: SSL.Context
    store: crypto.X509Store
    inode: int


class ReferenceBackend:
    """The server itself, for an asyncio event loop; ``embedded`` runs it in a thread, the command line in front."""

    def __init__(self, material: Material, behaviour: Behaviour = Behaviour()) -> None:
        self._material, self._behaviour = material, behaviour
        self._front = self._new_context(Truststore())
        self._chains: dict[bytes, tuple[x509.Certificate, ...]] = {}
        self._memory: dict[str, object] = {}
        self._state = self._read(None)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://localhost:{self._material.port}/"

    async def start(self, listener: socket.socket) -> None:
        """Serve on *listener*."""
        http = web.Server(self._answer, access_log=None)
        loop = asyncio.get_running_loop()

        def accept() -> TlsServerProtocol:
            if self._behaviour.watches:
                self._watch()
            state, behaviour = self._state, self._behaviour
            return TlsServerProtocol(
                self._front,
                state.context,
                http,
                policy=behaviour.policy,
                ask=lambda name: state.verifies and behaviour.ask(name),
                alerts=behaviour.alerts,
                judged_by=state,
            )

        self._http = http
        self._server = await loop.create_server(accept, sock=listener)

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
            self._http.pre_shutdown()  # who is idle ends at once, or shutdown waits for another request
            await self._http.shutdown(timeout=0.5)

    def reload(self) -> None:
        """Read the truststore again; new connections and the next request of open ones are judged by it.

        Raises BackendError when it cannot be read; the last good one then stays in force.
        """
        try:
            self._state = self._read(self._state)
        except BackendError:
            if not self._behaviour.broken_reload_opens:
                raise
            self._state = replace(self._state, verifies=False)

    def _watch(self) -> None:
        """Reload when the file is another one (a rename gives another inode)."""
        with contextlib.suppress(OSError, BackendError):
            if self._material.truststore.stat().st_ino != self._state.inode:
                self.reload()

    def _read(self, before: _State | None) -> _State:
        truststore = self._read_truststore()
        verifies = truststore is not None
        anchors = self._behaviour.read(truststore or Truststore())
        if before is not None:
            anchors = self._behaviour.reload(before.truststore, anchors)
            verifies = verifies and self._behaviour.verifies_after_reload
        store = self._new_store(anchors)
        inode = self._material.truststore.stat().st_ino if truststore is not None else 0
        return _State(anchors, verifies, self._new_context(anchors), store, inode)

    def _read_truststore(self) -> Truststore | None:
        """The truststore; None when a fault says to go without."""
        path = self._material.truststore
        try:
            content = path.read_bytes()
        except OSError as error:
            if "missing" in self._behaviour.open_when:
                return None
            raise BackendError(
                f"truststore ({path}): expected a readable file, saw: {error.strerror}. Check the path."
            ) from error
        try:
            truststore = Truststore.parse(content, f"truststore ({path})")
        except MtlsError as error:
            raise BackendError(str(error)) from error
        if truststore:
            return truststore
        if "empty" in self._behaviour.open_when:
            return None
        raise BackendError(f"truststore ({path}): expected PEM certificates, saw none. Put in whom to let in.")

    def _new_store(self, anchors: Truststore) -> crypto.X509Store:
        store = crypto.X509Store()
        self._fill(store, anchors)
        return store

    def _fill(self, store: crypto.X509Store, anchors: Truststore) -> None:
        for certificate in anchors:
            store.add_cert(crypto.X509.from_cryptography(certificate))
        if self._behaviour.partial_chain:
            store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)

    def _new_context(self, anchors: Truststore) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(_VERSIONS[min(self._behaviour.tls)])
        context.set_max_proto_version(_VERSIONS[max(self._behaviour.tls)])
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        if self._behaviour.session_context:
            context.set_session_id(b"pytest-mtls")
        else:  # OpenSSL asks for it where client certificates are wanted from the first
            context.set_verify(SSL.VERIFY_PEER, TlsServerProtocol.record)
        if self._behaviour.verify_depth is not None:
            context.set_verify_depth(self._behaviour.verify_depth)
        context.use_certificate_chain_file(str(self._material.server_cert))
        context.use_privatekey_file(str(self._material.server_key))
        store = context.get_cert_store()
        assert store is not None
        self._fill(store, anchors)
        for certificate in anchors:
            context.add_client_ca(certificate)
        context.set_tlsext_servername_callback(TlsServerProtocol.choose_by_name)
        context.set_info_callback(TlsServerProtocol.note_step)
        return context

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        served: ServedPeer = request.get_extra_info("mtls")
        state = self._state
        if state.verifies and self._behaviour.ask(served.server_name):
            refused = self._refusal(served, request, state)
            if refused is not None:
                answer = web.Response(status=HTTPStatus.FORBIDDEN, text=f"{refused.reason}\n")
                answer.force_close()
                return answer
        return web.Response(text=_GREETING)

    def _refusal(self, served: ServedPeer, request: web.BaseRequest, state: _State) -> Check | None:
        peer = self._peer(served, request, state)
        looked_at = self._behaviour.resumed(peer) if served.resumed else peer
        return None if looked_at is None else refusal_of_request(self._behaviour.policy, looked_at)

    def _peer(self, served: ServedPeer, request: web.BaseRequest, state: _State) -> Peer:
        errors, chain = tuple(served.errors), self._chain(served)
        if served.certificate is not None and (served.resumed or served.judged_by is not state):
            errors = _verify_again(state.store, served.certificate, chain)
        return Peer(
            certificate=served.certificate,
            chain=chain,
            errors=errors,
            trusted=state.truststore.certificates,
            now=self._behaviour.clock(),
            server_name=served.server_name,
            headers=request.headers,
            memory=self._memory,
        )

    def _chain(self, served: ServedPeer) -> tuple[x509.Certificate, ...]:
        """What the client sent; a resumed session has its leaf only, so the rest is remembered."""
        if served.certificate is None:
            return ()
        key = served.certificate.fingerprint(hashes.SHA256())
        if served.resumed:
            return self._chains.get(key, (served.certificate,))
        if len(self._chains) >= _REMEMBERED_CHAINS:
            self._chains.clear()
        self._chains[key] = served.chain
        return served.chain


def _verify_again(
    store: crypto.X509Store, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
) -> tuple[VerifyError, ...]:
    """What OpenSSL says of *certificate* by the truststore of this moment: nothing, or its first error."""
    context = crypto.X509StoreContext(
        store,
        crypto.X509.from_cryptography(certificate),
        [crypto.X509.from_cryptography(one) for one in chain],
    )
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        code, depth, _ = error.errors
        return (VerifyError(depth, code),)
    return ()


def serve_until(backend: ReferenceBackend, listener: socket.socket, stop: Callable[[asyncio.Event], None]) -> None:
    """Serve on *listener* in a new event loop of this thread until the event is set that *stop* was given."""

    async def main() -> None:
        done = asyncio.Event()
        await backend.start(listener)
        try:
            stop(done)
            await done.wait()
        finally:
            await backend.stop()

    asyncio.run(main())


@contextmanager
def embedded(material: Material, behaviour: Behaviour = Behaviour()) -> Iterator[ReferenceBackend]:
    """The reference backend in a thread of this process; ready when the block begins, gone when it ends."""
    backend = ReferenceBackend(material, behaviour)
    listener = listen(material)
    ready = threading.Event()
    ending: list[Callable[[], object]] = []

    def note(done: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        ending.append(lambda: loop.call_soon_threadsafe(done.set))
        ready.set()

    thread = threading.Thread(target=serve_until, args=(backend, listener, note), name="mtls-reference", daemon=True)
    thread.start()
    ready.wait(timeout=10)
    try:
        yield backend
    finally:
        for end in ending:
            end()
        thread.join(timeout=10)


def listen(material: Material) -> socket.socket:
    """A listening socket at the material's address; raises StartError when the port is taken."""
    try:
        return socket.create_server((material.host, material.port))
    except OSError as error:
        raise StartError(
            f"port ({material.host}:{material.port}): expected one to listen on, "
            f"saw: {str(error.strerror).partition(' (while')[0]}. Choose another one."
        ) from error
