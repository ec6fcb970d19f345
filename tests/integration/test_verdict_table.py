"""Every row of the table of judgement, provoked by a peer that misbehaves on a real socket, under TLS 1.2 and 1.3.

The row of the alerts has a module of its own, ``test_verdict_alerts``.

Each case stands between two controls on the same peer, which must be let in (``Provoke`` sees to it).
"""

from __future__ import annotations

import pytest

from pytest_mtls.harness.tls.observation import Closing, Phase, Trouble
from pytest_mtls.harness.tls.probe import Timeouts
from pytest_mtls.harness.verdict import Decision, Evidence

from .dialogue import Dialogue
from .peers import OK, Script
from .scripts import (
    CONTINUE,
    LARGE,
    SHORT,
    SHORT_ANSWER,
    Moment,
    Provoke,
    after_handshake,
    after_head,
    after_hello,
    after_request,
    alert,
    answer,
    at_certificate,
    say,
    unasked,
    vanish,
)

# --- closed after our certificate, without an octet of HTTP: rejected, by ``closed``


@pytest.mark.parametrize(
    ("ends", "closing"),
    [
        ((alert(0, fatal=False), Dialogue.fin), Closing.CLOSE_NOTIFY),
        ((Dialogue.fin,), Closing.FIN),
        ((Dialogue.reset,), Closing.RESET),
    ],
    ids=["close_notify", "fin", "reset"],
)
def test_a_close_at_the_certificate_is_a_weak_rejection(
    provoke: Provoke, ends: tuple[Script, ...], closing: Closing
) -> None:
    """However it is done."""
    judged = provoke(at_certificate(*ends))

    assert (judged.seen.closing, judged.seen.alert, judged.seen.trouble) == (closing, None, None)
    assert judged.rejected_by is Evidence.CLOSED


@pytest.mark.parametrize("moment", [after_handshake, after_request], ids=lambda moment: moment.__name__)
@pytest.mark.parametrize(
    ("end", "closing"),
    [
        (Dialogue.close_notify, Closing.CLOSE_NOTIFY),
        (Dialogue.fin, Closing.FIN),
        (Dialogue.reset, Closing.RESET),
    ],
)
def test_a_close_after_the_handshake_is_a_weak_rejection(
    provoke: Provoke, moment: Moment, end: Script, closing: Closing
) -> None:
    """asyncio servers reject so, and cannot do better."""
    judged = provoke(moment(end))

    assert (judged.seen.closing, judged.seen.received) == (closing, 0)
    assert judged.rejected_by is Evidence.CLOSED


