"""Lists in pages, for all operations that have them.

A page goes on behind the last key that was shown, in the order of the keys: so a client that deletes what it is shown,
page by page, sees everything once.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from .errors import bad_request

__all__ = ["DEFAULT_LIMIT", "MOST", "page"]

DEFAULT_LIMIT = 25
MOST = 500


def page(
    keys: Iterable[str], *, limit: int | None, token: str | None, scope: str, most: int = MOST
) -> tuple[list[str], str | None]:
    """The keys of one page, and the token of the next one if there is one.

    *scope* names the list, so that a token of another list is refused. Raises BadRequestException for a token that is not
    ours and a limit that is not 1 to *most*.
    """
    if limit is None:
        limit = DEFAULT_LIMIT
    if not 1 <= limit <= most:
        raise bad_request(f"Invalid limit specified: {limit}. Must be from 1 to {most}")
    last = _last(token, scope) if token is not None else None
    rest = sorted(key for key in keys if last is None or key > last)
    shown = rest[:limit]
    return shown, _token(scope, shown[-1]) if len(rest) > limit else None


def _token(scope: str, last: str) -> str:
    return base64.urlsafe_b64encode(f"{scope}\n{last}".encode()).decode()


def _last(token: str, scope: str) -> str:
    try:
        head, _, last = base64.urlsafe_b64decode(token).decode().partition("\n")
    except ValueError:
        head, last = "", ""
    if head != scope or _token(scope, last) != token:
        raise bad_request("Invalid position parameter specified")
    return last
