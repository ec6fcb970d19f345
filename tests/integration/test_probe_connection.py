"""The probe's connection: TCP that does not open, deadlines, versions, and what goes over the wire."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest

from pytest_mtls.harness.backend.signs import version_is_refused
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import Sample, make_defect
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.tls.observation import Observation, Phase, TlsVersion, Trouble
from pytest_mtls.harness.tls.probe import Endpoint, probe
from pytest_mtls.harness.tls.wire import open_tcp
from pytest_mtls.harness.verdict import Decision, judge, judge_control

from .dialogue import Dialogue
from .peers import OK, Peers
from .scripts import (
    CONTINUE,
    PATIENT,
    SHORT,
    SHORT_ANSWER,
    Provoke,
    after_handshake,
    after_hello,
    after_request,
    answer,
    say,
    write,
)

SOON = 3_000
"""Milliseconds: far more than the deadlines of ``SHORT``, far less than those of a peer that goes on for ever."""
NO_FAMILY = 250
ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="relies on how Linux fills the queue of a listener")


def judged(seen: Observation, control: Observation) -> Decision:
    """The decision beside *control*, which must be let in."""
    assert judge_control(control).accepted

    return judge(seen, control).decision


@pytest.fixture
def control(peers: Peers, client: Credential, tls: TlsVersion) -> Observation:
    """An accepted control from a peer in good health."""
    return probe(peers.start().endpoint(), tls=tls, credential=client, timeouts=PATIENT)


def endpoint(host: str, port: int = 443, server_name: str | None = "localhost") -> Endpoint:
    """Somewhere."""
    return Endpoint(host=host, port=port, server_name=server_name, authority=f"{host}:{port}")


def milliseconds(seen: Observation) -> float:
    """How long it took as a whole."""
    return dict(seen.times)["end"]


# --- TCP does not open


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else can."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def full_listener() -> Iterator[int]:
    """The port of a listener whose queue is full, so that the kernel drops every SYN."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


def test_a_refused_connection_proves_nothing(control: Observation, client: Credential, tls: TlsVersion) -> None:
    """Nobody listens: perhaps the backend has died."""
    with reserved_port() as port:
        seen = probe(endpoint("127.0.0.1", port), tls=tls, credential=client, timeouts=PATIENT)

    assert (seen.trouble, seen.phase) == (Trouble.REFUSED, Phase.START)
    assert judged(seen, control) is Decision.INCONCLUSIVE


@pytest.mark.parametrize(
    ("host", "server_name"),
    [
        ("nobody.invalid", "nobody.invalid"),
        (f"{'a' * 64}.invalid", None),
        ("a..invalid", None),
        ("127.0.0.1", f"{'a' * 64}.invalid"),
    ],
    ids=["unknown", "long label", "empty label", "long label in SNI"],
)
def test_a_name_that_cannot_be_resolved_proves_nothing(
    control: Observation, tls: TlsVersion, host: str, server_name: str | None
) -> None:
    """RFC 6761 reserves .invalid; the others are no names at all, and are no reason to raise."""
    seen = probe(endpoint(host, server_name=server_name), tls=tls, timeouts=SHORT)

    assert (seen.trouble, seen.phase) == (Trouble.NAME, Phase.START)
    assert judged(seen, control) is Decision.INCONCLUSIVE


@ONLY_LINUX
def test_a_full_queue_proves_nothing(control: Observation, client: Credential, tls: TlsVersion) -> None:
    """TCP does not open in time."""
    with full_listener() as port:
        seen = probe(endpoint("127.0.0.1", port), tls=tls, credential=client, timeouts=SHORT)

    assert (seen.trouble, seen.phase) == (Trouble.TIMEOUT, Phase.START)
    assert judged(seen, control) is Decision.INCONCLUSIVE


def test_a_listener_that_never_accepts_proves_nothing(
    control: Observation, client: Credential, tls: TlsVersion
) -> None:
    """The kernel opens TCP for it, and nobody speaks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen = probe(endpoint("127.0.0.1", listener.getsockname()[1]), tls=tls, credential=client, timeouts=SHORT)

    assert (seen.trouble, seen.detail) == (Trouble.TIMEOUT, "nothing came after our ClientHello")
    assert judged(seen, control) is Decision.INCONCLUSIVE


def resolve_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Let every name have an address of a family that the machine lacks, and then one for each of *ports*."""
    addresses = [(NO_FAMILY, socket.SOCK_STREAM, 0, "", ("", 0))]
    addresses += [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)


@ONLY_LINUX
def test_all_addresses_share_one_deadline(monkeypatch: pytest.MonkeyPatch, tls: TlsVersion) -> None:
    """A name with many dead addresses does not take many times as long."""
    with full_listener() as port:
        resolve_to(monkeypatch, *[port] * 20)
        seen = probe(endpoint("many.example"), tls=tls, timeouts=SHORT)

    assert seen.trouble is Trouble.TIMEOUT
    assert milliseconds(seen) < SOON


