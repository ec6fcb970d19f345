"""A backend that limits requests, and answers some of them by 429, 503 or a reset, whoever asks: a ``--command``.

It authenticates its clients properly, or with ``--open`` lets in everybody. It reads the ``MTLS_…`` variables and needs
nothing but the standard library.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import socketserver
import ssl
import struct
import threading
import time
from contextlib import suppress
from typing import cast

_RESET = struct.pack("ii", 1, 0)


class _Limit:
    """Says which connections are over the limit: every so many-th, or those beyond so many in a second."""

    def __init__(self, every: int, a_second: int) -> None:
        self._every, self._a_second = every, a_second
        self._number = self._in_window = 0
        self._window = 0
        self._lock = threading.Lock()

    def is_reached(self) -> bool:
        """Whether the connection that comes now is one too many."""
        with self._lock:
            self._number += 1
            now = int(time.monotonic())
            self._in_window = self._in_window + 1 if now == self._window else 1
            self._window = now
            if self._every:
                return self._number % self._every == 0
            return bool(self._a_second) and self._in_window > self._a_second


class _Server(socketserver.ThreadingTCPServer):
    """Serves each connection in a thread of its own, the handshake too."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.limit = options, _Limit(options.every, options.a_second)
        self.context = _context(options.open)
        super().__init__((os.environ["MTLS_HOST"], int(os.environ["MTLS_PORT"])), _Connection)

    def reload(self) -> None:
        """Read the truststore anew."""
        self.context = _context(self.options.open)


class _Connection(socketserver.BaseRequestHandler):
    """One connection: one request, and an answer or the limit."""

    def handle(self) -> None:
        server = cast("_Server", self.server)
        means = server.options.by if server.limit.is_reached() else "200"
        with suppress(OSError):
            if means == "reset-at-once":
                _reset(self.request)
                return
            connection = server.context.wrap_socket(self.request, server_side=True)
            received = b""
            while b"\r\n\r\n" not in received:
                data = connection.recv(65_536)
                if not data:
                    return
                received += data
            if means == "reset":
                _reset(connection)
                return
            answer = f"HTTP/1.1 {means} Whatever\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
            connection.sendall(answer.encode())
            connection.unwrap()


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


def _context(is_open: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["MTLS_SERVER_CERT"], os.environ["MTLS_SERVER_KEY"])
    context.num_tickets = 0
    if not is_open:
        context.load_verify_locations(os.environ["MTLS_TRUSTSTORE"])
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def main() -> None:
    """Serve until a signal ends us."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=0, metavar="N", help="every N-th connection is one too many")
    parser.add_argument("--a-second", type=int, default=0, metavar="N", help="so is what exceeds N in one second")
    parser.add_argument("--by", choices=["429", "503", "reset", "reset-at-once"], default="429", help="what comes then")
    parser.add_argument("--open", action="store_true", help="ask no client for a certificate")
    options = parser.parse_args()
    with _Server(options) as server:
        signal.signal(signal.SIGHUP, lambda *_: server.reload())
        server.serve_forever()


if __name__ == "__main__":
    main()
