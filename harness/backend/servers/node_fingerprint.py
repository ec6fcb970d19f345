"""Node that compares fingerprints in the application, in any version; it looks at the dates too, also of a resumed session."""

from __future__ import annotations

from ..reload import ReloadWay
from ..server import Server
from .node import NEEDS, REMEDIES

__all__ = ["SERVER"]

SERVER = Server(
    name="node-fingerprint",
    cures="node",
    about="rejectUnauthorized false; fingerprint256 and dates compared for each request",
    needs=NEEDS,
    copies=("node_fingerprint.js",),
    command=("node", "{folder}/node_fingerprint.js"),
    reload=ReloadWay("signal", ("HUP",)),
    version=("node", "--version"),
    remedies=REMEDIES,
)
