"""Free ports for servers that bind by themselves."""

from __future__ import annotations

import random
import socket

from ..errors import BackendError

__all__ = ["can_bind", "free_port"]

_PORTS = range(20_000, 32_000)
"""Below Linux's ephemeral ports, so that no outgoing connection takes one between our choosing and the server's bind."""


def free_port() -> int:
    """A port of 127.0.0.1 that is free at this moment; raises BackendError when none is found."""
    for port in random.sample(_PORTS, 50):
        if can_bind(port):
            return port
    raise BackendError("no free port between 20000 and 32000 on 127.0.0.1 in 50 tries. End what occupies them.")


def can_bind(port: int) -> bool:
    """Whether *port* of 127.0.0.1 can be bound, as a server does it (SO_REUSEADDR)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
