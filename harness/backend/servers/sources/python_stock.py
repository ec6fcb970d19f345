"""http.server behind ssl, as the documentation of both shows it."""

from __future__ import annotations

import os
import ssl
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


def context() -> ssl.SSLContext:
    """Requires a client certificate of the truststore."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=os.environ["MTLS_TRUSTSTORE"])
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(os.environ["MTLS_SERVER_CERT"], os.environ["MTLS_SERVER_KEY"])
    return made


if __name__ == "__main__":
    server = ThreadingHTTPServer((os.environ["MTLS_HOST"], int(os.environ["MTLS_PORT"])), Handler)
    server.socket = context().wrap_socket(server.socket, server_side=True)
    server.serve_forever()
