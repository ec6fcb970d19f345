"""http.server behind ssl: every certificate of the truststore counts by itself, SIGHUP reads it again."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers everything by 200."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Read the body, if there is one, and say hello."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"hello from Python\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


def new_context() -> ssl.SSLContext:
    """Requires a client certificate of the truststore, any of them; a new one each time, because old ones only add."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=os.environ["MTLS_TRUSTSTORE"])
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.load_cert_chain(os.environ["MTLS_SERVER_CERT"], os.environ["MTLS_SERVER_KEY"])
    return made


class Server(ThreadingHTTPServer):
    """Shakes hands in each connection's own thread, so that nobody waits for a silent peer."""

    context = new_context()

    def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """TLS first, then HTTP."""
        assert isinstance(request, socket.socket)
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """One line instead of a traceback."""
        print(f"{client_address}: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


def reload(*_: object) -> None:
    """A broken truststore leaves the last good one in force."""
    try:
        Server.context = new_context()
    except (OSError, ssl.SSLError) as error:
        print(f"reload: {error}; the last good truststore stays in force", file=sys.stderr, flush=True)


if __name__ == "__main__":
    server = Server((os.environ["MTLS_HOST"], int(os.environ["MTLS_PORT"])), Handler)
    signal.signal(signal.SIGHUP, reload)
    server.serve_forever()
