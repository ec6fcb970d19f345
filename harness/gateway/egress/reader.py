"""One answer as it comes in: httptools parses it, this keeps what it says.

One reader serves one answer: httptools cannot be told that the answer to HEAD has no body, so its parser is not used
again. Interim answers (1xx) are passed over.
"""

from __future__ import annotations

from collections import deque

import httptools

__all__ = ["NotHttp", "Reader"]

_LONGEST_HEAD = 262_144


class NotHttp(Exception):
    """What came is no HTTP/1.1 answer."""


class Reader:
    """``feed`` it octets; look at ``status`` (not 0 once the head is complete), ``chunks`` and ``complete``."""

    __slots__ = (
        "_bodiless",
        "_fed",
        "_interim",
        "_parser",
        "chunks",
        "complete",
        "excess",
        "headers",
        "keep_alive",
        "reason",
        "size",
        "status",
    )

    def __init__(self, *, bodiless: bool) -> None:
        """*bodiless*: the request was HEAD."""
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[str, str]] = []
        self.chunks: deque[bytes] = deque()
        self.size = 0
        """Octets in ``chunks``."""
        self.complete = False
        self.keep_alive = False
        self.excess = False
        """More came than the answer."""
        self._bodiless, self._interim, self._fed = bodiless, False, 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take octets. Raises NotHttp for what is no answer, or has no end of headers."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise NotHttp(str(error)) from error
            self.excess = True
        if not self.status:
            self._fed += len(data)
            if self._fed > _LONGEST_HEAD:
                raise NotHttp(f"no end of the headers after {self._fed} octets")

    def end(self) -> None:
        """The peer has ended the connection, which completes a body that has no other end (RFC 9112 6.3, rule 8).

        Many servers do so without close_notify; so do we take it (RFC 9112 9.8 would call it incomplete).
        """
        if self.status and not self.complete:
            names = {name.lower() for name, _ in self.headers}
            self.complete = "content-length" not in names and "transfer-encoding" not in names

    def take(self) -> bytes:
        """What has come of the body since it was last taken."""
        data = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        self.chunks.clear()
        self.size = 0
        return data

    # --- what the parser calls

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self.complete:
            self.excess = True

    def on_status(self, reason: bytes) -> None:
        """(A piece of) the reason phrase."""
        if not self.status:
            self.reason += reason.decode("utf-8", "surrogateescape")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers are left out."""
        if not self.status:
            self.headers.append((name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")))

    def on_headers_complete(self) -> None:
        """The end of a head."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                raise NotHttp("101 without having been asked to switch")
            self._interim = True
            self.headers.clear()
            self.reason = ""
            return
        self.status = status
        self.keep_alive = self._parser.should_keep_alive()
        if self._bodiless:
            self.complete = True
            self.keep_alive = self._parser.get_http_version() == "1.1" and not any(
                name.lower() == "connection" and "close" in value.lower() for name, value in self.headers
            )

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.complete:
            self.excess = True
        else:
            self.chunks.append(data)
            self.size += len(data)

    def on_message_complete(self) -> None:
        """The end of an answer."""
        if self._interim:
            self._interim = False
        else:
            self.complete = True
