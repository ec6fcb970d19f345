"""Python's own ``http.server`` behind ``ssl``, as the documentation of both shows it; runs on our own interpreter.

It refuses by alert, and shakes hands in accept(): nobody is served while one peer is silent. Source:
docs.python.org/3/library/ssl.html, "Server-side operation".
"""

from __future__ import annotations

import sys

from ..server import PARTIAL_CHAIN, TRAPPED, Server

__all__ = ["REMEDIES", "SERVER", "remedies"]

_REQUIRE = "presence/* trust/self-signed-stranger"


def remedies(where: str, require: str) -> dict[str, str]:
    """The remedies of a server on Python's ssl: *where* its context's flags are set, and how a certificate is required."""
    return {
        TRAPPED: f"{where} {PARTIAL_CHAIN}",
        _REQUIRE: f"{require} With CERT_OPTIONAL everybody without a certificate is let in, with CERT_NONE nobody is asked.",
        "reload/* rotation/*": "Restart, or make a new SSLContext from the changed truststore and use it for new connections. "
        "load_verify_locations on the context in use only adds: what was removed from the file stays trusted.",
        "resumption/*": "context.options |= ssl.OP_NO_TICKET and, for TLS 1.3, context.num_tickets = 0; and a new SSLContext when "
        "the truststore changes. OpenSSL does not look at the dates of a resumed session's certificate.",
    }


REMEDIES = remedies(
    "ctx.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN (--server python-pinned shows it whole).",
    "ctx.verify_mode = ssl.CERT_REQUIRED.",
)

SERVER = Server(
    name="python",
    about="stock: http.server behind ssl.create_default_context, CERT_REQUIRED",
    needs=(),
    copies=("python_stock.py",),
    command=(sys.executable, "-P", "{folder}/python_stock.py"),
    version=(sys.executable, "--version"),
    programs=("python", "pypy", "uv", "poetry"),
    interpreter=True,
    header="BaseHTTP",
    remedies=REMEDIES,
)
