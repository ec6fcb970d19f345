"""One authority's side of revocation: what it has taken back, and what it says about that by CRL and by OCSP.

Nothing is served here. Whoever serves asks ``give_crl`` and ``answer_ocsp``; whoever tests changes the modes meanwhile, from
another thread.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from cryptography import x509

from .clock import Clock
from .errors import UsageError, did_you_mean
from .pki.authority import Authority
from .pki.ocsp import OcspMode, ocsp_answer
from .pki.revocation import SKEW, CrlMode, Revoked, make_crl

__all__ = ["DistributionPoint", "Responder", "RevocationAuthority"]

_Mode = TypeVar("_Mode", bound=StrEnum)


class DistributionPoint:
    """Where one authority publishes its CRL. ``mode`` may be changed at any time: a CrlMode or its word, such as "stale"."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = 0
        """How often it was asked for, answered or not."""
        self._mode = CrlMode.FULL

    @property
    def mode(self) -> CrlMode:
        """What is published."""
        return self._mode

    @mode.setter
    def mode(self, mode: CrlMode | str) -> None:
        self._mode = _one_of(CrlMode, mode, "CRL mode")


class Responder:
    """Where one authority answers OCSP. ``mode`` may be changed at any time: an OcspMode or its word, such as "silent"."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = 0
        """How often it was asked, answered or not."""
        self._mode = OcspMode.NORMAL

    @property
    def mode(self) -> OcspMode:
        """How it answers."""
        return self._mode

    @mode.setter
    def mode(self, mode: OcspMode | str) -> None:
        self._mode = _one_of(OcspMode, mode, "OCSP mode")


class RevocationAuthority:
    """One authority of a RevocationPki: what it has taken back, its distribution point ``crl`` and its responder ``ocsp``.

    OCSP knows of a revocation at once; the CRL is the one that was published last, until the next is.
    """

    def __init__(
        self, authority: Authority, crl: DistributionPoint, ocsp: Responder, clock: Clock, lifetime: timedelta
    ) -> None:
        self.authority = authority
        self.crl, self.ocsp = crl, ocsp
        self._clock, self._lifetime = clock, lifetime
        self._lock = threading.Lock()
        self._revoked: dict[int, Revoked] = {}  # replaced, never changed: the server's thread reads it
        self._published: tuple[Revoked, ...] = ()
        self.crl_number = 0
        """The number of the CRL that was published last (RFC 5280 5.2.3); the first one has 1."""
        self.publish()

    @property
    def revoked(self) -> tuple[Revoked, ...]:
        """What was taken back, published or not, oldest first."""
        return tuple(self._revoked.values())

    def revoke(self, serial: int, reason: x509.ReasonFlags | None = None) -> None:
        """Take back the certificate of this *serial* number, as of an hour ago; the CRL says so when it is published."""
        with self._lock:
            self._revoked = {**self._revoked, serial: Revoked(serial, self._clock() - SKEW, reason)}

    def publish(self) -> None:
        """Publish a new CRL: the next number, valid from now (an hour ago), with all that was taken back until now."""
        with self._lock:
            self.crl_number += 1
            self._published = self.revoked
            self._published_at = self._clock()
            self._full = self._make(CrlMode.FULL, self._published_at)

    def crl_der(self, mode: CrlMode | str | None = None) -> bytes:
        """The CRL as it is published, or as it would be in another *mode*. Raises UsageError for ``silent``."""
        wanted = self.crl.mode if mode is None else _one_of(CrlMode, mode, "CRL mode")
        if wanted is CrlMode.SILENT:
            raise UsageError("CRL mode (silent): expected one that has a list, saw the one without. Name another mode.")
        return self._full if wanted is CrlMode.FULL else self._make(wanted, self._clock())

    def give_crl(self) -> bytes | None:
        """What the distribution point says: DER, or None for silence. For the server."""
        self.crl.requests += 1
        return None if self.crl.mode is CrlMode.SILENT else self.crl_der()

    def answer_ocsp(self, request: bytes) -> bytes | None:
        """What the responder says: DER, or None for silence. For the server."""
        self.ocsp.requests += 1
        return ocsp_answer(self.authority, request, self._revoked, now=self._clock(), mode=self.ocsp.mode)

    def _make(self, mode: CrlMode, now: datetime) -> bytes:
        return make_crl(
            self.authority, self._published, now=now, mode=mode, number=self.crl_number, lifetime=self._lifetime
        )


def _one_of(kind: type[_Mode], mode: str, what: str) -> _Mode:
    known = [str(one) for one in kind]
    if mode not in known:
        raise UsageError(
            f"{what} ({mode}): expected one of {', '.join(known)}.{did_you_mean(mode, known)} Name one of them."
        )
    return kind(mode)
