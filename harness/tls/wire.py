"""Octets between a socket and a TLS connection in memory, each step with a deadline.

How it works: the socket does not block, and the loop goes on reading whatever happens to our writing: a server that
refuses may close while we still write, and its alert is only seen by who goes on reading. Nothing is written to a peer
that has ended TCP already, so that what counts as sent did have somebody to read it.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from OpenSSL import SSL

from .notes import Notes
from .observation import Closing, Phase

__all__ = ["PeerClosed", "TimedOut", "Wire", "open_tcp"]

_T = TypeVar("_T")
_CHUNK = 65_536


class PeerClosed(Exception):
    """The peer ended TCP; the notes say how."""


class TimedOut(Exception):
    """The deadline passed."""


def open_tcp(host: str, port: int, seconds: float) -> socket.socket:
    """A non-blocking connection to the first address of *host* that takes it, within *seconds* for all of them.

    The name look-up is the operating system's and has its own patience. Raises OSError (gaierror for the
    name), and UnicodeError for what cannot be a name.
    """
    deadline = time.monotonic() + seconds
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = TimeoutError("no address in time")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        try:
            tcp = socket.socket(family, kind, protocol)
        except OSError as error:  # no IPv6 here, for one
            failure = error
            continue
        try:
            # a fair share for each, or a dead first address would starve the others
            tcp.settimeout(remaining / (len(addresses) - number))
            tcp.connect(address)
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tcp.setblocking(False)
        except OSError as error:
            tcp.close()
            failure = error
        else:
            return tcp
    raise failure


class Wire:
    """An open, non-blocking TCP connection to the peer, and the TLS connection that speaks over it."""

    def __init__(self, tcp: socket.socket, tls: SSL.Connection, notes: Notes) -> None:
        self._socket, self._tls, self._notes = tcp, tls, notes
        self._outgoing = bytearray()
        self._broken = False

    def drive(self, step: Callable[[], _T], deadline: float) -> _T:
        """Repeat *step* until it has what it needs, moving octets both ways meanwhile.

        The deadline holds however busy the peer keeps us. Raises TimedOut, PeerClosed, and what TLS raises.
        """
        while time.monotonic() < deadline:
            try:
                return step()
            except SSL.WantReadError:
                self._move(deadline)
        raise TimedOut

    def flush(self) -> bool:
        """Write what TLS wants to send, as far as TCP takes it; returns whether the peer was still there to take it.

        Never raises PeerClosed: what the peer said before it ended TCP is still to be read.
        """
        self._collect()
        if not self._outgoing:
            return True
        if self._peer_has_ended():
            self._outgoing.clear()
            return False
        if self._notes.certificate_written:
            self._notes.reach(Phase.CERTIFICATE_SENT)
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            pass
        except ConnectionError:
            self._outgoing.clear()
            self._broken = True
        return True

    def close(self) -> None:
        """Close TCP."""
        self._socket.close()

    def _collect(self) -> None:
        try:
            while True:
                self._outgoing += self._tls.bio_read(_CHUNK)
        except SSL.WantReadError:
            pass

    def _move(self, deadline: float) -> None:
        """Write what can be written, wait until something can be read, and read it."""
        poll = select.poll()
        while True:
            self.flush()
            if self._read_some():
                return
            poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not poll.poll(remaining * 1000):
                raise TimedOut

    def _peer_has_ended(self) -> bool:
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except ConnectionError:
            self._broken = True
            return True

    def _read_some(self) -> bool:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return False
        except ConnectionError:
            data, self._broken = b"", True
        if not data:
            self._notes.closing = Closing.RESET if self._broken else Closing.FIN
            raise PeerClosed
        self._notes.note_octets(data)
        self._tls.bio_write(data)
        return True
