"""aiohttp with VERIFY_X509_PARTIAL_CHAIN, for several gateway certificates of one name."""

from __future__ import annotations

from dataclasses import replace

from .aiohttp import SERVER as _STOCK

__all__ = ["SERVER"]

SERVER = replace(
    _STOCK,
    name="aiohttp-pinned",
    cures="aiohttp",
    about="the same context with VERIFY_X509_PARTIAL_CHAIN",
    command=(*_STOCK.command, "--partial-chain"),
)
