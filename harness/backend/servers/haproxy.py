"""HAProxy as its documentation shows it: ``verify required`` and the truststore as ca-file. It refuses by alert."""

from __future__ import annotations

from pathlib import Path

from ...pki.credential import write_private
from ..contract import Material
from ..reload import ReloadWay
from . import Server

_CONFIGURATION = """\
global
  log stderr local0 notice
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend https
  bind {host}:{port} ssl crt "{both}" ca-file "{truststore}" verify required ssl-min-ver TLSv1.2
  http-request return status 200 content-type text/plain string "hello from HAProxy"
"""


def _prepare(material: Material, folder: Path) -> list[str]:
    both = folder / "server.pem"  # HAProxy wants certificate and key in one file
    write_private(both, material.server_cert.read_bytes() + material.server_key.read_bytes())
    configuration = folder / "haproxy.cfg"
    configuration.write_text(_CONFIGURATION.format(both=both, **material.placeholders))
    return ["haproxy", "-W", "-db", "-f", str(configuration)]


SERVER = Server(
    name="haproxy",
    program="haproxy",
    package="haproxy",
    about="stock: verify required, truststore as ca-file",
    prepare=_prepare,
    reload=ReloadWay("signal", ("USR2",)),
)
