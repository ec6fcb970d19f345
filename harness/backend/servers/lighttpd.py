"""lighttpd with mod_openssl as its documentation shows it: ``ssl.verifyclient.enforce`` and the truststore as ca-file.

It refuses by alert. Source: redmine.lighttpd.net/projects/lighttpd/wiki/Docs_SSL, "Client Verification".
"""

from __future__ import annotations

from pathlib import Path

from ..contract import Capability, Material
from ..reload import ReloadWay
from ..server import TRAPPED, ConfigFile, Server, file_needed, in_quotes, overruled, program

__all__ = ["SERVER"]

_STOCK = """\
server.modules = ("mod_openssl", "mod_rewrite")
server.bind = "{host}"
server.port = {port}
server.document-root = "{folder}"
mimetype.assign = ("" => "text/plain")
url.rewrite-once = ("" => "/hello.txt")
ssl.engine = "enable"
ssl.pemfile = "{server_cert}"
ssl.privkey = "{server_key}"
ssl.verifyclient.activate = "enable"
ssl.verifyclient.enforce = "enable"
ssl.verifyclient.ca-file = "{truststore}"
"""


def _page(material: Material, folder: Path) -> dict[str, str]:
    (folder / "hello.txt").write_text("hello from lighttpd\n")
    return {}


def _completed(text: str) -> str:
    """*text* without the pid file of the machine's own lighttpd."""
    return overruled(text, {"server.pid-file": ""}, r"^[ \t]*{name}[ \t]*=.*$")


SERVER = Server(
    name="lighttpd",
    about="stock, mod_openssl: ssl.verifyclient.enforce, truststore as ssl.verifyclient.ca-file",
    needs=(
        program("lighttpd", "lighttpd lighttpd-mod-openssl"),
        file_needed("/usr/lib/lighttpd/mod_openssl.so", "lighttpd-mod-openssl"),
    ),
    config=ConfigFile("lighttpd.conf", _STOCK, escape=in_quotes, complete=_completed),
    command=("lighttpd", "-D", "-f", "{config}"),
    values=_page,
    reload=ReloadWay("signal", ("USR1",)),
    capabilities=frozenset({Capability.H2}),
    version=("lighttpd", "-v"),
    programs=("lighttpd",),
    header="lighttpd",
    remedies={
        TRAPPED: "No setting of lighttpd 1.4 springs the trap: mod_openssl asks OpenSSL for an issuer by name, and of several "
        "certificates with one name OpenSSL knows the first only. Replace the old certificate by the new one in the same moment "
        "as the stage is switched, let nginx or HAProxy end TLS in front (--server nginx-pinned), or use a private CA.",
        "presence/* trust/self-signed-stranger": 'ssl.verifyclient.activate = "enable" and '
        'ssl.verifyclient.enforce = "enable", in every socket of this port. activate alone lets everybody in.',
        "reload/* rotation/*": "SIGUSR1 to the server (systemctl reload) after each change of ssl.verifyclient.ca-file; it takes "
        "about a second. lighttpd mod_gnutls 1.4.69 dies of it: use mod_openssl.",
        "resumption/*": 'ssl.openssl.ssl-conf-cmd += ("Options" => "-SessionTicket"). A resumed session counts for as much as the '
        "handshake that it comes from; the certificate's dates are not looked at again.",
    },
)
