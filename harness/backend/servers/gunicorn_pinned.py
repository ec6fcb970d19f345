"""gunicorn with VERIFY_X509_PARTIAL_CHAIN, for several gateway certificates of one name.

Its ``ssl_context`` hook is asked for each connection. Stock gunicorn answers in plain HTTP, beside TLS, when the truststore
cannot be read then; this one keeps the last good context.
"""

from __future__ import annotations

from dataclasses import replace

from .gunicorn import CONFIG
from .gunicorn import SERVER as _STOCK

__all__ = ["SERVER"]

_HOOK = """

def read():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca_certs)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_cert_chain(certfile, keyfile)
    return context


last_good = read()  # no start with a truststore that cannot be read


def ssl_context(conf, default_ssl_context_factory):
    global last_good
    try:
        last_good = read()
    except OSError:  # ssl.SSLError is one
        pass
    return last_good
"""

SERVER = replace(
    _STOCK,
    name="gunicorn-pinned",
    cures="gunicorn",
    about="the ssl_context hook with VERIFY_X509_PARTIAL_CHAIN and the last good truststore",
    config=replace(CONFIG, stock=CONFIG.stock + _HOOK),
)
