"""Every row of the table of judgement, provoked by a peer that misbehaves on a real socket, under TLS 1.2 and 1.3.

Each case stands between two controls on the same peer, which must be let in (``Provoke`` sees to it).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import Sample, make_defect
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.pki.issue import Extensions, self_signed
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.tls.observation import Closing, Phase, TlsVersion, Trouble
from pytest_mtls.harness.tls.probe import Request, Timeouts
from pytest_mtls.harness.verdict import Decision, Evidence

from .peers import OK, Dialogue, Provoke, Script

SHORT = Timeouts(connect=0.2, handshake=0.2, answer=0.2)
LARGE = Request(method="POST", body=bytes(8_000_000))
"""Larger than the buffers of both sockets, so that the peer acts while we still write."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def at_certificate(*actions: Script) -> Script:
    """*actions* once the peer has read our certificate."""
    return script(Dialogue.read_certificate, *actions)


def after_handshake(*actions: Script) -> Script:
    """*actions* after the handshake, before the request is read."""
    return script(Dialogue.shake_hands, *actions)


def after_request(*actions: Script) -> Script:
    """*actions* once the peer has read our request."""
    return script(Dialogue.shake_hands, Dialogue.read_request, *actions)


def after_head(*actions: Script) -> Script:
    """*actions* once the peer has read our headers, while the body still comes."""
    return script(Dialogue.shake_hands, Dialogue.read_head, *actions)


def after_hello(*actions: Script) -> Script:
    """*actions* once the peer has read our ClientHello."""
    return script(Dialogue.read_hello, *actions)


def script(*actions: Script) -> Script:
    """One action after the other."""

    def run(dialogue: Dialogue) -> None:
        for action in actions:
            action(dialogue)

    return run


def say(data: bytes) -> Script:
    """Send application data."""
    return lambda dialogue: dialogue.say(data)


def write(data: bytes) -> Script:
    """Send octets beside TLS."""
    return lambda dialogue: dialogue.write(data)


def alert(number: int, *, fatal: bool = True) -> Script:
    """Send an alert by number."""
    return lambda dialogue: dialogue.alert(number, fatal=fatal)


def vanish(dialogue: Dialogue) -> None:
    """Close TCP at once, with what we sent unread: FIN or RST, as the kernel likes."""
    dialogue.raw.close()


def answer(status: int, *, length: int = 0) -> bytes:
    """Headers of a final answer."""
    return f"HTTP/1.1 {status} Any\r\nContent-Length: {length}\r\n\r\n".encode()


# --- fatal alert: rejected, by ``tls``


@pytest.mark.parametrize("number", [40, 42, 43, 44, 45, 46, 48, 49, 51, 80, 116, 255])
@pytest.mark.parametrize("end", [Dialogue.fin, Dialogue.reset, vanish], ids=lambda end: end.__name__)
def test_a_fatal_alert_is_a_rejection(provoke: Provoke, number: int, end: Script) -> None:
    """Whatever its number, and however TCP ends behind it."""
    seen, verdict = judged = provoke(at_certificate(alert(number), end))

    assert seen.alert is not None
    assert (seen.alert.number, seen.alert.fatal, seen.closing, seen.trouble) == (number, True, None, None)
    assert judged.rejected_by is Evidence.TLS
    assert str(number) in verdict.text


def test_an_alert_says_in_which_phase_it_came(provoke: Provoke, tls: TlsVersion) -> None:
    """In TLS 1.2 our handshake still waits; in TLS 1.3 it was over, and the request sent, before the server judged."""
    seen, _ = provoke(at_certificate(alert(48), Dialogue.fin))

    assert seen.alert is not None
    assert seen.alert.phase == {TlsVersion.TLS12: "certificate-sent", TlsVersion.TLS13: "request-sent"}[tls]


@dataclass(frozen=True)
class Refused:
    """A credential that OpenSSL refuses, with the alerts that it sends under TLS 1.2 and 1.3."""

    credential: Credential | None
    alerts: tuple[int, int]


def _refused_by_openssl() -> dict[str, Refused]:
    now, day = datetime.now(UTC).replace(microsecond=0), timedelta(days=1)
    server_only: Extensions = ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),)
    unknown: Extensions = ((x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0"), True),)

    def credential(begin: datetime, end: datetime, extensions: Extensions = ()) -> Credential:
        key = new_ec_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "refused.example")])
        return Credential(self_signed(name, key, begin, end, extensions=extensions), key)

    return {
        "no certificate": Refused(None, (40, 116)),
        "not yet valid": Refused(credential(now + day, now + 2 * day), (42, 42)),
        "wrong usage": Refused(credential(now - day, now + day, server_only), (43, 43)),
        "expired": Refused(credential(now - 2 * day, now - day), (45, 45)),
        "unknown critical extension": Refused(credential(now - day, now + day, unknown), (46, 46)),
        "without possession": Refused(make_defect("copied-certificate", Sample(gateway_credential())), (51, 51)),
    }


