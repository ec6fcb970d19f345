"""A backend whose reload (SIGHUP) is accepted at once and in effect later, in all of its workers or in one: a ``--command``.

A worker is a TLS context of its own; new connections go to one after the other. It reads the ``MTLS_…`` variables and
needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import socketserver
import ssl
import sys
import threading
from itertools import count
from typing import cast


class _Server(socketserver.ThreadingTCPServer):
    """Its workers, and when which of them read the truststore again."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.gives_up = False
        self.numbers, self.signals = count(), count(1)
        self.relapse: tuple[int, ssl.SSLContext] | None = None
        self.workers, self.waiting = [_context() for _ in range(options.workers)], _context()
        super().__init__((os.environ["MTLS_HOST"], int(os.environ["MTLS_PORT"])), _Connection)

    def reload(self) -> None:
        """The first worker reads the truststore after the lag; the others too, or at once."""
        if next(self.signals) in self.options.deaf_to:
            return
        if self.options.one_behind:
            self.workers, self.waiting = [self.waiting], _context()
            return
        if self.options.relapse is not None:
            self.relapse = next(self.numbers) + self.options.relapse, self.workers[0]
        late = threading.Timer(self.options.lag, self._read, [slice(None if self.options.all else 1)])
        late.daemon = True
        late.start()
        if not self.options.all:
            self._read(slice(1, None))

    def _read(self, which: slice) -> None:
        try:
            self.workers[which] = [_context() for _ in self.workers[which]]
        except OSError as error:
            print(f"reload: {os.environ['MTLS_TRUSTSTORE']}: {error}", file=sys.stderr, flush=True)
            if self.options.give_up is not None:
                self.gives_up = True
                threading.Timer(self.options.give_up, self.shutdown).start()


class _Connection(socketserver.BaseRequestHandler):
    """One connection: one request, one answer."""

    def handle(self) -> None:
        server = cast("_Server", self.server)
        if server.gives_up:
            return
        number = next(server.numbers)
        worker = server.workers[number % len(server.workers)]
        if server.relapse is not None and server.relapse[0] == number:
            worker = server.relapse[1]
        try:
            with worker.wrap_socket(self.request, server_side=True) as connection:
                _answer(connection)
        except OSError:
            pass


class _Plain(socketserver.BaseRequestHandler):
    """One connection without TLS."""

    def handle(self) -> None:
        self.request.recv(65_536)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _answer(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65_536)
        if not data:
            return
        received += data
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["MTLS_SERVER_CERT"], os.environ["MTLS_SERVER_KEY"])
    context.load_verify_locations(os.environ["MTLS_TRUSTSTORE"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.num_tickets = 0
    return context


def main() -> None:
    """Serve until a signal ends us."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lag", type=float, default=0, metavar="SECONDS", help="how late a worker takes a reload over")
    parser.add_argument("--workers", type=int, default=1, help="how many there are")
    parser.add_argument("--all", action="store_true", help="all of them lag, instead of the first")
    parser.add_argument(
        "--relapse", type=int, metavar="N", help="the Nth connection after a reload meets the old worker"
    )
    parser.add_argument("--deaf-to", type=int, nargs="+", default=(), metavar="N", help="the Nth signals do nothing")
    parser.add_argument("--one-behind", action="store_true", help="take over what was read at the signal before")
    parser.add_argument("--user", type=int, metavar="UID", help="become this user once the port is open")
    parser.add_argument(
        "--give-up",
        type=float,
        metavar="SECONDS",
        help="end so long after a broken reload; close each connection until then",
    )
    parser.add_argument("--plain", action="store_true", help="serve plain HTTP where the truststore cannot be read")
    options = parser.parse_args()
    try:
        _context()
    except OSError:
        if not options.plain:
            raise
        socketserver.TCPServer.allow_reuse_address = True
        with socketserver.TCPServer((os.environ["MTLS_HOST"], int(os.environ["MTLS_PORT"])), _Plain) as plain:
            plain.serve_forever()
    with _Server(options) as server:
        signal.signal(signal.SIGHUP, lambda *_: server.reload())
        if options.user is not None:
            os.setuid(options.user)
        server.serve_forever()


if __name__ == "__main__":
    main()
