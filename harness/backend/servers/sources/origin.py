"""A plain HTTP server at 127.0.0.1:PORT, then the command: ``origin.py PORT COMMAND…``. Both end with their process group."""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers everything by 200."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Read the body, if there is one, and say hello."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"hello from the origin\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    if os.fork() == 0:
        server.serve_forever()
    server.server_close()
    os.execvp(sys.argv[2], sys.argv[2:])
