"""Caddy as its documentation shows it: ``client_auth`` with ``mode require_and_verify`` and ``trusted_ca_cert_file``.

Caddy 2.6 reads only the first certificate of that file. It refuses by bad_certificate(42), whatever the reason. Source:
caddyserver.com/docs/caddyfile/directives/tls.
"""

from __future__ import annotations

from ..contract import Capability
from ..reload import ReloadWay
from ..server import ConfigFile, Server, program

__all__ = ["CONFIG", "SERVER"]

_STOCK = """\
{
  admin unix/admin.sock
  auto_https off
}
https://localhost:{port} {
  bind {host}
  tls {server_cert} {server_key} {
    client_auth {
      mode require_and_verify
      trusted_ca_cert_file {truststore}
    }
  }
  respond "hello from Caddy"
}
"""

_FIRST_ONLY = (
    "One 'trusted_ca_cert_file FILE' line for each certificate, or 'trusted_ca_cert BASE64' lines: Caddy 2.6 reads only the "
    "first PEM block of a file. From 2.8 on 'trust_pool file FILE' reads them all. --server caddy-pinned shows it whole."
)


def _escaped(value: str) -> str:
    """*value* as one word of a Caddyfile; a path may have blanks."""
    return '"' + value.replace('"', '\\"') + '"' if " " in value else value


def _completed(text: str) -> str:
    """*text* with a global block that gives the reload its socket, unless it has one."""
    return text if text.lstrip().startswith("{") else "{\n  admin unix/admin.sock\n  auto_https off\n}\n" + text


CONFIG = ConfigFile("Caddyfile", _STOCK, escape=_escaped, complete=_completed)

SERVER = Server(
    name="caddy",
    about="stock: client_auth require_and_verify, truststore as trusted_ca_cert_file",
    needs=(program("caddy", "caddy"),),
    config=CONFIG,
    command=(
        "env",
        "XDG_DATA_HOME={folder}",
        "XDG_CONFIG_HOME={folder}",
        *("caddy", "run", "--config", "{config}", "--adapter", "caddyfile"),
    ),
    reload=ReloadWay(
        "command",
        (
            "caddy",
            "reload",
            "--config",
            "{config}",
            "--adapter",
            "caddyfile",
            "--address",
            "unix/admin.sock",
            "--force",
        ),
    ),
    capabilities=frozenset({Capability.H2}),
    version=("caddy", "version"),
    programs=("caddy",),
    header="Caddy",
    remedies={
        "rotation/both-* rotation/switch rotation/drill trust/bundle-* trust/several-*": _FIRST_ONLY,
        "presence/* trust/self-signed-stranger": "client_auth { mode require_and_verify … } in the "
        "tls directive of every site of this port. 'request' and 'require' do not verify.",
        "reload/* rotation/*": "caddy reload --force after each change of the truststore: without --force an unchanged Caddyfile "
        "is not loaded again, and the file that it names is not read.",
        "resumption/*": "Restart instead of a reload when a certificate is removed: Caddy keeps its ticket keys over a reload.",
    },
)
