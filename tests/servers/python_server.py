"""An HTTPS server as a team would write it on Python's standard library, right but for what ``--on-hangup`` says.

``--start-seconds`` and ``--handshake-seconds`` make it slow by waiting, so that the speed of the machine hardly counts.
Everything else comes from the environment: MTLS_HOST, MTLS_PORT, MTLS_SERVER_CERT, MTLS_SERVER_KEY, MTLS_TRUSTSTORE.
"""

from __future__ import annotations

import argparse
import os
import signal
import ssl
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer every path alike."""
        body = b"hello from Python\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    """Shakes hands in the connection's own thread, so that a silent peer holds nobody up."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, delay: float) -> None:
        super().__init__(address, _Handler)
        self._context, self._delay = context, delay

    def finish_request(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        assert isinstance(request, socket)
        time.sleep(self._delay)
        try:
            with self._context.wrap_socket(request, server_side=True) as connection:
                super().finish_request(connection, client_address)
        except OSError as error:  # ssl's are among them
            print(f"{client_address}: {error}", flush=True)


def main() -> None:
    """Serve until a signal ends us."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--on-hangup", choices=["end", "load-verify-locations"], default="end")
    parser.add_argument("--open", action="store_true", help="ask no client for a certificate")
    parser.add_argument("--start-seconds", type=float, default=0, help="wait so long before listening")
    parser.add_argument("--handshake-seconds", type=float, default=0, help="wait so long before every handshake")
    arguments = parser.parse_args()

    time.sleep(arguments.start_seconds)
    truststore = os.environ["MTLS_TRUSTSTORE"]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.environ["MTLS_SERVER_CERT"], os.environ["MTLS_SERVER_KEY"])
    if not arguments.open:
        context.load_verify_locations(truststore)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # every certificate in the truststore is an anchor
    if arguments.on_hangup == "load-verify-locations":
        # What many take for a reload; it only ever adds.
        signal.signal(signal.SIGHUP, lambda *_: context.load_verify_locations(truststore))
    address = os.environ["MTLS_HOST"], int(os.environ["MTLS_PORT"])
    _Server(address, context, arguments.handshake_seconds).serve_forever()


if __name__ == "__main__":
    main()
