"""The kit on a real server: curl asks, Python's own TLS server judges."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pytest_mtls.harness.kit import Kit

from .openssl import TRAPPED, run

PRESENTS_ANYTHING = """\
openssl_conf = settings
[settings]
ssl_conf = ssl
[ssl]
system_default = client
[client]
CipherString = DEFAULT:@SECLEVEL=0
"""
"""For curl, which otherwise refuses by itself to present weak certificates, so that the server is not even asked."""


class Quiet(BaseHTTPRequestHandler):
    """Answers every GET with 200."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    """Hands each connection to a thread, which does the handshake too; refused ones are no news."""

    daemon_threads = False  # so that closing waits for them

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@contextmanager
def serving(kit: Kit, truststore: str, crl: str | None = None) -> Iterator[int]:
    """Python's TLS server with the kit's files on a free port of loopback; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(kit.folder / "server/server.pem", kit.folder / "server/server.key")
    context.load_verify_locations(kit.folder / truststore)
    if crl is not None:
        context.load_verify_locations(kit.folder / crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    with QuietServer(("127.0.0.1", 0), Quiet) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def fetch(kit: Kit, port: int, *options: str | Path) -> str:
    """What curl gets: the status, or 'refused' when the server ended the connection; other trouble by its number."""
    words = ["curl", "--silent", "--max-time", "10", "--noproxy", "*", "--output", os.devnull]
    words += ["--write-out", "%{http_code}", "--cacert", str(kit.folder / "server/server-ca.pem")]
    answer = run(*words, *options, f"https://localhost:{port}/")
    if answer.returncode in (35, 55, 56):  # the handshake, sending or receiving failed
        return "refused"
    return f"curl {answer.returncode}" if answer.returncode else answer.stdout


def shown(kit: Kit, certificate: str, key: str) -> tuple[str | Path, ...]:
    return "--cert", kit.folder / certificate, "--key", kit.folder / key


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_good_client_is_served(kit: Kit, tls: str) -> None:
    """Curl with the good leaf and its chain gets an answer from a server that trusts the root alone."""
    with serving(kit, "private-ca/truststore.pem") as port:
        client = shown(kit, "private-ca/client.pem", "private-ca/client.key")
        answer = fetch(kit, port, f"--tlsv{tls}", "--tls-max", tls, *client)

    assert answer == "200"


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_client_without_a_certificate_is_refused(kit: Kit, tls: str) -> None:
    """Curl without a certificate gets nothing from the same server."""
    with serving(kit, "private-ca/truststore.pem") as port:
        answer = fetch(kit, port, f"--tlsv{tls}", "--tls-max", tls)

    assert answer == "refused"


def test_server_says_what_the_kit_says(small: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case, put to Python's server, ends as kit.json says, but for the rotation trap."""
    (tmp_path / "openssl.cnf").write_text(PRESENTS_ANYTHING)
    monkeypatch.setenv("OPENSSL_CONF", str(tmp_path / "openssl.cnf"))  # read by curl; our own OpenSSL is loaded
    wrong: set[tuple[str, str]] = set()
    for truststore, crl in dict.fromkeys((case.truststore, case.crl) for case in small.cases):
        with serving(small, truststore, crl) as port:
            for case in small.cases:
                if (case.truststore, case.crl) == (truststore, crl):
                    answer = fetch(small, port, *shown(small, case.certificate, case.key))
                    if answer != {"accepted": "200", "rejected": "refused"}[case.expected]:
                        wrong.add((case.certificate, case.truststore))

    assert wrong == TRAPPED
