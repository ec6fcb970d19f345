"""Several requests on one connection, through ``converse``: what is seen of each, and what proves nothing."""

from __future__ import annotations

import errno
import socket

import h11
import pytest

from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.tls.observation import Closing, Observation, Phase, TlsVersion, Trouble
from pytest_mtls.harness.tls.probe import Request, converse, probe
from pytest_mtls.harness.tls.wire import open_tcp
from pytest_mtls.harness.verdict import Decision, Evidence, judge, judge_control

from .dialogue import Dialogue
from .peers import OK, Peers, Script
from .scripts import PATIENT, Judged, after_handshake, after_request, answer, say, script

KEEP = Request(keep=True)


class Asking:
    """Two requests on one connection to a peer with a script."""

    def __init__(self, peers: Peers, client: Credential, tls: TlsVersion) -> None:
        self._peers, self._client, self._tls = peers, client, tls

    def __call__(self, then: Script, *, first: Request = KEEP) -> tuple[Observation, Judged]:
        """The first request is to be served by *then* up to its answer; returns both, the second one judged."""
        peer = self._peers.start(then)
        with converse(peer.endpoint(), tls=self._tls, credential=self._client, timeouts=PATIENT) as conversation:
            before, seen = conversation.ask(first), conversation.ask()
        control = probe(peer.endpoint(), tls=self._tls, credential=self._client, timeouts=PATIENT)
        if not judge_control(control).accepted:
            raise AssertionError(f"the control was not let in: {control}")
        return before, Judged(seen, judge(seen, control))


@pytest.fixture
def asking(peers: Peers, client: Credential, tls: TlsVersion) -> Asking:
    """Asks twice."""
    return Asking(peers, client, tls)


def test_requests_on_one_connection_are_answered_one_by_one(peers: Peers, client: Credential, tls: TlsVersion) -> None:
    """Each observation has its own answer, in one connection."""
    heard: list[bytes] = []

    def serve_three(dialogue: Dialogue) -> None:
        dialogue.shake_hands()
        for status in (200, 403, 204):
            heard.append(dialogue.read_request())
            dialogue.say(answer(status))
        dialogue.hold()

    peer = peers.start(serve_three)
    with converse(peer.endpoint(), tls=tls, credential=client, timeouts=PATIENT) as conversation:
        requests = (
            Request(keep=True, path="/one?a=b"),
            Request(keep=True, method="POST", body=b"two", headers=(("X-Number", "2"),)),
            Request(),
        )
        seen = [conversation.ask(request) for request in requests]

    assert [one.answer and one.answer.status for one in seen] == [200, 403, 204]
    assert [octets.split(b"\r\n")[0] for octets in heard] == [
        b"GET /one?a=b HTTP/1.1",
        b"POST / HTTP/1.1",
        b"GET / HTTP/1.1",
    ]
    assert [b"Connection: close" in octets for octets in heard] == [False, False, True]
    assert b"X-Number: 2\r\nContent-Length: 3\r\n\r\ntwo" in heard[1]


def test_octets_are_counted_for_each_request(asking: Asking) -> None:
    """What belongs to the answer before is no octet of this one."""
    before, (seen, verdict) = asking(after_request(say(OK), Dialogue.read_request, say(answer(403))))

    assert (before.received, seen.received) == (len(OK), len(answer(403)))
    assert verdict.evidence is Evidence.HTTP


def test_an_alert_to_a_later_request_is_a_rejection(asking: Asking) -> None:
    """A backend that judges a kept connection anew can refuse by alert."""
    _, judged = asking(after_request(say(OK), Dialogue.read_request, Dialogue.choke))

    assert judged.seen.alert is not None
    assert judged.rejected_by is Evidence.TLS


