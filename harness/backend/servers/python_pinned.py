"""Python's ``http.server`` with VERIFY_X509_PARTIAL_CHAIN and, on SIGHUP, a new context: the rotation without a restart."""

from __future__ import annotations

import sys

from ..reload import ReloadWay
from ..server import Server
from .python import REMEDIES

__all__ = ["SERVER"]

SERVER = Server(
    name="python-pinned",
    cures="python",
    about="VERIFY_X509_PARTIAL_CHAIN, and a new SSLContext on SIGHUP",
    needs=(),
    copies=("python_pinned.py",),
    command=(sys.executable, "-P", "{folder}/python_pinned.py"),
    reload=ReloadWay("signal", ("HUP",)),
    version=(sys.executable, "--version"),
    remedies=REMEDIES,
)
