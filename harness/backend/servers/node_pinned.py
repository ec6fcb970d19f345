"""Node for several gateway certificates of one name: ``allowPartialTrustChain`` in a context given by SNICallback.

SIGHUP reads the truststore again. A client without SNI does not reach the callback and still meets the trap.
"""

from __future__ import annotations

from ..reload import ReloadWay
from ..server import Server
from .node import NEEDS, REMEDIES

__all__ = ["SERVER"]

SERVER = Server(
    name="node-pinned",
    cures="node",
    about="SNICallback with allowPartialTrustChain, and setSecureContext on SIGHUP",
    needs=NEEDS,
    copies=("node_pinned.js",),
    command=("node", "{folder}/node_pinned.js"),
    reload=ReloadWay("signal", ("HUP",)),
    version=("node", "--version"),
    remedies=REMEDIES,
)