@pytest.fixture(scope="module")
def refused() -> dict[str, Refused]:
    """What OpenSSL refuses although the leaf is in its truststore."""
    return _refused_by_openssl()


@pytest.mark.parametrize(
    "what",
    ["no certificate", "not yet valid", "wrong usage", "expired", "unknown critical extension", "without possession"],
)
def test_openssl_own_refusal_is_a_rejection(
    provoke: Provoke, tls: TlsVersion, refused: dict[str, Refused], what: str
) -> None:
    """The alerts that a real server sends of itself arrive with their numbers."""
    case = refused[what]
    trusted = () if case.credential is None else (case.credential.leaf,)
    judged = provoke(
        lambda dialogue: dialogue.shake_hands(strict=True),
        credential=case.credential,
        anonymous=case.credential is None,
        trusted=trusted,
    )

    assert judged.seen.alert is not None
    assert judged.seen.alert.number == case.alerts[tls is TlsVersion.TLS13]
    assert judged.rejected_by is Evidence.TLS


def test_an_unknown_certificate_is_refused_by_openssl(provoke: Provoke) -> None:
    """unknown_ca, the most usual alert of all."""
    judged = provoke(lambda dialogue: dialogue.shake_hands(strict=True))

    assert judged.seen.alert is not None
    assert (judged.seen.alert.number, judged.rejected_by) == (48, Evidence.TLS)


