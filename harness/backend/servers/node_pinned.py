"""Node for several gateway certificates of one name: ``allowPartialTrustChain`` in a context given by SNICallback.

SIGHUP reads the truststore again. A client without SNI does not reach the callback and still meets the trap.
"""

from __future__ import annotations

from ..reload import ReloadWay
from ..server import Need, Server, newer_than, version_by
from .node import NEEDS, REMEDIES

__all__ = ["SERVER"]

_VERSION = ("node", "--version")
_NEW_ENOUGH = Need(
    "Node.js 20.18 or newer, which knows allowPartialTrustChain",
    "Older ones: --server node-fingerprint; Debian 12 has 18, nodejs.org newer ones.",
    lambda: newer_than(version_by(_VERSION), (20, 18)),
)

SERVER = Server(
    name="node-pinned",
    cures="node",
    about="SNICallback with allowPartialTrustChain, and setSecureContext on SIGHUP",
    needs=(*NEEDS, _NEW_ENOUGH),
    copies=("node_pinned.js",),
    command=("node", "{folder}/node_pinned.js"),
    reload=ReloadWay("signal", ("HUP",)),
    version=_VERSION,
    remedies=REMEDIES,
)
