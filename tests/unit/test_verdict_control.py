"""Whether the control was let in, by which all others are judged."""

from __future__ import annotations

import pytest

from pytest_mtls.harness.tls.observation import Closing, Observation, Phase, Trouble
from pytest_mtls.harness.verdict import REJECT_STATUSES, Decision, Evidence, Statuses, Verdict, judge, judge_control

from .observations import alerted, answered, seen

ACCEPTED, REJECTED, INCONCLUSIVE = Decision.ACCEPTED, Decision.REJECTED, Decision.INCONCLUSIVE


@pytest.mark.parametrize("status", [200, 204, 302, 404])
def test_a_control_that_is_answered_is_let_in(status: int) -> None:
    """Any answer but a refusal or a server error shows that the application was reached."""

    assert judge_control(answered(status)) == Verdict(ACCEPTED, f"accepted: HTTP {status}")


@pytest.mark.parametrize("status", sorted(REJECT_STATUSES))
def test_a_control_that_is_refused_is_not_let_in(status: int) -> None:
    """It may need a token or another path; the caller says so."""

    verdict = judge_control(answered(status))
    assert (verdict.decision, verdict.evidence) == (REJECTED, Evidence.HTTP)


def test_too_many_requests_is_a_word_about_requests() -> None:
    """Whoever asks too often hears it, so it shows neither that a control was let in nor that a peer was treated alike."""

    for verdict in (judge_control(answered(429)), judge(answered(429), answered(404))):
        assert verdict.decision is INCONCLUSIVE
        assert "HTTP 429 says nothing about the certificate: lift the limit" in verdict.text


def test_too_many_requests_can_be_declared_service() -> None:
    """By --accept-status."""

    assert judge_control(answered(429), Statuses(accept=frozenset({429}))).accepted


@pytest.mark.parametrize("status", [500, 503])
def test_a_control_with_a_server_error_proves_nothing(status: int) -> None:
    """And no control is spoken of beside the control."""

    verdict = judge_control(answered(status))
    assert verdict.text == f"inconclusive: HTTP {status} says nothing about the certificate"


@pytest.mark.parametrize(
    ("observation", "decision"),
    [
        (alerted(48), REJECTED),
        (seen(closing=Closing.FIN), REJECTED),
        (seen(closing=Closing.FIN, phase=Phase.CONNECTED), INCONCLUSIVE),
        (seen(trouble=Trouble.REFUSED, detail="nobody listens there", phase=Phase.START), INCONCLUSIVE),
        (seen(received=3), INCONCLUSIVE),
        (seen(), INCONCLUSIVE),
    ],
    ids=["alert", "closed", "closed-early", "refused", "octets", "nothing"],
)
def test_a_control_without_an_answer_is_judged_by_the_same_rules(observation: Observation, decision: Decision) -> None:
    """There is one place that decides what counts."""

    assert judge_control(observation).decision is decision


def test_accepting_statuses_hold_for_the_control() -> None:
    """A declared status is service even if it looks like a refusal; any other is none."""

    statuses = Statuses(accept=frozenset({401}))
    decisions = [judge_control(answered(status), statuses).decision for status in (401, 200)]
    assert decisions == [ACCEPTED, INCONCLUSIVE]


def test_a_refusal_that_the_control_gets_too_is_service() -> None:
    """Where 401 is declared the service's answer, and the control got it, it refuses nobody."""

    statuses = Statuses(accept=frozenset({401}))
    assert judge(answered(401), answered(401), statuses=statuses).accepted


def test_without_an_answer_of_the_control_nothing_can_be_judged() -> None:
    """Who calls so has skipped judge_control: an error of ours, not a verdict."""

    with pytest.raises(ValueError, match="judge_control comes first"):
        judge(answered(403), seen(closing=Closing.FIN))
