"""uvicorn with VERIFY_X509_PARTIAL_CHAIN, for several gateway certificates of one name."""

from __future__ import annotations

import sys
from dataclasses import replace

from .uvicorn import SERVER as _STOCK

__all__ = ["SERVER"]

SERVER = replace(
    _STOCK,
    name="uvicorn-pinned",
    cures="uvicorn",
    about="uvicorn.Config with VERIFY_X509_PARTIAL_CHAIN",
    copies=("app.py", "uvicorn_pinned.py"),
    command=(sys.executable, "{folder}/uvicorn_pinned.py"),
)
