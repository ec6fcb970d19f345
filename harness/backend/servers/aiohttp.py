"""aiohttp's own server with an SSLContext, as its documentation shows it. It closes without an alert.

Source: docs.aiohttp.org, ``web.run_app``.
"""

from __future__ import annotations

import sys

from ..server import Server, python_package
from .python import remedies

__all__ = ["SERVER"]

SERVER = Server(
    name="aiohttp",
    about="stock: web.run_app with ssl.create_default_context, CERT_REQUIRED",
    needs=(python_package("aiohttp"),),
    copies=("aiohttp_server.py",),
    command=(sys.executable, "-P", "{folder}/aiohttp_server.py"),
    version=(sys.executable, "-c", "import aiohttp; print(aiohttp.__version__)"),
    header="Python/",
    remedies=remedies(
        "On the context given to run_app: verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN (--server aiohttp-pinned).",
        "On the context given to run_app: verify_mode = ssl.CERT_REQUIRED.",
    ),
)