@pytest.mark.parametrize("moment", [at_certificate, after_head], ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("end", [Dialogue.fin, Dialogue.reset, vanish], ids=lambda end: end.__name__)
def test_a_close_while_we_still_write_is_a_weak_rejection(provoke: Provoke, moment: Moment, end: Script) -> None:
    """EPIPE, ECONNRESET and FIN are one observation."""
    judged = provoke(moment(end), request=LARGE)

    assert judged.seen.closing in (Closing.FIN, Closing.RESET)
    assert judged.rejected_by is Evidence.CLOSED


def test_a_close_to_who_presents_nothing_is_a_weak_rejection(provoke: Provoke) -> None:
    """An empty Certificate message is our word too."""
    judged = provoke(after_handshake(Dialogue.fin), anonymous=True)

    assert (judged.seen.presented, judged.rejected_by) == (None, Evidence.CLOSED)


# --- closes that prove nothing


@pytest.mark.parametrize("end", [Dialogue.close_notify, Dialogue.fin, Dialogue.reset], ids=lambda end: end.__name__)
def test_a_close_without_a_request_for_a_certificate_proves_nothing(provoke: Provoke, end: Script) -> None:
    """Nobody can refuse a certificate that was never sent."""
    judged = provoke(unasked(end))

    assert (judged.seen.certificate_requested, judged.verdict.decision) == (False, Decision.INCONCLUSIVE)


@pytest.mark.parametrize("end", [Dialogue.fin, Dialogue.reset], ids=lambda end: end.__name__)
def test_a_close_before_the_handshake_proves_nothing(provoke: Provoke, end: Script) -> None:
    """A full server, or one that is about to stop, closes so."""
    judged = provoke(after_hello(end))

    assert (judged.seen.phase, judged.verdict.decision) == (Phase.CONNECTED, Decision.INCONCLUSIVE)


def test_a_close_that_did_not_wait_for_our_certificate_proves_nothing(provoke: Provoke) -> None:
    """Asked for, but nobody was there any more to read it."""
    judged = provoke(lambda dialogue: dialogue.send_flight(then_fin=True))

    assert (judged.seen.certificate_requested, judged.seen.phase) == (True, Phase.SERVER_HELLO)
    assert (judged.seen.closing, judged.verdict.decision) == (Closing.FIN, Decision.INCONCLUSIVE)


@pytest.mark.parametrize("end", [Dialogue.close_notify, Dialogue.fin, Dialogue.reset], ids=lambda end: end.__name__)
@pytest.mark.parametrize("before", [b"H", b"HTTP/1.1 2", b"HTTP/1.1 403 No\r\n", CONTINUE])
def test_a_close_behind_octets_of_http_proves_nothing(provoke: Provoke, before: bytes, end: Script) -> None:
    """A crash while answering looks like this."""
    judged = provoke(after_request(say(before), end))

    assert (judged.seen.received, judged.seen.answer) == (len(before), None)
    assert judged.verdict.decision is Decision.INCONCLUSIVE


# --- silence


@pytest.mark.parametrize(
    ("until", "timeouts", "detail"),
    [
        (after_hello(Dialogue.hold), SHORT, "our ClientHello"),
        (after_handshake(Dialogue.hold), SHORT_ANSWER, "our request"),
        (after_request(Dialogue.hold), SHORT_ANSWER, "our request"),
    ],
    ids=["hello", "handshake", "request"],
)
def test_silence_proves_nothing(provoke: Provoke, until: Script, timeouts: Timeouts, detail: str) -> None:
    """At whatever moment it begins; the report says after which."""
    judged = provoke(until, timeouts=timeouts)

    assert (judged.seen.trouble, judged.seen.detail) == (Trouble.TIMEOUT, f"nothing came after {detail}")
    assert (judged.verdict.decision, "silence" in judged.verdict.text) == (Decision.INCONCLUSIVE, True)


def test_silence_at_the_certificate_proves_nothing(provoke: Provoke) -> None:
    """A server that thinks about our certificate for ever has not refused it."""
    judged = provoke(at_certificate(Dialogue.hold), timeouts=SHORT)

    assert (judged.seen.trouble, judged.verdict.decision) == (Trouble.TIMEOUT, Decision.INCONCLUSIVE)


@pytest.mark.parametrize("before", [b"HTTP/1.1 40", CONTINUE, b"HTTP/1.1 403 No\r\nX: "])
def test_silence_behind_octets_of_http_proves_nothing(provoke: Provoke, before: bytes) -> None:
    """Half an answer is none."""
    judged = provoke(after_request(say(before), Dialogue.hold), timeouts=SHORT_ANSWER)

    assert (judged.seen.trouble, judged.seen.received) == (Trouble.TIMEOUT, len(before))
    assert judged.verdict.decision is Decision.INCONCLUSIVE


@pytest.mark.parametrize(("status", "decision"), [(200, Decision.ACCEPTED), (401, Decision.REJECTED)])
def test_silence_in_the_body_leaves_the_status(provoke: Provoke, status: int, decision: Decision) -> None:
    """The status line has decided; that the body did not end is noted."""
    judged = provoke(after_request(say(answer(status, length=9) + b"four"), Dialogue.hold), timeouts=SHORT_ANSWER)

    assert judged.seen.answer is not None
    assert (judged.seen.answer.length, judged.seen.answer.complete) == (4, False)
    assert (judged.seen.trouble, judged.verdict.decision) == (Trouble.TIMEOUT, decision)


# --- HTTP statuses beside a control that got 200


@pytest.mark.parametrize("status", [400, 401, 403, 495, 496])
def test_a_rejecting_status_is_a_rejection(provoke: Provoke, status: int) -> None:
    """nginx and Express finish the handshake and refuse by HTTP."""
    judged = provoke(after_request(say(answer(status)), Dialogue.close_notify))

    assert judged.seen.answer is not None
    assert (judged.seen.answer.status, judged.rejected_by) == (status, Evidence.HTTP)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_status_of_the_controls_class_is_accepted(provoke: Provoke, status: int) -> None:
    """204 is as good as 200."""
    judged = provoke(after_request(say(answer(status)), Dialogue.close_notify))

    assert (judged.verdict.decision, judged.seen.trouble) == (Decision.ACCEPTED, None)


@pytest.mark.parametrize("status", [301, 302, 307, 404, 421, 429, 499, 500, 502, 503, 504, 600, 999])
def test_any_other_status_proves_nothing(provoke: Provoke, status: int) -> None:
    """Redirects, missing pages and failures say nothing about the certificate."""
    judged = provoke(after_request(say(answer(status)), Dialogue.close_notify))

    assert judged.seen.answer is not None
    assert (judged.seen.answer.status, judged.verdict.decision) == (status, Decision.INCONCLUSIVE)


@pytest.mark.parametrize(("status", "decision"), [(200, Decision.ACCEPTED), (403, Decision.REJECTED)])
def test_interim_answers_are_not_the_answer(provoke: Provoke, status: int, decision: Decision) -> None:
    """100, 102 and 103 may stand before the final status."""
    interim = CONTINUE + b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    judged = provoke(after_request(say(interim + answer(status)), Dialogue.close_notify))

    assert judged.verdict.decision is decision


def test_of_two_answers_the_first_counts(provoke: Provoke) -> None:
    """A second one nobody asked for."""
    judged = provoke(after_request(say(answer(403) + answer(200)), Dialogue.close_notify))

    assert judged.rejected_by is Evidence.HTTP


@pytest.mark.parametrize(("status", "decision"), [(200, Decision.ACCEPTED), (403, Decision.REJECTED)])
@pytest.mark.parametrize("end", [Dialogue.close_notify, vanish], ids=lambda end: end.__name__)
def test_an_answer_before_the_body_was_read_is_not_lost(
    provoke: Provoke, status: int, decision: Decision, end: Script
) -> None:
    """A server need not read what it refuses; its reset does not destroy what stands before it."""
    judged = provoke(after_head(say(answer(status)), end), request=LARGE)

    assert judged.seen.answer is not None
    assert (judged.seen.answer.complete, judged.verdict.decision) == (True, decision)


def test_an_answer_before_the_request_was_read_is_not_lost(provoke: Provoke) -> None:
    """Nor what a server says without having been asked."""
    judged = provoke(after_handshake(say(answer(403)), vanish))

    assert judged.rejected_by is Evidence.HTTP


def test_a_large_request_arrives_whole(provoke: Provoke) -> None:
    """Octet for octet, to a peer that reads it all."""
    sizes: list[int] = []

    def read_all(dialogue: Dialogue) -> None:
        sizes.append(len(dialogue.read_request().partition(b"\r\n\r\n")[2]))

    judged = provoke(after_handshake(read_all, say(OK), Dialogue.close_notify), request=LARGE)

    assert (sizes, judged.verdict.decision) == ([len(LARGE.body)], Decision.ACCEPTED)
