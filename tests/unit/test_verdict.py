"""What counts as accepted, what as rejected, and what proves nothing: every row of the table in the design."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mtls.harness.tls.alerts import Alert
from pytest_mtls.harness.tls.observation import Closing, HttpAnswer, Observation, Phase, Trouble
from pytest_mtls.harness.verdict import DEFAULT_STATUSES, REJECT_STATUSES, Decision, Evidence, Verdict, judge

from .observations import CONTROL, alerted, answered, seen

ACCEPTED, REJECTED, INCONCLUSIVE = Decision.ACCEPTED, Decision.REJECTED, Decision.INCONCLUSIVE


# --- a fatal alert


@pytest.mark.parametrize("number", [40, 42, 45, 48, 51, 80, 116, 200])
def test_a_fatal_alert_is_a_rejection(number: int) -> None:
    """The alert says that, not why: its number makes no difference."""

    verdict = judge(alerted(number), CONTROL)
    assert (verdict.decision, verdict.evidence) == (REJECTED, Evidence.TLS)


def test_the_verdict_names_the_alert() -> None:
    """Number and name stand in the report."""

    assert judge(alerted(48), CONTROL).text == "rejected: alert 48 unknown_ca"


@pytest.mark.parametrize("phase", [Phase.CONNECTED, Phase.SERVER_HELLO, Phase.CERTIFICATE_SENT, Phase.HANDSHAKE])
def test_a_fatal_alert_counts_in_every_phase(phase: Phase) -> None:
    """TLS 1.2 refuses within the handshake, TLS 1.3 after it; a server that knows no such name before all."""

    assert judge(alerted(112, phase=phase, certificate_requested=False), CONTROL).rejected


@pytest.mark.parametrize("closing", [None, *Closing])
def test_a_fatal_alert_counts_however_the_connection_ends(closing: Closing | None) -> None:
    """The alert is the stronger evidence."""

    assert judge(alerted(48, closing=closing), CONTROL).evidence is Evidence.TLS


def test_a_fatal_alert_counts_though_the_peer_then_falls_silent() -> None:
    """Some servers send the alert and leave TCP open."""

    silent = alerted(48, trouble=Trouble.TIMEOUT, detail="nothing came after our request")
    assert judge(silent, CONTROL).rejected


def test_a_warning_alert_alone_proves_nothing() -> None:
    """A warning (no_renegotiation, user_canceled) does not end the connection."""

    assert judge(alerted(100, fatal=False), CONTROL).decision is INCONCLUSIVE


def test_a_warning_alert_before_a_close_is_weak_evidence_only() -> None:
    """What rejects is the close then, not the warning."""

    assert judge(alerted(90, fatal=False, closing=Closing.FIN), CONTROL).evidence is Evidence.CLOSED


def test_a_warning_alert_before_an_answer_does_not_matter() -> None:
    """Who is served is let in."""

    assert judge(answered(200, alert=Alert(100, fatal=False, phase="handshake")), CONTROL).accepted


def test_a_fatal_alert_behind_the_answer_does_not_matter() -> None:
    """The application has served before the alert came: that is no rejection."""

    assert judge(answered(200, alert=Alert(48, fatal=True, phase="answer")), CONTROL).accepted


# --- closed without a word


@pytest.mark.parametrize("closing", Closing)
@pytest.mark.parametrize("phase", [Phase.CERTIFICATE_SENT, Phase.HANDSHAKE, Phase.REQUEST_SENT])
def test_a_close_after_our_certificate_is_a_rejection(closing: Closing, phase: Phase) -> None:
    """FIN, close_notify and reset differ from try to try on one server: they are one observation."""

    verdict = judge(seen(closing=closing, phase=phase), CONTROL)
    assert (verdict.decision, verdict.evidence) == (REJECTED, Evidence.CLOSED)


def test_a_close_is_called_weaker_evidence() -> None:
    """A crash looks the same, and the report says so."""

    assert "weaker evidence" in judge(seen(closing=Closing.FIN), CONTROL).text


@pytest.mark.parametrize("closing", Closing)
@pytest.mark.parametrize("phase", [Phase.CONNECTED, Phase.SERVER_HELLO])
def test_a_close_before_our_certificate_proves_nothing(closing: Closing, phase: Phase) -> None:
    """The server cannot have judged what it had not got."""

    verdict = judge(seen(closing=closing, phase=phase), CONTROL)
    assert verdict.text == "inconclusive: the connection was closed before our certificate was sent"


@pytest.mark.parametrize("phase", [Phase.CONNECTED, Phase.HANDSHAKE, Phase.REQUEST_SENT])
def test_a_close_without_certificate_request_proves_nothing(phase: Phase) -> None:
    """A server that never asked has not refused an answer."""

    verdict = judge(seen(closing=Closing.RESET, phase=phase, certificate_requested=False), CONTROL)
    assert verdict.text == "inconclusive: the connection was closed, but no certificate had been asked for"


def test_a_close_after_resumption_is_a_rejection() -> None:
    """In a resumed handshake nobody asks again: the certificate is known from the first one."""

    resumed = seen(closing=Closing.FIN, phase=Phase.HANDSHAKE, certificate_requested=False, resumed=True)
    assert judge(resumed, CONTROL).evidence is Evidence.CLOSED


@pytest.mark.parametrize("closing", Closing)
def test_a_close_between_two_requests_proves_nothing(closing: Closing) -> None:
    """On a kept connection: after an answer any server may close, and the next request was not judged."""

    verdict = judge(seen(closing=closing, phase=Phase.ANSWER), CONTROL)
    assert verdict.decision is INCONCLUSIVE


@pytest.mark.parametrize("end", [{"closing": Closing.FIN}, {"alert": Alert(48, True, "request_sent")}])
def test_octets_without_an_answer_prove_nothing(end: dict[str, Any]) -> None:
    """HTTP had begun (1xx, half a status line): the application was reached, and neither close nor alert refuses."""

    verdict = judge(seen(received=25, **end), CONTROL)
    assert verdict.text == "inconclusive: 25 octets came that are no complete HTTP answer"


# --- HTTP


@pytest.mark.parametrize("status", sorted(REJECT_STATUSES))
def test_a_rejecting_status_is_a_rejection(status: int) -> None:
    """What servers answer to a bad client certificate where the control is served."""

    verdict = judge(answered(status), CONTROL)
    assert (verdict.decision, verdict.evidence, verdict.text) == (REJECTED, Evidence.HTTP, f"rejected: HTTP {status}")


def test_the_rejecting_statuses_are_those_of_the_design() -> None:
    """Each further one would make the tool believe more."""

    assert {400, 401, 403, 495, 496} == REJECT_STATUSES == DEFAULT_STATUSES.reject


@pytest.mark.parametrize("status", [200, 201, 204, 206])
def test_the_controls_status_class_is_acceptance(status: int) -> None:
    """The same service may answer with another status of its class."""

    verdict = judge(answered(status), CONTROL)
    assert (verdict.decision, verdict.evidence, verdict.text) == (ACCEPTED, None, f"accepted: HTTP {status}")


def test_an_incomplete_answer_is_an_answer() -> None:
    """The status is known; that the body was cut off says nothing about the certificate."""

    answer = HttpAnswer(status=200, version="1.1", headers=(), head="", length=0, complete=False)
    assert judge(answered(200, answer=answer, closing=Closing.RESET), CONTROL).accepted


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize("control", [200, 404, 503])
def test_a_server_error_proves_nothing(status: int, control: int) -> None:
    """A backend that breaks on a certificate has not refused it."""

    verdict = judge(answered(status), answered(control))
    assert verdict.decision is INCONCLUSIVE
    assert f"HTTP {status} where the control got {control}" in verdict.text


@pytest.mark.parametrize("status", [101, 301, 302, 304, 404, 405, 421, 429])
def test_another_class_beside_a_served_control_proves_nothing(status: int) -> None:
    """A redirect may lead to a login page or to the same service: nobody can tell."""

    assert judge(answered(status), CONTROL).decision is INCONCLUSIVE


def test_a_redirect_beside_a_redirected_control_is_acceptance() -> None:
    """Where the control is redirected too, the peer was treated alike."""

    assert judge(answered(302), answered(301)).accepted


# --- a control that gets 404


def test_404_beside_a_404_is_acceptance() -> None:
    """A path that does not exist still shows who reaches the application."""

    assert judge(answered(404), answered(404)).accepted


@pytest.mark.parametrize("status", sorted(REJECT_STATUSES))
def test_a_rejecting_status_beside_a_404_is_a_rejection(status: int) -> None:
    """Both are 4xx, and yet one is a refusal and the other the service."""

    assert judge(answered(status), answered(404)).rejected


def test_200_beside_a_404_proves_nothing() -> None:
    """It is not the service that the control got; something else is wrong."""

    assert judge(answered(200), answered(404)).decision is INCONCLUSIVE


# --- nothing seen


@pytest.mark.parametrize("trouble", Trouble)
def test_trouble_proves_nothing(trouble: Trouble) -> None:
    """Time-out, refused connection, name error and our own TLS library's refusal never pass for a rejection."""

    verdict = judge(seen(trouble=trouble, detail="it went wrong", phase=Phase.CERTIFICATE_SENT), CONTROL)
    assert verdict.decision is INCONCLUSIVE
    assert "it went wrong" in verdict.text


