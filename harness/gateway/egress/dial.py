"""From a host name to an open TCP connection: every address is tried."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

from .connection import Connection
from .failures import CLOSED, NO_ADDRESS
from .model import Failure

__all__ = ["dial", "server_name"]


async def dial(make: Callable[[], Connection], host: str, port: int, deadline: float) -> Failure | None:
    """Open TCP for the protocol that *make* gives to the first address of *host* that takes it; returns why it did not.

    Each address has a fair share of the time that is left until *deadline* (the loop's time), or a dead first one would
    starve the others.
    """
    loop = asyncio.get_running_loop()
    try:
        addresses = await _addresses(loop, host, port)
    except (OSError, UnicodeError):  # gaierror; or what cannot be a name
        return NO_ADDRESS
    for number, (address, family) in enumerate(addresses):
        share = (deadline - loop.time()) / (len(addresses) - number)
        try:
            async with asyncio.timeout(share if number + 1 < len(addresses) else None):
                await loop.create_connection(make, address, port, family=family)
        except (OSError, TimeoutError):
            continue
        return None
    return CLOSED


async def _addresses(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[tuple[str, int]]:
    """Address and family, in the resolver's order."""
    if _is_address(host):
        return [(host, socket.AF_INET6 if ":" in host else socket.AF_INET)]
    found = await loop.getaddrinfo(wire_name(host), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(address[0]), int(family)) for family, _, _, _, address in found))


def _is_address(host: str) -> bool:
    """Whether *host* is an IP address; a name otherwise."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def server_name(host: str) -> bytes | None:
    """What stands in SNI: a name without its final dot, nothing for an address (RFC 6066 3) or what can be no name."""
    try:
        return None if _is_address(host) else wire_name(host)
    except UnicodeError:
        return None


def wire_name(host: str) -> bytes:
    """A host name for the resolver and for SNI, in A-labels. Raises UnicodeError for what can be no name."""
    return host.rstrip(".").encode("idna")
