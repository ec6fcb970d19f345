"""hypercorn by a configuration file, as its documentation shows it: ``ca_certs`` and ``verify_mode``.

It closes without an alert, and reads its truststore once. Source: hypercorn.readthedocs.io, "Configuration options".
"""

from __future__ import annotations

import sys

from ..contract import Capability
from ..server import ConfigFile, Server, in_quotes, python_package
from .python import remedies

__all__ = ["CONFIG", "SERVER"]

_STOCK = """\
import ssl
bind = "{host}:{port}"
certfile = "{server_cert}"
keyfile = "{server_key}"
ca_certs = "{truststore}"
verify_mode = ssl.CERT_REQUIRED
"""

CONFIG = ConfigFile("hypercorn_conf.py", _STOCK, escape=in_quotes)

SERVER = Server(
    name="hypercorn",
    about="stock: ca_certs, verify_mode CERT_REQUIRED",
    needs=(python_package("hypercorn"),),
    config=CONFIG,
    copies=("app.py",),
    command=(sys.executable, "-m", "hypercorn", "--config", "file:{config}", "app:asgi"),
    capabilities=frozenset({Capability.H2}),
    version=(sys.executable, "-c", "from importlib.metadata import version; print(version('hypercorn'))"),
    programs=("hypercorn",),
    header="hypercorn",
    remedies=remedies(
        "In the configuration file, written as Python: verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN (--server "
        "hypercorn-pinned).",
        "ca_certs with verify_mode = ssl.CERT_REQUIRED (--verify-mode CERT_REQUIRED); the default asks nobody.",
    ),
)