@pytest.mark.parametrize(
    ("end", "closing"),
    [
        (Dialogue.close_notify, Closing.CLOSE_NOTIFY),
        (Dialogue.fin, Closing.FIN),
        (Dialogue.reset, Closing.RESET),
    ],
)
@pytest.mark.parametrize("asked", [False, True], ids=["before it came", "after it came"])
def test_a_close_instead_of_a_later_answer_proves_nothing(
    asking: Asking, end: Script, closing: Closing, asked: bool
) -> None:
    """Any server may close a kept connection between two requests; how it did is noted."""
    reading = (Dialogue.read_request,) if asked else ()
    _, (seen, verdict) = asking(after_request(say(OK), *reading, end))

    assert (seen.closing, seen.trouble, seen.answer, seen.received) == (closing, None, None, 0)
    assert verdict.decision is Decision.INCONCLUSIVE


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        answer(200) + answer(200),
        answer(200, length=9) + b"cut",
        b"nothing of HTTP\r\n\r\n",
    ],
    ids=["announced", "HTTP/1.0", "an answer too many", "cut", "no HTTP"],
)
def test_a_connection_that_is_not_kept_is_not_used_again(asking: Asking, first: bytes) -> None:
    """The next request is not sent, and nothing is blamed on the certificate."""
    _, (seen, verdict) = asking(after_request(say(first), Dialogue.fin))

    assert (seen.trouble, seen.answer, seen.received) == (Trouble.NOT_KEPT, None, 0)
    assert verdict.decision is Decision.INCONCLUSIVE


def test_a_connection_that_we_wanted_closed_is_not_used_again(asking: Asking) -> None:
    """``keep`` is the caller's word to the peer."""
    _, (seen, verdict) = asking(after_request(say(OK), Dialogue.hold), first=Request())

    assert (seen.trouble, verdict.decision) == (Trouble.NOT_KEPT, Decision.INCONCLUSIVE)


def test_a_refused_connection_stays_refused(asking: Asking) -> None:
    """The alert that ended the connection is still what was seen of it."""
    before, judged = asking(script(lambda dialogue: dialogue.shake_hands(strict=True)))

    assert before.alert is not None
    assert (judged.seen.alert, judged.rejected_by) == (before.alert, Evidence.TLS)


def test_a_connection_that_did_not_open_can_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, peers: Peers, client: Credential, tls: TlsVersion
) -> None:
    """And then bears no trace of the trouble before."""
    connects = [ConnectionRefusedError(errno.ECONNREFUSED, "refused")]

    def open_late(host: str, port: int, seconds: float) -> socket.socket:
        if connects:
            raise connects.pop()
        return open_tcp(host, port, seconds)

    monkeypatch.setattr("pytest_mtls.harness.tls.probe.open_tcp", open_late)
    with converse(peers.start().endpoint(), tls=tls, credential=client, timeouts=PATIENT) as conversation:
        before, seen = conversation.ask(), conversation.ask()

    assert (before.trouble, seen.trouble, seen.detail) == (Trouble.REFUSED, None, "")
    assert judge_control(seen).accepted


def test_the_phase_is_the_furthest_of_the_connection(asking: Asking) -> None:
    """And the handshake is not done again."""
    before, (seen, _) = asking(after_request(say(OK), Dialogue.read_request, say(OK)))

    assert (before.phase, seen.phase) == (Phase.ANSWER, Phase.ANSWER)
    assert dict(before.times)["handshake"] == dict(seen.times)["handshake"]


def test_the_probe_closes_in_order(peers: Peers, client: Credential, tls: TlsVersion) -> None:
    """With close_notify, so that no server logs a truncation."""
    ends: list[bool] = []
    peer = peers.start(after_request(say(OK), lambda dialogue: ends.append(dialogue.read_close())))
    probe(peer.endpoint(), tls=tls, credential=client, timeouts=PATIENT)
    peer.end()

    assert ends == [True]


@pytest.mark.parametrize("headers", [(("X", "a\r\nY: b"),), (("Host", "other.example"),)], ids=["line end", "Host"])
def test_a_request_that_is_no_http_is_ours_to_mend(
    peers: Peers, client: Credential, tls: TlsVersion, headers: tuple[tuple[str, str], ...]
) -> None:
    """It is raised, not blamed on the answer; the connection is closed all the same."""
    peer = peers.start(after_handshake(Dialogue.hold))

    with pytest.raises(h11.LocalProtocolError):
        probe(peer.endpoint(), tls=tls, credential=client, request=Request(headers=headers), timeouts=PATIENT)
