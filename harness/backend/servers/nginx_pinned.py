"""nginx that compares fingerprints, for several gateway certificates of one name.

``optional_no_ca`` forgives that no issuer is found, and nothing else: a wrong date still ends in HTTP 400. The map is then
the only check, so every server block has to ask it. SHA-1 is the only fingerprint that nginx offers; a second preimage of a
given certificate is out of reach.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1

from .nginx import CONFIG
from .nginx import SERVER as _STOCK

__all__ = ["SERVER"]

_MAP = """\
  map $ssl_client_fingerprint $pinned {
    default 0;
{pins}
  }
  server {
"""


def _pin(certificate: x509.Certificate) -> str:
    return f"    {certificate.fingerprint(SHA1()).hex()} 1;"


SERVER = replace(
    _STOCK,
    name="nginx-pinned",
    cures="nginx",
    about="ssl_verify_client optional_no_ca, and a map of the truststore's fingerprints",
    config=replace(
        CONFIG,
        stock=CONFIG.stock.replace("  server {\n", _MAP).replace(
            "ssl_verify_client on;", "ssl_verify_client optional_no_ca;\n    if ($pinned = 0) { return 403; }"
        ),
        required=("port", "server_cert", "server_key", "pins"),
    ),
    pin=_pin,
)
