"""Which statuses accept and reject can be set, by the user and by a scenario."""

from __future__ import annotations

from pytest_mtls.harness.verdict import Decision, Statuses, judge

from .observations import CONTROL, answered

ACCEPTED, REJECTED, INCONCLUSIVE = Decision.ACCEPTED, Decision.REJECTED, Decision.INCONCLUSIVE


def test_rejecting_statuses_can_be_set() -> None:
    """A backend that says 404 to strangers, and 400 for other reasons."""

    statuses = Statuses(reject=frozenset({404}))
    decisions = [judge(answered(status), CONTROL, statuses=statuses).decision for status in (404, 400)]
    assert decisions == [REJECTED, INCONCLUSIVE]


def test_a_server_error_can_be_declared_a_rejection() -> None:
    """By the user alone, who knows the backend."""

    assert judge(answered(503), CONTROL, statuses=Statuses(reject=frozenset({503}))).rejected


def test_accepting_statuses_can_be_set() -> None:
    """Then they alone are acceptance, whatever the control's class."""

    statuses = Statuses(accept=frozenset({200, 302}))
    decisions = [judge(answered(status), CONTROL, statuses=statuses).decision for status in (200, 302, 204)]
    assert decisions == [ACCEPTED, ACCEPTED, INCONCLUSIVE]


def test_a_scenario_can_widen_what_rejects() -> None:
    """In vhost/ 404 and 421 are refusals, for it alone."""

    wide = frozenset({404, 421})
    decisions = [judge(answered(status), CONTROL, also_reject=wide).decision for status in (404, 421, 403, 410)]
    assert decisions == [REJECTED, REJECTED, REJECTED, INCONCLUSIVE]


def test_widening_does_not_turn_the_controls_status_into_a_rejection() -> None:
    """Where the control gets 404 too, 404 tells nobody apart."""

    assert judge(answered(404), answered(404), also_reject=frozenset({404})).accepted


def test_widening_keeps_the_accepting_statuses() -> None:
    """The two settings do not disturb each other."""

    statuses, wide = Statuses(accept=frozenset({204})), frozenset({421})
    verdicts = [judge(answered(status), answered(204), statuses=statuses, also_reject=wide) for status in (204, 200)]
    assert [verdict.decision for verdict in verdicts] == [ACCEPTED, INCONCLUSIVE]
