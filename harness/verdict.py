"""Observation -> verdict: the one place that decides what counts as accepted and what as rejected.

Rejection needs evidence. Silence, 5xx, refused connections and faults of our own prove nothing, and a fatal alert says
*that*, not *why*: only the control connection beside it (the positive twin: the same backend, TLS version and path with
a credential that must be let in) tells a judgement from a mishap.

| seen                                                                                   | verdict               |
|----------------------------------------------------------------------------------------|-----------------------|
| fatal alert                                                                            | rejected, by ``tls``  |
| close or reset after our certificate, no octet of HTTP, while the control still works  | rejected, by ``closed`` |
| HTTP 400, 401, 403, 495, 496 (settable) where the control got another status           | rejected, by ``http`` |
| the control's status class                                                             | accepted              |
| anything else                                                                          | inconclusive          |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .tls.observation import Observation, Phase, Trouble

__all__ = [
    "DEFAULT_STATUSES",
    "REJECT_STATUSES",
    "Decision",
    "Evidence",
    "Statuses",
    "Verdict",
    "judge",
    "judge_control",
]

REJECT_STATUSES = frozenset({400, 401, 403, 495, 496})
"""What servers answer to a bad client certificate; 495 and 496 are nginx's own."""


_LIMITED = 429
"""Too Many Requests (RFC 6585 4): it is said to whoever asks too often, before anybody looked at the certificate."""


class Decision(StrEnum):
    """What a verdict says."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"


class Evidence(StrEnum):
    """What a rejection rests on."""

    TLS = "tls"
    """A fatal alert."""
    CLOSED = "closed"
    """A close without a word: weaker, it may also be a crash."""
    HTTP = "http"
    """A status."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """Which HTTP statuses mean what. ``accept`` None: any status of the control's class."""

    reject: frozenset[int] = REJECT_STATUSES
    accept: frozenset[int] | None = None


DEFAULT_STATUSES = Statuses()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, what it rests on, and the same in words for the report."""

    decision: Decision
    text: str
    evidence: Evidence | None = None

    @property
    def accepted(self) -> bool:
        """Whether the peer was let in."""
        return self.decision is Decision.ACCEPTED

    @property
    def rejected(self) -> bool:
        """Whether the peer was kept out, with evidence."""
        return self.decision is Decision.REJECTED


def judge_control(seen: Observation, statuses: Statuses = DEFAULT_STATUSES) -> Verdict:
    """Judge a control connection, which has no other beside it: is this credential let in?

    Accepted: a status of ``statuses.accept``, or, where none are given, any final status that is neither 5xx nor 429 nor
    one of ``statuses.reject``.
    """
    if seen.answer is not None and _is_service(seen.answer.status, statuses):
        return Verdict(Decision.ACCEPTED, f"accepted: HTTP {seen.answer.status}")
    return _refused(seen, statuses, control_status=None)


def judge(
    seen: Observation,
    control: Observation,
    *,
    statuses: Statuses = DEFAULT_STATUSES,
    also_reject: frozenset[int] = frozenset(),
) -> Verdict:
    """Judge *seen* by the side of *control*, an accepted connection of the same backend, TLS version and path.

    *also_reject* widens the list of rejecting statuses for one scenario (``vhost/``: 404 and 421). A scenario that
    relies on ``closed`` has to see the control accepted again afterwards; that is the caller's part.
    """
    if control.answer is None:
        raise ValueError("the control connection has no answer: judge_control comes first")
    control_status = control.answer.status
    if also_reject:
        statuses = Statuses(statuses.reject | also_reject, statuses.accept)
    if seen.answer is not None:
        status = seen.answer.status
        refused = status in statuses.reject and status != control_status
        if not refused and _same_service(status, control_status, statuses):
            return Verdict(Decision.ACCEPTED, f"accepted: HTTP {status}")
    return _refused(seen, statuses, control_status=control_status)


def _is_service(status: int, statuses: Statuses) -> bool:
    if statuses.accept is not None:
        return status in statuses.accept
    return status < 500 and status != _LIMITED and status not in statuses.reject


def _same_service(status: int, control_status: int, statuses: Statuses) -> bool:
    if statuses.accept is not None:
        return status in statuses.accept
    return status < 500 and status != _LIMITED and status // 100 == control_status // 100


def _refused(seen: Observation, statuses: Statuses, *, control_status: int | None) -> Verdict:
    """What remains when *seen* is not service: a rejection with evidence, or nothing proved."""
    if seen.answer is not None:
        status = seen.answer.status
        if status in statuses.reject and status != control_status:
            return Verdict(Decision.REJECTED, f"rejected: HTTP {status}", Evidence.HTTP)
        if status == _LIMITED:
            return _inconclusive(
                "HTTP 429 says nothing about the certificate: lift the limit on requests for this check"
            )
        beside = "" if control_status is None else f" where the control got {control_status}"
        return _inconclusive(f"HTTP {status}{beside} says nothing about the certificate")
    if seen.received:
        return _inconclusive(f"{seen.received} octets came that are no complete HTTP answer")
    if seen.alert is not None and seen.alert.fatal:
        return Verdict(Decision.REJECTED, f"rejected: {seen.alert}", Evidence.TLS)
    if seen.trouble is not None:
        return _inconclusive(_trouble_words(seen))
    if seen.closing is not None:
        return _closed(seen)
    return _inconclusive("the connection ended without an answer")


def _closed(seen: Observation) -> Verdict:
    # FIN, close_notify and reset differ from try to try on one server (measured): they are one observation.
    if seen.phase is Phase.ANSWER:
        return _inconclusive("the connection was closed after an answer, as any server may do between two requests")
    if not seen.certificate_requested and not seen.resumed:
        return _inconclusive("the connection was closed, but no certificate had been asked for")
    if seen.phase < Phase.CERTIFICATE_SENT:
        return _inconclusive("the connection was closed before our certificate was sent")
    return Verdict(Decision.REJECTED, "rejected: closed without alert or answer (weaker evidence)", Evidence.CLOSED)


def _trouble_words(seen: Observation) -> str:
    if seen.trouble is Trouble.TIMEOUT:
        return f"silence: {seen.detail}"
    return seen.detail


def _inconclusive(reason: str) -> Verdict:
    return Verdict(Decision.INCONCLUSIVE, f"inconclusive: {reason}")
