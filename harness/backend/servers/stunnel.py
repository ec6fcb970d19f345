"""stunnel as its documentation shows it, before a small plain HTTP server: ``verifyChain`` and the truststore as CAfile.

It refuses by alert. SIGHUP closes its port for a moment. Source: stunnel.org/auth.html.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..contract import Material
from ..ports import free_port
from ..process import find_program
from ..reload import ReloadWay
from ..server import TRAPPED, ConfigFile, Server, overruled, program

__all__ = ["SERVER"]

_STOCK = """\
foreground = yes
pid =
[https]
accept = {host}:{port}
connect = {origin}
cert = {server_cert}
key = {server_key}
CAfile = {truststore}
requireCert = yes
verifyChain = yes
TIMEOUTclose = 0
"""


def _origin(material: Material, folder: Path) -> dict[str, str]:
    """Where the small server listens, and how it is started."""
    port = free_port()
    stunnel = find_program("stunnel4") or find_program("stunnel") or "stunnel"
    return {"origin": f"127.0.0.1:{port}", "originport": str(port), "python": sys.executable, "stunnel": stunnel}


def _completed(text: str) -> str:
    """*text* with what keeps stunnel in the foreground and away from the machine's own one; before its services."""
    return overruled(text, {"foreground": "foreground = yes", "pid": "pid ="}, r"^[ \t]*{name}[ \t]*=.*$", first=True)


SERVER = Server(
    name="stunnel",
    about="stock: verifyChain, truststore as CAfile, before a small HTTP server ({origin})",
    needs=(program("stunnel4", "stunnel4"),),
    config=ConfigFile("stunnel.conf", _STOCK, complete=_completed),
    copies=("origin.py",),
    command=("{python}", "-P", "{folder}/origin.py", "{originport}", "{stunnel}", "{config}"),
    values=_origin,
    reload=ReloadWay("signal", ("HUP",)),
    version=("stunnel4", "-version"),
    programs=("stunnel",),
    remedies={
        TRAPPED: "No setting of stunnel 5 springs the trap, verifyPeer neither: OpenSSL looks for an issuer by name, and of "
        "several certificates with one name it knows the first only. Replace the old certificate by the new one in the same "
        "moment as the stage is switched, let nginx or HAProxy end TLS instead (--server nginx-pinned), or use a private CA.",
        "presence/* trust/self-signed-stranger": "requireCert = yes with verifyChain = yes (or "
        "verifyPeer = yes, which pins the certificates in CAfile). requireCert alone verifies nothing.",
        "reload/* rotation/*": "SIGHUP to stunnel after each change of CAfile. It closes its port for a moment, so reload when "
        "little goes on, or start a second one first.",
        "resumption/*": "sessionCacheSize = 1 and options = NO_TICKET. A resumed session counts for as much as the handshake that "
        "it comes from; the certificate's dates are not looked at again.",
    },
)
