"""HAProxy that compares fingerprints, for several gateway certificates of one name.

Error 18 (a self-signed certificate that is not found as its own issuer) is forgiven, and nothing else: a wrong date still
ends in an alert. The ACL is then the only check.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1

from .haproxy import CONFIG
from .haproxy import SERVER as _STOCK

__all__ = ["SERVER"]


def _pin(certificate: x509.Certificate) -> str:
    return f"  acl pinned ssl_c_sha1,hex -m str -i {certificate.fingerprint(SHA1()).hex()}"


SERVER = replace(
    _STOCK,
    name="haproxy-pinned",
    cures="haproxy",
    about="verify required crt-ignore-err 18, and an ACL of the truststore's fingerprints",
    config=replace(
        CONFIG,
        stock=CONFIG.stock.replace("verify required", "verify required crt-ignore-err 18").replace(
            "  http-request return", "{pins}\n  http-request deny unless pinned\n  http-request return"
        ),
        required=("port", "server_cert", "truststore", "pins"),
    ),
    pin=_pin,
)