@pytest.mark.parametrize("moment", [after_handshake, after_request], ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("end", [Dialogue.fin, Dialogue.reset, vanish], ids=lambda end: end.__name__)
def test_an_encrypted_alert_after_the_handshake_is_a_rejection(
    provoke: Provoke, moment: type[Script], end: Script
) -> None:
    """A server may judge late; its alert counts as long as no octet of HTTP came."""
    judged = provoke(moment(Dialogue.choke, end))

    assert judged.seen.alert is not None
    assert (judged.seen.alert.number, judged.seen.received) == (20, 0)
    assert judged.rejected_by is Evidence.TLS


@pytest.mark.parametrize("moment", [after_handshake, after_request], ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("tls", [TlsVersion.TLS13], ids=str)
def test_an_alert_after_session_tickets_is_a_rejection(provoke: Provoke, moment: type[Script]) -> None:
    """The tickets that a TLS 1.3 server sends of itself are no answer, and do not hide what follows."""
    judged = provoke(moment(alert(116), Dialogue.fin))

    assert judged.seen.alert is not None
    assert (judged.seen.alert.number, judged.seen.received) == (116, 0)
    assert judged.rejected_by is Evidence.TLS


@pytest.mark.parametrize("end", [Dialogue.fin, Dialogue.reset, vanish], ids=lambda end: end.__name__)
def test_an_alert_while_we_still_write_is_not_lost(provoke: Provoke, end: Script) -> None:
    """The probe goes on reading when its writing fails: the alert stands before the end of TCP."""
    judged = provoke(after_head(Dialogue.choke, end), request=LARGE)

    assert judged.seen.alert is not None
    assert (judged.seen.alert.number, judged.rejected_by) == (20, Evidence.TLS)


def test_an_alert_at_the_certificate_is_not_lost_to_a_large_request(provoke: Provoke) -> None:
    """In TLS 1.3 we write megabytes to a server that has refused us already."""
    judged = provoke(at_certificate(alert(48), vanish), request=LARGE)

    assert judged.seen.alert is not None
    assert (judged.seen.alert.number, judged.rejected_by) == (48, Evidence.TLS)


@pytest.mark.parametrize("tls", [TlsVersion.TLS12], ids=str)
def test_a_late_request_for_a_certificate_is_answered(provoke: Provoke) -> None:
    """Some servers ask by renegotiation, after they have read the path."""

    def ask_late(dialogue: Dialogue) -> None:
        dialogue.shake_hands(ask=False)
        dialogue.read_request()
        dialogue.ask_late()
        dialogue.say(OK)
        dialogue.close_notify()

    judged = provoke(ask_late)

    assert (judged.seen.certificate_requested, judged.verdict.decision) == (True, Decision.ACCEPTED)


@pytest.mark.parametrize("tls", [TlsVersion.TLS12], ids=str)
def test_an_alert_in_a_renegotiation_is_a_rejection(provoke: Provoke) -> None:
    """Asked late and refused late: the alert is the same evidence."""

    def ask_late(dialogue: Dialogue) -> None:
        dialogue.shake_hands(ask=False)
        dialogue.read_request()
        dialogue.ask_late(strict=True)

    judged = provoke(ask_late)

    assert judged.seen.alert is not None
    assert (judged.seen.alert.number, judged.rejected_by) == (48, Evidence.TLS)


# --- alerts that are no rejection


@pytest.mark.parametrize("before", [b"HTTP/1.1 2", CONTINUE], ids=["half a status line", "1xx"])
def test_an_alert_behind_octets_of_http_proves_nothing(provoke: Provoke, before: bytes) -> None:
    """Who begins to answer has let us in that far, and then something else went wrong."""
    judged = provoke(after_request(say(before), Dialogue.choke, Dialogue.fin))

    assert judged.seen.alert is not None
    assert (judged.seen.received, judged.verdict.decision) == (len(before), Decision.INCONCLUSIVE)


@pytest.mark.parametrize(("status", "decision"), [(200, Decision.ACCEPTED), (403, Decision.REJECTED)])
def test_an_alert_in_the_body_does_not_undo_the_status(provoke: Provoke, status: int, decision: Decision) -> None:
    """What was served was served; the answer is noted as incomplete."""
    judged = provoke(after_request(say(answer(status, length=9)), Dialogue.choke, Dialogue.fin))

    assert judged.seen.answer is not None
    assert (judged.seen.answer.complete, judged.verdict.decision) == (False, decision)


@pytest.mark.parametrize("timeouts", [SHORT])
def test_a_warning_and_then_silence_prove_nothing(provoke: Provoke, timeouts: Timeouts) -> None:
    """Before a version is agreed, a warning is a warning, in TLS 1.3 too: some servers warn of a name they do not know."""
    judged = provoke(after_hello(alert(112, fatal=False), Dialogue.send_flight, Dialogue.hold), timeouts=timeouts)

    assert judged.seen.alert is not None
    assert (judged.seen.alert.fatal, judged.seen.trouble) == (False, Trouble.TIMEOUT)
    assert judged.verdict.decision is Decision.INCONCLUSIVE


def test_a_warning_does_not_hide_a_tls_error_of_ours(provoke: Provoke) -> None:
    """A warning is not what ended the connection."""
    judged = provoke(after_hello(alert(112, fatal=False), write(b"\x16\3\3\0\4\x07\7\7\7"), Dialogue.fin))

    assert (judged.seen.trouble, judged.verdict.decision) == (Trouble.LOCAL_TLS, Decision.INCONCLUSIVE)


def test_a_warning_does_not_spoil_an_answer(provoke: Provoke) -> None:
    """A server that warns and then serves has let us in."""
    judged = provoke(after_hello(alert(112, fatal=False), after_request(say(OK), Dialogue.close_notify)))

    assert judged.seen.alert is not None
    assert judged.verdict.decision is Decision.ACCEPTED


def test_user_canceled_is_a_close(provoke: Provoke) -> None:
    """It announces a close and has no word on our certificate (RFC 8446 6.1)."""
    judged = provoke(at_certificate(alert(90, fatal=False), Dialogue.fin))

    assert judged.seen.alert is not None
    assert (judged.seen.alert.fatal, judged.rejected_by) == (False, Evidence.CLOSED)


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
    provoke: Provoke, moment: type[Script], end: Script, closing: Closing
) -> None:
    """asyncio servers reject so, and cannot do better."""
    judged = provoke(moment(end))

    assert (judged.seen.closing, judged.seen.received) == (closing, 0)
    assert judged.rejected_by is Evidence.CLOSED


@pytest.mark.parametrize("moment", [at_certificate, after_head], ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("end", [Dialogue.fin, Dialogue.reset, vanish], ids=lambda end: end.__name__)
def test_a_close_while_we_still_write_is_a_weak_rejection(provoke: Provoke, moment: type[Script], end: Script) -> None:
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
    judged = provoke(lambda dialogue: (dialogue.shake_hands(ask=False), dialogue.read_request(), end(dialogue))[-1])

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
    ("until", "detail"),
    [
        (after_hello(Dialogue.hold), "our ClientHello"),
        (after_handshake(Dialogue.hold), "our request"),
        (after_request(Dialogue.hold), "our request"),
    ],
    ids=["hello", "handshake", "request"],
)
def test_silence_proves_nothing(provoke: Provoke, until: Script, detail: str) -> None:
    """At whatever moment it begins; the report says after which."""
    judged = provoke(until, timeouts=SHORT)

    assert (judged.seen.trouble, judged.seen.detail) == (Trouble.TIMEOUT, f"nothing came after {detail}")
    assert (judged.verdict.decision, "silence" in judged.verdict.text) == (Decision.INCONCLUSIVE, True)


def test_silence_at_the_certificate_proves_nothing(provoke: Provoke) -> None:
    """A server that thinks about our certificate for ever has not refused it."""
    judged = provoke(at_certificate(Dialogue.hold), timeouts=SHORT)

    assert (judged.seen.trouble, judged.verdict.decision) == (Trouble.TIMEOUT, Decision.INCONCLUSIVE)


@pytest.mark.parametrize("before", [b"HTTP/1.1 40", CONTINUE, b"HTTP/1.1 403 No\r\nX: "])
def test_silence_behind_octets_of_http_proves_nothing(provoke: Provoke, before: bytes) -> None:
    """Half an answer is none."""
    judged = provoke(after_request(say(before), Dialogue.hold), timeouts=SHORT)

    assert (judged.seen.trouble, judged.seen.received) == (Trouble.TIMEOUT, len(before))
    assert judged.verdict.decision is Decision.INCONCLUSIVE


@pytest.mark.parametrize(("status", "decision"), [(200, Decision.ACCEPTED), (401, Decision.REJECTED)])
def test_silence_in_the_body_leaves_the_status(provoke: Provoke, status: int, decision: Decision) -> None:
    """The status line has decided; that the body did not end is noted."""
    judged = provoke(after_request(say(answer(status, length=9) + b"four"), Dialogue.hold), timeouts=SHORT)

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


# --- answers that are cut, endless or too long


@pytest.mark.parametrize(
    "cut",
    [
        answer(200, length=100) + b"body",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbo",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
    ],
    ids=["content-length", "in a chunk", "between chunks"],
)
@pytest.mark.parametrize("end", [Dialogue.close_notify, Dialogue.fin, Dialogue.reset], ids=lambda end: end.__name__)
def test_a_cut_body_is_incomplete_and_no_trouble(provoke: Provoke, cut: bytes, end: Script) -> None:
    """The status has come, and how the peer closed is noted; nothing here is not HTTP."""
    judged = provoke(after_request(say(cut), end))

    assert judged.seen.answer is not None
    assert (judged.seen.answer.complete, judged.seen.trouble, judged.seen.closing is None) == (False, None, False)
    assert judged.verdict.decision is Decision.ACCEPTED


@pytest.mark.parametrize(
    ("end", "complete"),
    [(Dialogue.close_notify, True), (Dialogue.fin, False), (Dialogue.reset, False)],
    ids=["close_notify", "fin", "reset"],
)
def test_a_body_that_ends_by_close_needs_close_notify(provoke: Provoke, end: Script, complete: bool) -> None:
    """Anybody on the way can cut TCP; the end of such a body is only what TLS says (RFC 9112 9.8)."""
    judged = provoke(after_request(say(b"HTTP/1.1 200 OK\r\n\r\nbody"), end))

    assert judged.seen.answer is not None
    assert (judged.seen.answer.head, judged.seen.answer.complete) == ("body", complete)
    assert (judged.seen.trouble, judged.verdict.decision) == (None, Decision.ACCEPTED)


def test_a_malformed_chunk_is_noted(provoke: Provoke) -> None:
    """The body is no HTTP, although the status is."""
    judged = provoke(
        after_request(say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), Dialogue.close_notify)
    )

    assert (judged.seen.trouble, judged.verdict.decision) == (Trouble.NOT_HTTP, Decision.ACCEPTED)


