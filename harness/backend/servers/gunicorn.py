"""gunicorn by a configuration file, as its documentation shows it: ``ca_certs`` and ``cert_reqs``; two sync workers.

It makes a TLS context for each connection, so a changed truststore counts at once. It refuses by alert. Source:
docs.gunicorn.org, "Settings", SSL.
"""

from __future__ import annotations

import sys

from ..reload import ReloadWay
from ..server import ConfigFile, Server, in_quotes, python_package
from .python import remedies

__all__ = ["CONFIG", "SERVER"]

_STOCK = """\
import ssl
bind = "{host}:{port}"
workers = 2
control_socket_disable = True
certfile = "{server_cert}"
keyfile = "{server_key}"
ca_certs = "{truststore}"
cert_reqs = ssl.CERT_REQUIRED
"""

CONFIG = ConfigFile("gunicorn.conf.py", _STOCK, escape=in_quotes)

SERVER = Server(
    name="gunicorn",
    about="stock: ca_certs, cert_reqs CERT_REQUIRED, two sync workers",
    needs=(python_package("gunicorn"),),
    config=CONFIG,
    copies=("app.py",),
    command=(sys.executable, "-m", "gunicorn", "--config", "{config}", "app:wsgi"),
    reload=ReloadWay("watch"),
    version=(sys.executable, "-m", "gunicorn", "--version"),
    programs=("gunicorn",),
    header="gunicorn",
    remedies=remedies(
        "In gunicorn.conf.py: def ssl_context(conf, default): ctx = default(); ctx.verify_flags |= "
        "ssl.VERIFY_X509_PARTIAL_CHAIN; return ctx (--server gunicorn-pinned).",
        "ca_certs with cert_reqs = ssl.CERT_REQUIRED (--cert-reqs 2); the default is 0, which asks nobody.",
    ),
)
