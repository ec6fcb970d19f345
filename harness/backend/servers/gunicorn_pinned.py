"""gunicorn with VERIFY_X509_PARTIAL_CHAIN, for several gateway certificates of one name."""

from __future__ import annotations

from dataclasses import replace

from .gunicorn import CONFIG
from .gunicorn import SERVER as _STOCK

__all__ = ["SERVER"]

_HOOK = """
def ssl_context(conf, default):
    context = default()
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
"""

SERVER = replace(
    _STOCK,
    name="gunicorn-pinned",
    cures="gunicorn",
    about="the ssl_context hook with VERIFY_X509_PARTIAL_CHAIN",
    config=replace(CONFIG, stock=CONFIG.stock + _HOOK),
)
