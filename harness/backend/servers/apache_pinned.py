"""Apache httpd that compares whole certificates, for several gateway certificates of one name.

``optional_no_ca`` forgives that no issuer is found, and nothing else: a wrong date still ends in an alert. The expressions
are then the only check, in access control: a Redirect outside of the <Location> would answer before it. ``sha1`` hashes the
PEM text, which only has to be the same on both sides.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha1

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .apache import CONFIG
from .apache import SERVER as _STOCK

__all__ = ["SERVER"]

_PINNED = """SSLVerifyClient optional_no_ca
  <Location />
    <RequireAny>
{pins}
    </RequireAny>
"""


def _pin(certificate: x509.Certificate) -> str:
    digest = sha1(certificate.public_bytes(Encoding.PEM), usedforsecurity=False).hexdigest()
    return f"      Require expr \"sha1(%{{SSL:SSL_CLIENT_CERT}}) == '{digest}'\""


SERVER = replace(
    _STOCK,
    name="apache-pinned",
    cures="apache",
    about="SSLVerifyClient optional_no_ca, and Require expr for each certificate of the truststore",
    config=replace(
        CONFIG,
        stock=CONFIG.stock.replace("SSLVerifyClient require\n  <Location />\n", _PINNED),
        required=("port", "server_cert", "server_key", "pins"),
    ),
    pin=_pin,
)