def test_a_time_out_is_called_silence() -> None:
    """The report says what was waited for in vain."""

    verdict = judge(seen(trouble=Trouble.TIMEOUT, detail="nothing came after our request"), CONTROL)
    assert verdict.text == "inconclusive: silence: nothing came after our request"


@pytest.mark.parametrize("closing", Closing)
def test_trouble_outweighs_a_close(closing: Closing) -> None:
    """A fault of our own must not become evidence because the peer then hangs up."""

    assert judge(seen(trouble=Trouble.LOCAL_TLS, detail="ours", closing=closing), CONTROL).decision is INCONCLUSIVE


def test_nothing_at_all_proves_nothing() -> None:
    """Neither answer nor alert nor close nor trouble."""

    assert judge(seen(), CONTROL).text == "inconclusive: the connection ended without an answer"


# --- the verdict


@pytest.mark.parametrize(
    ("decision", "accepted", "rejected"),
    [(ACCEPTED, True, False), (REJECTED, False, True), (INCONCLUSIVE, False, False)],
)
def test_inconclusive_is_neither(decision: Decision, accepted: bool, rejected: bool) -> None:
    """What proves nothing must not pass, whichever way it is asked."""

    verdict = Verdict(decision, "")
    assert (verdict.accepted, verdict.rejected) == (accepted, rejected)


@pytest.mark.parametrize(
    "observation",
    [answered(200), answered(403), answered(503), alerted(48), seen(closing=Closing.FIN), seen(received=1), seen()],
    ids=["200", "403", "503", "alert", "closed", "octets", "nothing"],
)
def test_the_words_begin_with_the_decision(observation: Observation) -> None:
    """The report shows the words alone."""

    verdict = judge(observation, CONTROL)
    assert verdict.text.startswith(f"{verdict.decision}: ")
    assert (verdict.evidence is not None) == verdict.rejected
