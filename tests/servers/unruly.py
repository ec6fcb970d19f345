"""A backend that authenticates its clients properly, and misbehaves on request: a ``--command`` of the tests.

It reads the ``MTLS_…`` variables and needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from itertools import count
from typing import cast

_GOOD = "hello"


class _Server(socketserver.ThreadingTCPServer):
    """Counts connections; each is served in a thread of its own, the handshake too."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.numbers = count()
        self.context = _context(options.careless)
        if options.alpn_log and self.context:
            self.context.set_alpn_protocols(["h2", "http/1.1"])
        port = int(os.environ["MTLS_PORT"]) + (1 if options.other_port else 0)
        super().__init__((os.environ["MTLS_HOST"], port), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    """One connection: one request, one answer, and the mischief when it is time for it."""

    def handle(self) -> None:
        server = cast("_Server", self.server)
        options = server.options
        mischief = options.then if next(server.numbers) >= options.after else None
        if mischief == "die":
            print("out of memory: killed by its own tests", file=sys.stderr, flush=True)
            os._exit(9)
        if mischief == "hang":
            threading.Event().wait()
        if mischief == "close":
            return
        status = 500 if mischief == "fail" else options.status
        try:
            if server.context is None:
                self._answer(self.request, status)
            else:
                with server.context.wrap_socket(self.request, server_side=True) as connection:
                    self._log(connection.selected_alpn_protocol())
                    self._answer(connection, status)
                    connection.unwrap()
        except OSError as error:
            print(f"refused: {error}", file=sys.stderr, flush=True)

    def _log(self, protocol: str | None) -> None:
        path = cast("_Server", self.server).options.alpn_log
        if path:
            with open(path, "a") as log:
                log.write(f"{protocol}\n")

    def _answer(self, connection: socket.socket, status: int) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            data = connection.recv(65_536)
            if not data:
                return
            received += data
        name = cast("_Server", self.server).options.name
        called = f"Server: {name}\r\n" if name else ""
        head = f"HTTP/1.1 {status} Whatever\r\n{called}Content-Length: {len(_GOOD)}\r\nConnection: close\r\n\r\n"
        connection.sendall((head + _GOOD).encode())


def _context(careless: bool) -> ssl.SSLContext | None:
    if careless and not os.path.exists(os.environ["MTLS_TRUSTSTORE"]):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["MTLS_SERVER_CERT"], os.environ["MTLS_SERVER_KEY"])
    context.load_verify_locations(os.environ["MTLS_TRUSTSTORE"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # or the first of two gateway certificates hides the second
    context.num_tickets = 0
    return context


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--after", type=int, default=0, metavar="N", help="connections to serve before the mischief")
    parser.add_argument("--then", choices=["die", "hang", "fail", "close"], help="the mischief")
    parser.add_argument("--status", type=int, default=200, help="what to answer to everybody who is let in")
    parser.add_argument("--name", help="what to call itself in the Server header")
    parser.add_argument("--alpn-log", metavar="FILE", help="offer HTTP/2, and write down what each client chose")
    parser.add_argument("--careless", action="store_true", help="serve without TLS when there is no truststore")
    parser.add_argument("--lock", metavar="FILE", help="do not start while FILE is there, and leave it")
    parser.add_argument("--other-port", action="store_true", help="listen one port further")
    parser.add_argument("--no-trust", action="store_true", help="trust nobody that the harness knows")
    parser.add_argument("--ignore-term", action="store_true", help="take no notice of SIGTERM")
    parser.add_argument("--grandchild", action="store_true", help="start a process that outlives this one")
    return parser.parse_args()


def main() -> None:
    """Serve until somebody ends it."""
    options = _options()
    try:
        _serve(options)
    except OSError as error:
        sys.exit(f"does not start: {error}")


def _serve(options: argparse.Namespace) -> None:
    if options.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.no_trust:
        os.environ["MTLS_TRUSTSTORE"] = os.environ["MTLS_SERVER_CERT"]
    if options.lock:
        os.close(os.open(options.lock, os.O_CREAT | os.O_EXCL))
    if options.grandchild:
        subprocess.Popen(["sleep", "600"])
    with _Server(options) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
