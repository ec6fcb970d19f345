"""From a URL, the user's or a factory's, to where a probe connects and what it says there."""

from __future__ import annotations

import socket
from urllib.parse import SplitResult, urlsplit

from ..errors import BackendError
from ..tls.probe import Endpoint
from .contract import Material

__all__ = ["endpoint_of"]


def endpoint_of(url: str, path: str, material: Material | None = None, *, what: str = "URL") -> Endpoint:
    """The endpoint of an https URL; *path* other than / replaces the URL's.

    A backend of ours that calls itself by address is asked for as localhost, so that it always gets SNI. Raises
    BackendError, calling the URL *what*, for one that cannot be used.
    """
    parts, host, port = _split(url, what)
    numeric = _is_address(host)
    name = ("localhost" if material is not None else None) if numeric else host
    shown = f"[{host}]" if ":" in host else host
    own_path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(
        host=material.host if material is not None and host == "localhost" else host,
        port=port,
        server_name=name,
        authority=f"{name if numeric and name else shown}:{port}",
        path=path if path != "/" else own_path,
    )


def _split(url: str, what: str) -> tuple[SplitResult, str, int]:
    """The URL's parts, host and port, each of them one that can be called."""
    expected = f"{what} ({url}): expected https://HOST[:PORT]/PATH"
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BackendError(
            f"{expected} in ASCII without blanks, saw others. Percent-encode the path; write the host as xn--…."
        )
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
        host = parts.hostname or ""
        host.encode("idna")
    except UnicodeError as error:
        raise BackendError(f"{expected}, saw a host that no name can have. Correct the host.") from error
    except ValueError as error:
        raise BackendError(f"{expected} with a port from 1 to 65535, saw: {error}. Correct the URL.") from error
    if parts.scheme != "https" or not host:
        raise BackendError(f"{expected}, saw {_lack(parts)}. mTLS needs https.")
    if port == 0:
        raise BackendError(f"{expected} with a port from 1 to 65535, saw 0. Correct the port.")
    if "@" in parts.netloc:
        raise BackendError(f"{what}: expected no user name or password in the URL, saw one for {host}. Leave it out.")
    return parts, host, port


def _lack(parts: SplitResult) -> str:
    return "no host" if parts.scheme == "https" else f"{parts.scheme or 'no scheme'}"


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except OSError:
            continue
        return True
    return False
