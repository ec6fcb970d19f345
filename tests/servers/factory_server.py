"""A repository's own server, as a factory for ``mtls_backend_factory``: http.server behind stdlib ssl, in a thread."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any


class Handler(http.server.BaseHTTPRequestHandler):
    """Says hello."""

    def setup(self) -> None:
        """Shake hands in the connection's own thread, so that a silent peer keeps nobody waiting."""
        self.request.settimeout(5)
        self.request.do_handshake()
        super().setup()

    def do_GET(self) -> None:
        """Say hello."""
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"hello\n")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Silent about peers that it refuses."""

    def handle_error(self, *_: Any) -> None:
        """Refused handshakes are no news."""


@contextlib.contextmanager
def serve(material: Any) -> Iterator[SimpleNamespace]:
    """Start the server on *material*; it ends with the block."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(material.server_cert, material.server_key)
    context.load_verify_locations(material.truststore)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= (
        0x80000  # VERIFY_X509_PARTIAL_CHAIN: know every certificate of one name, not the first alone
    )
    server = Server((material.host, material.port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield SimpleNamespace(url=f"https://localhost:{material.port}/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
