"""What has to happen again before it counts."""

from __future__ import annotations

import pytest

from pytest_mtls.harness.backend.doubt import as_confirmed, refuses_version
from pytest_mtls.harness.tls.observation import Observation, Phase
from pytest_mtls.harness.verdict import Verdict, judge

from .observations import CONTROL, alerted, answered

EARLY = alerted(80, phase=Phase.CONNECTED, certificate_requested=False)
TOO_OLD = alerted(70, phase=Phase.CONNECTED, certificate_requested=False)


def judged(seen: Observation) -> tuple[Observation, Verdict]:
    """*seen*, and its verdict beside the control."""
    return seen, judge(seen, CONTROL)


def confirmed(first: Observation, *others: Observation, early: bool = True) -> Verdict:
    """The verdict on *first* when the *others* follow it, and the control is let in."""
    following = iter(others)
    return as_confirmed(*judged(first), lambda: judged(next(following)), lambda: judge(CONTROL, CONTROL), early=early)[
        1
    ]


@pytest.mark.parametrize("others", [(answered(200),), (EARLY, answered(200))], ids=["second", "third"])
def test_an_alert_before_the_server_hello_gives_way_to_service(others: tuple[Observation, ...]) -> None:
    """No certificate had been asked for, so it was about something else."""
    assert confirmed(EARLY, *others).accepted


def test_an_alert_before_the_server_hello_three_times_in_a_row_counts() -> None:
    """While the control is let in."""
    assert confirmed(EARLY, EARLY, EARLY).rejected


def test_an_alert_on_an_offered_session_counts_at_once() -> None:
    """The caller says so: it may be about the session. Nothing is asked again, or the empty list would end in an error."""
    assert confirmed(EARLY, early=False).rejected


def test_a_later_alert_counts_at_once() -> None:
    """The certificate was seen by then."""
    assert confirmed(alerted(48)).rejected


@pytest.mark.parametrize(
    ("others", "refuses"),
    [((TOO_OLD, TOO_OLD), True), ((TOO_OLD, answered(200)), False), ((answered(200),), False)],
    ids=["always", "twice", "once"],
)
def test_a_version_is_refused_when_it_is_three_times(others: tuple[Observation, ...], refuses: bool) -> None:
    """Of two servers behind one address one may be older."""
    following = iter(others)
    assert refuses_version(TOO_OLD, lambda: next(following)) is refuses
