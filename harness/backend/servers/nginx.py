"""nginx as its documentation shows it: ``ssl_verify_client on`` and the truststore as client CA file.

It finishes the handshake with everybody and refuses by HTTP 400. ``ssl_verify_depth`` stays at its default of 1.
"""

from __future__ import annotations

from pathlib import Path

from ..contract import Material
from ..reload import ReloadWay
from . import Server

_CONFIGURATION = """\
daemon off;
pid nginx.pid;
error_log stderr notice;
worker_processes 2;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen {host}:{port} ssl;
    server_name localhost;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate "{server_cert}";
    ssl_certificate_key "{server_key}";
    ssl_client_certificate "{truststore}";
    ssl_verify_client on;
    ssl_session_cache shared:SSL:1m;
    location / {{ return 200 "hello from nginx\\n"; }}
  }}
}}
"""


def _prepare(material: Material, folder: Path) -> list[str]:
    configuration = folder / "nginx.conf"
    values = {name: _escaped(value) for name, value in material.placeholders.items()}
    configuration.write_text(_CONFIGURATION.format(**values))
    return ["nginx", "-p", str(folder), "-c", str(configuration), "-e", "stderr"]


def _escaped(value: str) -> str:
    """*value* as it stands between the quotes of nginx's configuration; a path may have blanks."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


SERVER = Server(
    name="nginx",
    program="nginx",
    package="nginx-light",
    about="stock: ssl_verify_client on, truststore as ssl_client_certificate",
    prepare=_prepare,
    reload=ReloadWay("signal", ("HUP",)),
)
