"""A backend of two that take turns, as behind a balancer: every Nth connection meets another than the rest. A ``--command``.

It reads the ``MTLS_…`` variables and needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import os
import socket
import socketserver
import ssl
from itertools import count
from typing import cast

_INTERNAL_ERROR = b"\x15\x03\x01\x00\x02\x02\x50"
"""A fatal alert 80 in a record of its own."""


class _Server(socketserver.ThreadingTCPServer):
    """Who meets whom."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.numbers = options, count()
        self.workers = {name: _context(name) for name in ("strict", "open", "older")}
        super().__init__((os.environ["MTLS_HOST"], int(os.environ["MTLS_PORT"])), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    """One connection: one request, one answer."""

    def handle(self) -> None:
        server = cast("_Server", self.server)
        number, options = next(server.numbers), server.options
        name = options.one if number % options.every == options.at else options.rest
        if name == "alert":
            self.request.recv(65_536)
            self.request.sendall(_INTERNAL_ERROR)
            return
        try:
            with server.workers[name].wrap_socket(self.request, server_side=True) as connection:
                _answer(connection)
        except OSError:
            pass


def _answer(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65_536)
        if not data:
            return
        received += data
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")


def _context(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["MTLS_SERVER_CERT"], os.environ["MTLS_SERVER_KEY"])
    context.num_tickets = 0
    if name != "open":
        context.load_verify_locations(os.environ["MTLS_TRUSTSTORE"])
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if name == "older":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def main() -> None:
    """Serve until a signal ends us."""
    kinds = ("strict", "open", "older", "alert")
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", choices=kinds, required=True, help="who takes every Nth connection")
    parser.add_argument("--rest", choices=kinds, required=True, help="who takes the others")
    parser.add_argument("--every", type=int, default=2, metavar="N")
    parser.add_argument("--at", type=int, default=0, metavar="K", help="the first of them")
    with _Server(parser.parse_args()) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
