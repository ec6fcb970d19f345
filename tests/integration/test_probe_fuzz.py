"""Random peers: whatever they send, the probe does not raise, and nobody is let in without an answer that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.tls.observation import Observation, TlsVersion
from pytest_mtls.harness.tls.probe import probe
from pytest_mtls.harness.verdict import Verdict, judge, judge_control

from .dialogue import Dialogue
from .peers import Peer, Peers, Script
from .scripts import PATIENT, after_hello, after_request, say, script, write

SERVED = re.compile(rb"(HTTP/1\.[01] 1\d\d[^\n]*\n([^\n]+\n)*\r?\n)*HTTP/1\.[01] 2\d\d", re.DOTALL)
"""How octets begin that are an answer of the class that the control gets."""

VERSIONS = st.sampled_from(list(TlsVersion))
ENDS = st.sampled_from([Dialogue.close_notify, Dialogue.fin, Dialogue.reset])
RAW_ENDS = st.sampled_from([Dialogue.fin, Dialogue.reset])
WHOLE = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello, world",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nhello",
]
PIECES = st.sampled_from(
    [
        *(
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 100 C\r\n",
            b"HTTP/1.0 403 No\r\n",
            b"HTTP/1.1 ",
            b"200",
            b"\r\n",
            b"\n",
            b" ",
        ),
        *(
            b"Content-Length: 3\r\n",
            b"Content-Length: -1\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
        ),
        *(b"Upgrade: x\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"ffffffff\r\n", b"\0", b"\xff", b": ", b"X:y\r\n"),
    ]
)
NEARLY_HTTP = st.lists(st.one_of(PIECES, st.binary(max_size=20)), max_size=12).map(b"".join)
NEARLY_TLS = st.builds(
    lambda kind, version, length, body: bytes((kind, 3, version)) + length.to_bytes(2, "big") + body,
    st.sampled_from([20, 21, 22, 23, 24]),
    st.integers(0, 4),
    st.one_of(st.integers(0, 40), st.integers(0, 65_535)),
    st.binary(max_size=80),
)


class Fuzzed:
    """A peer that serves what hypothesis thinks of, and the controls that it let in."""

    def __init__(self, peer: Peer, client: Credential) -> None:
        self._peer, self._client = peer, client
        self._controls = {tls: self._probe(tls) for tls in TlsVersion}
        if not all(judge_control(control).accepted for control in self._controls.values()):
            raise AssertionError("the controls were not let in")

    def ask(self, tls: TlsVersion, served_by: Script) -> tuple[Observation, Verdict]:
        """Probe a connection that is *served_by* a script, and judge it."""
        self._peer.next(served_by)
        seen = self._probe(tls)
        seen.to_json()
        return seen, judge(seen, self._controls[tls])

    def _probe(self, tls: TlsVersion) -> Observation:
        return probe(self._peer.endpoint(), tls=tls, credential=self._client, timeouts=PATIENT)


@pytest.fixture(scope="module")
def fuzzed(peer_credential: Credential, client: Credential) -> Iterator[Fuzzed]:
    """One peer for all examples."""
    with Peers(peer_credential) as peers:
        yield Fuzzed(peers.start(), client)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(tls=VERSIONS, octets=st.one_of(st.binary(max_size=300), NEARLY_HTTP), end=ENDS)
def test_random_answers_let_nobody_in(fuzzed: Fuzzed, tls: TlsVersion, octets: bytes, end: Script) -> None:
    """Octets inside TLS, many of them nearly HTTP: accepted is only what begins as the control's answer."""
    seen, verdict = fuzzed.ask(tls, after_request(say(octets), end))

    if verdict.accepted:
        assert seen.answer is not None
        assert (seen.answer.status // 100, bool(SERVED.match(octets))) == (2, True)
    if octets:
        assert verdict.rejected is (seen.answer is not None and seen.answer.status in (400, 401, 403, 495, 496))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tls=VERSIONS, whole=st.sampled_from(WHOLE), cut=st.integers(0, 120), end=ENDS)
def test_a_cut_answer_counts_from_its_headers_on(
    fuzzed: Fuzzed, tls: TlsVersion, whole: bytes, cut: int, end: Script
) -> None:
    """Cut anywhere: without the whole final headers nobody is let in or, but for nothing at all, kept out."""
    octets = whole[:cut]
    final = whole.index(b"HTTP/1.1 200") if b"HTTP/1.1 200" in whole else 0
    headers = whole.index(b"\r\n\r\n", final) + 4
    seen, verdict = fuzzed.ask(tls, after_request(say(octets), end) if octets else after_request(end))

    assert (verdict.accepted, verdict.rejected) == (len(octets) >= headers, not octets)
    if cut < len(whole) and seen.answer is not None and not whole.startswith(b"HTTP/1.0"):
        assert not seen.answer.complete


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tls=VERSIONS, octets=st.one_of(st.binary(max_size=200), NEARLY_TLS), end=RAW_ENDS)
def test_random_octets_instead_of_tls_let_nobody_in(
    fuzzed: Fuzzed, tls: TlsVersion, octets: bytes, end: Script
) -> None:
    """Nor do they keep anybody out, unless they happen to be a fatal alert."""
    seen, verdict = fuzzed.ask(tls, after_hello(write(octets), end))

    assert (verdict.accepted, seen.answer) == (False, None)
    assert verdict.rejected is (seen.alert is not None and seen.alert.fatal)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tls=VERSIONS, octets=st.one_of(st.binary(min_size=1, max_size=200), NEARLY_TLS), end=RAW_ENDS)
def test_random_octets_behind_the_handshake_let_nobody_in(
    fuzzed: Fuzzed, tls: TlsVersion, octets: bytes, end: Script
) -> None:
    """Beside TLS, where nobody but a broken server or an attacker puts any."""
    seen, verdict = fuzzed.ask(tls, script(Dialogue.shake_hands, Dialogue.read_request, write(octets), end))

    assert (verdict.accepted, seen.answer, seen.received) == (False, None, 0)