def test_only_the_beginning_of_a_body_is_kept(provoke: Provoke) -> None:
    """The length is that of the whole."""
    judged = provoke(after_request(say(answer(200, length=100_000) + b"a" * 100_000), Dialogue.close_notify))

    assert judged.seen.answer is not None
    assert (judged.seen.answer.length, len(judged.seen.answer.head)) == (100_000, 512)
    assert judged.seen.answer.complete


def test_large_headers_are_read(provoke: Provoke) -> None:
    """More than any server sends by default."""
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(60))
    judged = provoke(after_request(say(b"HTTP/1.1 403 No\r\n" + fields + b"Content-Length: 0\r\n\r\n")))

    assert judged.rejected_by is Evidence.HTTP


def test_endless_headers_prove_nothing(provoke: Provoke) -> None:
    """They are given up before the deadline, with little memory."""
    judged = provoke(
        after_request(say(b"HTTP/1.1 403 No\r\nX: "), lambda dialogue: dialogue.flood(b"a" * 16_384)),
    )

    assert (judged.seen.trouble, judged.verdict.decision) == (Trouble.NOT_HTTP, Decision.INCONCLUSIVE)


# --- what is not HTTP, or not TLS


@pytest.mark.parametrize(
    "octets",
    [
        b"<html>\r\n\r\nhello\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 2000 High\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0d",
        b"\x16\3\3\0\4aaaa",
    ],
    ids=["HTTP/0.9", "099", "2000", "bad header", "101", "HTTP/2 frame", "TLS in TLS"],
)
def test_what_is_not_http_proves_nothing(provoke: Provoke, octets: bytes) -> None:
    """Inside a TLS connection that works."""
    judged = provoke(after_request(say(octets), Dialogue.close_notify))

    assert (judged.seen.trouble, judged.seen.received) == (Trouble.NOT_HTTP, len(octets))
    assert judged.verdict.decision is Decision.INCONCLUSIVE


