"""HAProxy as its documentation shows it: ``verify required`` and the truststore as ca-file. It refuses by alert.

Source: docs.haproxy.org, bind options ca-file and verify.
"""

from __future__ import annotations

from pathlib import Path

from ...pki.credential import write_private
from ..contract import Material
from ..reload import ReloadWay
from ..server import TRAPPED, ConfigFile, Server, in_quotes, program

__all__ = ["CONFIG", "SERVER"]

_STOCK = """\
global
  log stderr local0 notice
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend https
  bind {host}:{port} ssl crt "{server_cert}" ca-file "{truststore}" verify required ssl-min-ver TLSv1.2
  http-request return status 200 content-type text/plain string "hello from HAProxy"
"""


def _both(material: Material, folder: Path) -> dict[str, str]:
    """HAProxy wants certificate and key in one file, so {server_cert} is such a one here."""
    both = folder / "server.pem"
    write_private(both, material.server_cert.read_bytes() + material.server_key.read_bytes())
    return {"server_cert": str(both)}


CONFIG = ConfigFile("haproxy.cfg", _STOCK, escape=in_quotes, required=("port", "server_cert", "truststore"))

SERVER = Server(
    name="haproxy",
    about="stock: verify required, truststore as ca-file",
    needs=(program("haproxy", "haproxy"),),
    config=CONFIG,
    command=("haproxy", "-W", "-db", "-f", "{config}"),
    values=_both,
    reload=ReloadWay("signal", ("USR2",)),
    version=("haproxy", "-v"),
    programs=("haproxy",),
    remedies={
        TRAPPED: "On the bind line 'verify required crt-ignore-err 18', and compare fingerprints: acl pinned ssl_c_sha1,hex -m "
        "str -i <SHA-1 of each certificate, hex>, then http-request deny unless pinned. HAProxy asks OpenSSL for an issuer by "
        "name, and of several certificates with one name OpenSSL knows the first only (error 18 is what the others end in). "
        "--server haproxy-pinned shows it whole.",
        "presence/* trust/self-signed-stranger": "verify required on every bind line of this port. "
        "'verify optional' lets everybody in unless a rule asks ssl_c_used and ssl_c_verify.",
        "reload/* rotation/* resumption/after-removal": "Reload by SIGUSR2 to the master (systemctl reload). The runtime API's "
        "'commit ssl ca-file' leaves sessions of removed certificates in force.",
        "resumption/*": "no-tls-tickets on the bind line and tune.ssl.cachesize 0. HAProxy takes a resumed session for as good "
        "as the handshake that it comes from, and does not look at the certificate's dates again.",
    },
)
