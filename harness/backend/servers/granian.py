"""granian by its options, as its documentation shows them: ``--ssl-ca`` and ``--ssl-client-verify``. TLS by rustls.

It refuses by alert. After SIGHUP the old worker goes on for seconds, so it is restarted here. Source:
github.com/emmett-framework/granian, "Options".
"""

from __future__ import annotations

import sys

from ..contract import Capability
from ..server import Server, python_package

__all__ = ["SERVER"]

SERVER = Server(
    name="granian",
    about="stock: --ssl-ca, --ssl-client-verify, TLS 1.2 and 1.3",
    needs=(python_package("granian"),),
    copies=("app.py",),
    command=(
        *(sys.executable, "-m", "granian", "--interface", "asgi", "--host", "{host}", "--port", "{port}"),
        *("--ssl-certificate", "{server_cert}", "--ssl-keyfile", "{server_key}", "--ssl-protocol-min", "tls1.2"),
        *("--ssl-ca", "{truststore}", "--ssl-client-verify", "app:asgi"),
    ),
    capabilities=frozenset({Capability.H2}),
    version=(sys.executable, "-m", "granian", "--version"),
    programs=("granian",),
    header="granian",
    remedies={
        "presence/* trust/self-signed-stranger": "--ssl-ca FILE with --ssl-client-verify; --ssl-ca alone asks nobody.",
        "reload/* rotation/* resumption/after-removal": "Restart granian after each change of --ssl-ca. After SIGHUP its old "
        "worker lets a removed certificate in on about half of the new connections for some seconds.",
        "resumption/*": "granian has no option to switch sessions off; let a proxy end TLS in front of it (--server nginx-pinned). "
        "rustls does not look at the dates of a resumed session's certificate.",
        "server-identity/tls12-offered": "--ssl-protocol-min tls1.2: the default is tls1.3, which API Gateway does not speak.",
    },
)
