"""hypercorn with VERIFY_X509_PARTIAL_CHAIN, for several gateway certificates of one name."""

from __future__ import annotations

from dataclasses import replace

from .hypercorn import CONFIG
from .hypercorn import SERVER as _STOCK

__all__ = ["SERVER"]

SERVER = replace(
    _STOCK,
    name="hypercorn-pinned",
    cures="hypercorn",
    about="ca_certs, verify_mode CERT_REQUIRED, verify_flags VERIFY_X509_PARTIAL_CHAIN",
    config=replace(CONFIG, stock=CONFIG.stock + "verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN\n"),
)
