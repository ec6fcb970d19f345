"""Express with npm's ``client-certificate-auth``, the middleware that API Gateway's documentation names.

It shakes hands with everybody and refuses by HTTP 401. The packages are looked for in ``./node_modules`` and NODE_PATH.
"""

from __future__ import annotations

from pathlib import Path

from ..contract import Material
from ..server import Server, node_modules, npm_package
from .node import NEEDS, REMEDIES

__all__ = ["SERVER"]

_PACKAGES = ("express", "client-certificate-auth")


def _node_path(material: Material, folder: Path) -> dict[str, str]:
    found = dict.fromkeys(str(node_modules(name) or "") for name in _PACKAGES)
    return {"modules": ":".join(found)}


SERVER = Server(
    name="node-express",
    about="Express with client-certificate-auth: requestCert, rejectUnauthorized false, HTTP 401",
    needs=(*NEEDS, *map(npm_package, _PACKAGES)),
    copies=("node_express.js",),
    command=("env", "NODE_PATH={modules}", "node", "{folder}/node_express.js"),
    values=_node_path,
    version=("node", "--version"),
    remedies=REMEDIES,
)
