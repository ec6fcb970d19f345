"""The first row of the table of judgement: a fatal alert of the peer rejects, and nothing else that is an alert does.

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
from pytest_mtls.harness.tls.observation import TlsVersion, Trouble
from pytest_mtls.harness.verdict import Decision, Evidence

from .dialogue import Dialogue
from .peers import OK, Script
from .scripts import (
    CONTINUE,
    LARGE,
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
    write,
)

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
def test_an_encrypted_alert_after_the_handshake_is_a_rejection(provoke: Provoke, moment: Moment, end: Script) -> None:
    """A server may judge late; its alert counts as long as no octet of HTTP came."""
    judged = provoke(moment(Dialogue.choke, end))

    assert judged.seen.alert is not None
    assert (judged.seen.alert.number, judged.seen.received) == (20, 0)
    assert judged.rejected_by is Evidence.TLS


@pytest.mark.parametrize("moment", [after_handshake, after_request], ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("tls", [TlsVersion.TLS13], ids=str)
def test_an_alert_after_session_tickets_is_a_rejection(provoke: Provoke, moment: Moment) -> None:
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
    judged = provoke(unasked(Dialogue.ask_late, say(OK), Dialogue.close_notify))

    assert (judged.seen.certificate_requested, judged.verdict.decision) == (True, Decision.ACCEPTED)


@pytest.mark.parametrize("tls", [TlsVersion.TLS12], ids=str)
def test_an_alert_in_a_renegotiation_is_a_rejection(provoke: Provoke) -> None:
    """Asked late and refused late: the alert is the same evidence."""
    judged = provoke(unasked(lambda dialogue: dialogue.ask_late(strict=True)))

    assert judged.seen.alert is not None
    assert (judged.seen.alert.number, judged.rejected_by) == (48, Evidence.TLS)


def test_a_level_is_no_mercy_in_tls13(provoke: Provoke, tls: TlsVersion) -> None:
    """TLS 1.3 knows no warnings but two; in TLS 1.2 a warning is one, and the close behind it the evidence."""
    judged = provoke(at_certificate(alert(42, fatal=False), Dialogue.fin))

    assert judged.seen.alert is not None
    assert judged.seen.alert.fatal is (tls is TlsVersion.TLS13)
    assert judged.rejected_by is (Evidence.TLS if tls is TlsVersion.TLS13 else Evidence.CLOSED)


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


def test_a_warning_and_then_silence_prove_nothing(provoke: Provoke) -> None:
    """Until a version is agreed, a warning is one in TLS 1.3 too: some servers warn of a name they do not know."""
    judged = provoke(after_hello(alert(112, fatal=False), after_handshake(Dialogue.hold)), timeouts=SHORT_ANSWER)

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
