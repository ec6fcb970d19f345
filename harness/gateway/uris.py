"""What an integration's URI may be, stage variables and path parameters in it included."""

from __future__ import annotations

import re

from .errors import bad_request

__all__ = ["check_uri"]

_VARIABLE = re.compile(r"\$\{stageVariables\.\w+\}", re.ASCII)
_URI = re.compile(
    r"https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.~-]+)(?::(?P<port>[0-9]{1,5}|~))?(?:[/?#][^\s]*)?", re.ASCII
)
_LOWEST_FREE_PORT, _HIGHEST_PORT = 1024, 65_535


def check_uri(uri: str | None) -> str:
    """*uri*, if an HTTP integration may have it: http or https, a host, port 80, 443 or from 1024 on.

    What a stage variable stands for is not known yet, so any host or port may be one. Raises BadRequestException.
    """
    # A tilde stands for a stage variable: it is in no host name of its own.
    found = None if "~" in _authority(uri or "") else _URI.fullmatch(_VARIABLE.sub("~", uri or ""))
    if uri is None or found is None or not _allowed(found["port"]):
        raise bad_request("Invalid HTTP endpoint specified for URI")
    return uri


def _authority(uri: str) -> str:
    return re.split(r"[/?#]", uri.partition("://")[2], maxsplit=1)[0]


def _allowed(port: str | None) -> bool:
    if port in (None, "~", "80", "443"):
        return True
    return _LOWEST_FREE_PORT <= int(port or 0) <= _HIGHEST_PORT