@ONLY_LINUX
def test_a_dead_first_address_does_not_starve_the_next(
    monkeypatch: pytest.MonkeyPatch, peers: Peers, client: Credential, tls: TlsVersion
) -> None:
    """localhost is ::1 first, and the backend may listen on 127.0.0.1 only."""
    peer = peers.start()
    with reserved_port() as refusing, full_listener() as silent:
        resolve_to(monkeypatch, refusing, silent, peer.port)
        seen = probe(endpoint("three.example"), tls=tls, credential=client, timeouts=replace(PATIENT, connect=0.5))

    assert judge_control(seen).accepted


def test_a_network_that_fails_is_no_close_of_the_peer(
    monkeypatch: pytest.MonkeyPatch, control: Observation, peers: Peers, client: Credential, tls: TlsVersion
) -> None:
    """Only the peer's FIN and RST are the peer's; a route that breaks down after our request says nothing."""

    class Unplugged(socket.socket):
        """Gives what comes first (the peer's flight) and then fails."""

        flights = 1

        def recv(self, most: int, flags: int = 0) -> bytes:
            if not flags and not self.flights:
                raise OSError(errno.EHOSTUNREACH, "No route to host")
            data = super().recv(most, flags)
            self.flights -= not flags
            return data

    def unplugged(host: str, port: int, seconds: float) -> socket.socket:
        return Unplugged(fileno=open_tcp(host, port, seconds).detach())

    monkeypatch.setattr("pytest_mtls.harness.tls.probe.open_tcp", unplugged)
    seen = probe(peers.start().endpoint(), tls=tls, credential=client, timeouts=PATIENT)

    assert (seen.trouble, seen.closing) == (Trouble.UNREACHABLE, None)
    assert judged(seen, control) is Decision.INCONCLUSIVE


# --- deadlines


HEADERS = answer(200, length=1_000_000)


@pytest.mark.parametrize("octets", [HEADERS, CONTINUE], ids=["headers", "1xx"])
def test_a_trickling_answer_is_given_up(provoke: Provoke, octets: bytes) -> None:
    """One deadline holds for the whole answer, however regularly an octet comes."""
    seen, verdict = provoke(
        after_request(lambda dialogue: dialogue.trickle(octets, inside=True, seconds=0.03)), timeouts=SHORT_ANSWER
    )

    assert (seen.trouble, verdict.decision) == (Trouble.TIMEOUT, Decision.INCONCLUSIVE)
    assert milliseconds(seen) < SOON


def test_a_trickling_body_is_given_up(provoke: Provoke) -> None:
    """The status stands; the answer is incomplete."""
    seen, verdict = provoke(
        after_request(say(HEADERS), lambda dialogue: dialogue.trickle(b"a", inside=True)), timeouts=SHORT_ANSWER
    )

    assert seen.answer is not None
    assert (seen.trouble, seen.answer.complete) == (Trouble.TIMEOUT, False)
    assert verdict.decision is Decision.ACCEPTED


def test_a_trickling_handshake_is_given_up(provoke: Provoke) -> None:
    """A record that never ends."""
    record = b"\x16\3\3\x40\0" + bytes(0x4000)
    seen, verdict = provoke(after_hello(lambda dialogue: dialogue.trickle(record, inside=False)), timeouts=SHORT)

    assert (seen.trouble, verdict.decision) == (Trouble.TIMEOUT, Decision.INCONCLUSIVE)
    assert milliseconds(seen) < SOON


def test_a_flood_of_interim_answers_is_given_up(provoke: Provoke) -> None:
    """The deadline holds for a peer that never lets us wait, too."""
    seen, verdict = provoke(after_request(lambda dialogue: dialogue.flood(CONTINUE * 40_000)), timeouts=SHORT_ANSWER)

    assert (seen.trouble, verdict.decision) == (Trouble.TIMEOUT, Decision.INCONCLUSIVE)
    assert milliseconds(seen) < SOON


def test_a_flood_of_warnings_is_given_up(provoke: Provoke) -> None:
    """OpenSSL itself has enough of them soon."""
    warnings = b"\x15\3\3\0\2\1\x5a" * 1000
    seen, verdict = provoke(after_hello(write(warnings), Dialogue.hold), timeouts=SHORT)

    assert seen.trouble in (Trouble.LOCAL_TLS, Trouble.TIMEOUT)
    assert verdict.decision is Decision.INCONCLUSIVE


def test_an_endless_body_is_cut_at_its_limit(provoke: Provoke) -> None:
    """16 MB are enough of an answer; that there was more is noted as incomplete."""
    flood = after_request(say(b"HTTP/1.1 200 OK\r\n\r\n"), lambda dialogue: dialogue.flood(bytes(1_000_000)))
    seen, verdict = provoke(flood)

    assert seen.answer is not None
    assert 16 * 2**20 < seen.answer.length < 17 * 2**20
    assert (seen.answer.complete, seen.trouble, verdict.decision) == (False, None, Decision.ACCEPTED)


# --- TLS versions


def other(tls: TlsVersion) -> TlsVersion:
    """The other version."""
    return TlsVersion.TLS12 if tls is TlsVersion.TLS13 else TlsVersion.TLS13


