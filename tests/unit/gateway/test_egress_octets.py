"""Octets of HTTP/1.1 and of TLS handshakes, without a connection."""

from __future__ import annotations

from itertools import pairwise

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from pytest_mtls.harness.gateway.egress.flight import holds_certificate, requested_names
from pytest_mtls.harness.gateway.egress.head import write_head
from pytest_mtls.harness.gateway.egress.model import Outgoing
from pytest_mtls.harness.gateway.egress.reader import NotHttp, Reader
from pytest_mtls.harness.gateway.egress.tls import _rfc4514

ANSWER = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n"
)


@given(st.lists(st.integers(0, len(ANSWER)), max_size=8))
def test_answer_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    reader, body = Reader(bodiless=False), b""
    edges = [0, *sorted(cuts), len(ANSWER)]
    for start, end in pairwise(edges):
        reader.feed(ANSWER[start:end])
        body += reader.take()

    assert (reader.status, reader.reason, reader.complete, reader.keep_alive) == (200, "Fine", True, True)
    assert reader.headers == [("A", "1"), ("Transfer-Encoding", "chunked")]
    assert (body, reader.excess) == (b"abcde", False)


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    reader = Reader(bodiless=False)
    try:
        reader.feed(data)
        reader.end()
    except NotHttp:
        return

    assert reader.status == 0 or reader.status >= 200


@pytest.mark.parametrize("behind", [b"x", b"HTTP/1.1 200 OK\r\n", b"\0"])
def test_octets_behind_the_answer_are_excess(behind: bytes) -> None:
    reader = Reader(bodiless=False)
    reader.feed(b"HTTP/1.1 204 No Content\r\n\r\n" + behind)

    assert (reader.complete, reader.excess) == (True, True)


@pytest.mark.parametrize(
    ("data", "complete"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nabc", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", False),
    ],
)
def test_end_of_connection_completes_only_what_has_no_other_end(data: bytes, complete: bool) -> None:
    reader = Reader(bodiless=False)
    reader.feed(data)
    reader.end()

    assert reader.complete == complete


@pytest.mark.parametrize(
    ("body", "length", "framing"),
    [
        (None, None, b""),
        (b"", None, b"Content-Length: 0\r\n"),
        (b"abc", None, b"Content-Length: 3\r\n"),
    ],
)
def test_framing_follows_the_body(body: bytes | None, length: int | None, framing: bytes) -> None:
    headers = [("Host", "x"), ("CONTENT-LENGTH", "99"), ("transfer-encoding", "chunked")]

    assert (
        write_head(Outgoing("GET", "/", headers, body, length)) == b"GET / HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n"
    )


# --- TLS


def message(kind: int, body: bytes) -> bytes:
    """A handshake message."""
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


def records(data: bytes, size: int, kind: int = 22) -> bytes:
    """*data* in records of at most *size* octets."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(bytes((kind, 3, 3)) + len(piece).to_bytes(2, "big") + piece for piece in pieces)


NAMES = [b"first", b"second"]
_LIST = b"".join(len(name).to_bytes(2, "big") + name for name in NAMES)
REQUEST = message(13, b"\2\1\100" + b"\0\4\4\1\4\3" + len(_LIST).to_bytes(2, "big") + _LIST)
HELLO, DONE = message(2, bytes(70)), message(14, b"")


@given(st.integers(1, 100), st.integers(0, 200))
def test_names_are_known_once_the_request_is_whole(size: int, cut: int) -> None:
    flight = records(HELLO + REQUEST + DONE, size)

    assert requested_names(flight) == NAMES
    assert requested_names(flight[:cut]) in (None, NAMES)


def test_nothing_asked_has_no_names() -> None:
    assert requested_names(records(HELLO + DONE, 50)) == []
    assert requested_names(records(HELLO, 50)) is None


@pytest.mark.parametrize(
    "flight", [records(b"\2\50", 2, kind=21), b"HTTP/1.1 400 Bad Request\r\n", records(b"\1", 1, kind=20)]
)
def test_what_is_no_handshake_has_no_names(flight: bytes) -> None:
    assert requested_names(flight) == []


@given(st.binary(max_size=300))
def test_any_flight_is_read_without_error(flight: bytes) -> None:
    names = requested_names(flight + records(REQUEST[:4] + flight, 60))

    assert names is None or isinstance(names, list)


@pytest.mark.parametrize(
    ("flight", "holds"),
    [
        (records(message(11, b"\0\0\3abc"), 99), True),
        (records(message(11, b"\0\0\0"), 99), False),
        (records(message(16, b"\0\0\3abc"), 99), False),
        (b"", False),
    ],
)
def test_certificate_in_our_flight_is_seen(flight: bytes, holds: bool) -> None:
    assert holds_certificate(flight) == holds


@pytest.mark.parametrize("value", ["plain", "a,b+c", 'q"\\', " lead", "#hash", "trail ", "<;>", "ü"])
def test_names_are_written_as_rfc_4514_says(value: str) -> None:
    name = x509.Name(
        [x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "US"), x509.NameAttribute(x509.NameOID.COMMON_NAME, value)]
    )

    assert _rfc4514([(b"C", b"US"), (b"CN", value.encode())]) == name.rfc4514_string()
