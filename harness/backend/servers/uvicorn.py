"""uvicorn by its options, as its documentation shows them: ``--ssl-ca-certs`` and ``--ssl-cert-reqs 2``.

It closes without an alert, and reads its truststore once. Source: uvicorn.org, "Settings", HTTPS.
"""

from __future__ import annotations

import sys

from ..server import Server, python_package
from .python import remedies

__all__ = ["SERVER"]

SERVER = Server(
    name="uvicorn",
    about="stock: --ssl-ca-certs, --ssl-cert-reqs 2",
    needs=(python_package("uvicorn"),),
    copies=("app.py",),
    command=(
        *(sys.executable, "-m", "uvicorn", "--host", "{host}", "--port", "{port}", "--no-access-log"),
        *("--ssl-certfile", "{server_cert}", "--ssl-keyfile", "{server_key}"),
        *("--ssl-ca-certs", "{truststore}", "--ssl-cert-reqs", "2", "app:asgi"),
    ),
    version=(sys.executable, "-m", "uvicorn", "--version"),
    programs=("uvicorn",),
    header="uvicorn",
    remedies=remedies(
        "Start it by uvicorn.Config(…, ssl_ca_certs=…, ssl_cert_reqs=ssl.CERT_REQUIRED), config.load(), config.ssl.verify_flags "
        "|= ssl.VERIFY_X509_PARTIAL_CHAIN, uvicorn.Server(config).run() (--server uvicorn-pinned).",
        "--ssl-ca-certs FILE with --ssl-cert-reqs 2 (ssl.CERT_REQUIRED); the default is 0, which asks nobody.",
    ),
)
