"""Answers that are cut, endless, too long, or none at all: what the probe makes of them, and the verdict.

Each case stands between two controls on the same peer, which must be let in (``Provoke`` sees to it).
"""

from __future__ import annotations

import pytest

from pytest_mtls.harness.tls.observation import Closing, Trouble
from pytest_mtls.harness.tls.probe import Request
from pytest_mtls.harness.verdict import Decision, Evidence

from .dialogue import Dialogue
from .peers import Script
from .scripts import Moment, Provoke, after_handshake, after_hello, after_request, answer, say, write

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
def test_octets_that_tls_cannot_read_prove_nothing(provoke: Provoke, moment: Moment, octets: bytes) -> None:
    """Behind a good handshake; in particular they are not taken for a close."""
    judged = provoke(moment(write(octets), Dialogue.fin))

    assert (judged.seen.trouble, judged.seen.received) == (Trouble.LOCAL_TLS, 0)
    assert judged.verdict.decision is Decision.INCONCLUSIVE