@pytest.mark.parametrize(
    "headers",
    [(("Upgrade", "websocket"),), (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))],
    ids=["upgrade", "websocket"],
)
def test_a_switch_of_protocols_that_we_proposed_proves_nothing(
    provoke: Provoke, headers: tuple[tuple[str, str], ...]
) -> None:
    """And ends at once: behind a 101 there is no HTTP to wait for."""
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    judged = provoke(after_request(say(switch), Dialogue.hold), request=Request(headers=headers))

    assert (judged.seen.trouble, judged.verdict.decision) == (Trouble.NOT_HTTP, Decision.INCONCLUSIVE)


def test_short_text_is_not_taken_for_an_answer(provoke: Provoke) -> None:
    """HTTP/0.9 without a blank line: its end is a close, and a close behind octets proves nothing."""
    judged = provoke(after_request(say(b"hello\n"), Dialogue.close_notify))

    assert (judged.seen.received, judged.seen.answer) == (6, None)
    assert judged.verdict.decision is Decision.INCONCLUSIVE


@pytest.mark.parametrize(
    "octets",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.9\r\n", bytes(range(64))],
    ids=["HTTP", "SSH", "garbage"],
)
def test_plain_text_on_the_port_is_not_tls(provoke: Provoke, octets: bytes) -> None:
    """A plain 400 is no answer to our certificate; the report shows how the octets begin."""
    judged = provoke(after_hello(write(octets), Dialogue.fin))

    assert (judged.seen.trouble, judged.seen.answer) == (Trouble.NOT_TLS, None)
    assert repr(octets[:16]) in judged.verdict.text
    assert judged.verdict.decision is Decision.INCONCLUSIVE


@pytest.mark.parametrize(
    "record",
    [b"\x16\3\3\0\4\x07\7\7\7", b"\x17\3\3\0\4aaaa", b"\x16\3\3\xff\xff" + bytes(65_535), b"\x15\3\3\0\1\2"],
    ids=["no ServerHello", "application data", "too long", "half an alert"],
)
def test_garbage_in_records_is_a_tls_error(provoke: Provoke, record: bytes) -> None:
    """It is TLS that we cannot go on with, and says nothing about our certificate."""
    judged = provoke(after_hello(write(record), Dialogue.fin))

    assert (judged.seen.trouble, judged.seen.alert) == (Trouble.LOCAL_TLS, None)
    assert judged.verdict.decision is Decision.INCONCLUSIVE


def test_half_a_record_and_a_close_prove_nothing(provoke: Provoke) -> None:
    """Nothing could be read of it."""
    judged = provoke(after_hello(write(b"\x16\3\3\0"), Dialogue.fin))

    assert (judged.seen.closing, judged.verdict.decision) == (Closing.FIN, Decision.INCONCLUSIVE)


@pytest.mark.parametrize(
    "octets",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x17\3\3\0\x28" + bytes(40)],
    ids=["plain text", "spoiled record"],
)
@pytest.mark.parametrize("moment", [after_handshake, after_request], ids=lambda moment: moment.__name__)
def test_octets_that_tls_cannot_read_prove_nothing(provoke: Provoke, moment: type[Script], octets: bytes) -> None:
    """Behind a good handshake; in particular they are not taken for a close."""
    judged = provoke(moment(write(octets), Dialogue.fin))

    assert (judged.seen.trouble, judged.seen.received) == (Trouble.LOCAL_TLS, 0)
    assert judged.verdict.decision is Decision.INCONCLUSIVE
