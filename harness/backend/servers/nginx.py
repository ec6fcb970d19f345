"""nginx as its documentation shows it: ``ssl_verify_client on`` and the truststore as client CA file.

It finishes the handshake with everybody and refuses by HTTP 400. ``ssl_verify_depth`` stays at its default of 1.
Source: nginx.org/en/docs/http/ngx_http_ssl_module.html.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..contract import Material
from ..reload import ReloadWay
from ..server import TRAPPED, ConfigFile, Server, in_quotes, overruled, program, said_by

__all__ = ["CONFIG", "NEEDS", "SERVER"]

_STOCK = """\
daemon off;
pid nginx.pid;
error_log stderr notice;
worker_processes 2;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen {host}:{port} ssl;
    server_name localhost;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate "{server_cert}";
    ssl_certificate_key "{server_key}";
    ssl_client_certificate "{truststore}";
    ssl_verify_client on;
    ssl_session_cache shared:SSL:1m;
    location / { return 200 "hello from nginx\\n"; }
  }
}
"""

_COMMAND = ("nginx", "-p", "{folder}", "-c", "{config}", "-e", "stderr")


def _completed(text: str) -> str:
    """*text* with what keeps nginx in the foreground and away from the machine's own nginx."""
    return overruled(text, {"daemon": "daemon off;", "pid": "pid nginx.pid;"}, r"^[ \t]*{name}[ \t][^;\n]*;")


def _beside(material: Material, folder: Path) -> dict[str, str]:
    """Puts into our prefix what real configurations name relative to the compiled one: load_module modules/…, root html."""
    prefix = re.search(r"--prefix=(\S+)", said_by(("nginx", "-V")))
    if prefix is not None:
        for name in ("modules", "html"):
            there, here = Path(prefix[1]) / name, folder / name
            if there.is_dir() and not here.is_symlink():
                here.symlink_to(there.resolve())
    return {}


CONFIG = ConfigFile("nginx.conf", _STOCK, escape=in_quotes, complete=_completed)
NEEDS = (program("nginx", "nginx-light"),)

SERVER = Server(
    name="nginx",
    about="stock: ssl_verify_client on, truststore as ssl_client_certificate",
    needs=NEEDS,
    config=CONFIG,
    command=_COMMAND,
    values=_beside,
    reload=ReloadWay("signal", ("HUP",)),
    version=("nginx", "-v"),
    programs=("nginx", "openresty"),
    header="nginx",
    remedies={
        TRAPPED: "ssl_verify_client optional_no_ca; and compare fingerprints: map $ssl_client_fingerprint $pinned "
        "{ default 0; <SHA-1 of each certificate, hex> 1; } and, in every server, if ($pinned = 0) { return 403; }. nginx asks "
        "OpenSSL for an issuer by name, and of several certificates with one name OpenSSL knows the first only "
        "(PARTIAL_CHAIN cannot be set). --server nginx-pinned shows it whole.",
        "chain/depth-* trust/bundle-with-intermediates": "ssl_verify_depth 4; in the server block. The default of 1 takes one "
        "intermediate between the client's certificate and the root, and refuses longer chains with HTTP 400.",
        "presence/* trust/self-signed-stranger": "ssl_verify_client on; in every server block that "
        "answers on this port, the default_server too. 'optional' and 'optional_no_ca' let everybody in unless the "
        "application asks $ssl_client_verify.",
        "reload/* rotation/*": "Send SIGHUP to the master (nginx -s reload) after each change of the file named by "
        "ssl_client_certificate, and look into error.log: a configuration that cannot be read leaves the old one in force.",
        "resumption/*": "ssl_session_tickets off; and ssl_session_cache off; for this server. nginx takes a resumed session for "
        "as good as the handshake that it comes from, and does not look at the certificate's dates again.",
    },
)
