"""Whether what a backend did once is what it does: who limits connections closes some of them, whoever opened them.

A close is the weakest evidence there is, and a good twin before and after it does not help when every fifth connection is
reset: the one in between was the fifth. So a close is asked for again before it counts. The order is close, control, close,
close, and then the caller's control: two attempts in a row cannot both fall on every n-th connection, whatever n is, and a
limit of so many a second would have to begin and end twice between them, around controls that are let in. The same holds
for an alert before the ServerHello: no certificate had been asked for, so it may be about anything. A later alert, or a status,
needs none of this: limiters do not speak as a verifier does.
"""

from __future__ import annotations

from collections.abc import Callable

from ..tls.observation import Observation, Phase
from ..verdict import Decision, Evidence, Verdict
from .signs import version_is_refused

__all__ = ["as_confirmed", "refuses_version"]


def as_confirmed(
    seen: Observation,
    verdict: Verdict,
    again: Callable[[], tuple[Observation, Verdict]],
    control: Callable[[], Verdict] | None = None,
    *,
    early: bool = False,
) -> tuple[Observation, Verdict]:
    """*seen* and its *verdict*, or, when that rests on a close or an early alert, what counts after two more attempts.

    *again* makes one attempt. *control* makes a control connection; None where it need not be let in. What differs from the
    first one in this, counts; the rejection remains when nothing does. *early*: an alert before the ServerHello is as weak,
    since neither a session nor a name was offered that it could be about.
    """
    for twin in (control, None):
        if verdict.evidence is not Evidence.CLOSED and not (early and _is_early(seen)):
            break
        if twin is not None and not (seen_twin := twin()).accepted:
            first = verdict.text.removeprefix("rejected: ")
            text = f"inconclusive: {first}, and then the twin that must be let in was not: {seen_twin.text}"
            return seen, Verdict(Decision.INCONCLUSIVE, text)
        seen, verdict = again()
    return seen, verdict


def _is_early(seen: Observation) -> bool:
    return seen.alert is not None and seen.phase < Phase.SERVER_HELLO


def refuses_version(seen: Observation, again: Callable[[], Observation]) -> bool:
    """Whether the peer does not speak this version: by an alert, a close or no TLS, three times in a row.

    Once is not enough for an alert either: of two servers behind one address one may be older.
    """
    return version_is_refused(seen) and all(version_is_refused(again()) for _ in range(2))