def test_a_peer_without_our_version_says_so(peers: Peers, client: Credential, tls: TlsVersion) -> None:
    """protocol_version(70), before our certificate was asked for; not accepted, and known as a matter of version."""
    peer = peers.start(after_handshake(), versions=(other(tls),))
    seen = probe(peer.endpoint(), tls=tls, credential=client, timeouts=PATIENT)

    assert seen.alert is not None
    assert (seen.alert.number, seen.phase, seen.certificate_requested) == (70, Phase.CONNECTED, False)
    assert version_is_refused(seen)


@pytest.mark.parametrize("tls", list(TlsVersion), ids=str)
def test_a_server_hello_of_another_version_is_a_tls_error_of_ours(
    peers: Peers, client: Credential, control: Observation, tls: TlsVersion
) -> None:
    """The octets are TLS, so this is no wrong port: our library refuses the version."""
    supported_versions = b"\0\x2b\0\2\3\4" if tls is TlsVersion.TLS12 else b""
    suite = b"\x13\1" if tls is TlsVersion.TLS12 else b"\xc0\x2b"
    extensions = len(supported_versions).to_bytes(2, "big") + supported_versions
    hello = b"\3\3" + bytes(range(32)) + b"\0" + suite + b"\0" + extensions
    message = b"\2" + len(hello).to_bytes(3, "big") + hello
    record = b"\x16\3\3" + len(message).to_bytes(2, "big") + message
    peer = peers.start(after_hello(write(record), Dialogue.hold))
    seen = probe(peer.endpoint(), tls=tls, credential=client, timeouts=PATIENT)

    assert (seen.trouble, version_is_refused(seen)) == (Trouble.LOCAL_TLS, True)
    assert judged(seen, control) is Decision.INCONCLUSIVE


# --- what goes over the wire


def overheard(peers: Peers, *, host: str = "127.0.0.1") -> tuple[Endpoint, list[Dialogue]]:
    """A peer in good health, and the dialogue that it will have had."""
    dialogues: list[Dialogue] = []

    def listen(dialogue: Dialogue) -> None:
        dialogue.shake_hands()
        dialogues.append(dialogue)
        dialogue.read_request()
        dialogue.say(OK)
        dialogue.close_notify()

    return peers.start(listen, host=host).endpoint(), dialogues


@pytest.mark.parametrize(
    ("server_name", "sent"),
    [("api.example", "api.example"), ("bücher.example", "xn--bcher-kva.example"), (None, None)],
    ids=["name", "IDN", "none"],
)
def test_sni_is_what_was_asked_for(
    peers: Peers, client: Credential, tls: TlsVersion, server_name: str | None, sent: str | None
) -> None:
    """The server name goes out as given, or not at all, whatever the address is called."""
    where, dialogues = overheard(peers)
    probe(replace(where, server_name=server_name), tls=tls, credential=client, timeouts=PATIENT)

    assert [dialogue.server_name for dialogue in dialogues] == [sent]


def test_the_chain_goes_out_in_the_order_given(peers: Peers, tls: TlsVersion) -> None:
    """Also in a wrong one, with a stranger in it and the root at the end: the backend is to judge it."""
    hierarchy = new_hierarchy(3)
    leaf = hierarchy.issue()
    lower, upper = hierarchy.intermediates
    presented = replace(leaf, chain=(upper, gateway_credential().leaf, lower, hierarchy.root))
    where, dialogues = overheard(peers)
    probe(where, tls=tls, credential=presented, timeouts=PATIENT)

    assert [dialogue.chain for dialogue in dialogues] == [presented.certificates]


@pytest.mark.parametrize("defect", ["rsa-1024", "sha1-signature", "expired", "version-1"])
def test_a_bad_credential_still_goes_out(peers: Peers, tls: TlsVersion, defect: str) -> None:
    """Whether it is taken is for the backend to say, not for our library."""
    hierarchy = new_hierarchy()
    presented = make_defect(defect, Sample(hierarchy.issue(rsa_key=True), hierarchy))
    where, dialogues = overheard(peers)
    probe(where, tls=tls, credential=presented, timeouts=PATIENT)

    assert [dialogue.chain[0] for dialogue in dialogues] == [presented.leaf]


def test_proxies_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, peers: Peers, client: Credential, tls: TlsVersion
) -> None:
    """A proxy would end TLS, or TCP, in our place."""
    where, dialogues = overheard(peers)
    with reserved_port() as port:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        seen = probe(where, tls=tls, credential=client, timeouts=PATIENT)

    assert (judge_control(seen).accepted, len(dialogues)) == (True, 1)


def has_ipv6() -> bool:
    """Whether this machine has ::1."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_ipv6_is_spoken(peers: Peers, client: Credential, tls: TlsVersion) -> None:
    """The address stands in brackets in the URL and in the Host header."""
    where, dialogues = overheard(peers, host="::1")
    seen = probe(where, tls=tls, credential=client, timeouts=PATIENT)

    assert (judge_control(seen).accepted, len(dialogues)) == (True, 1)
    assert seen.url == f"https://[::1]:{where.port}/"
