"""Scripts for peers, put together from a moment and what then happens; and probes between two controls, judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography import x509

from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.tls.observation import Observation, TlsVersion
from pytest_mtls.harness.tls.probe import Request, Timeouts, probe
from pytest_mtls.harness.verdict import Evidence, Verdict, judge, judge_control

from .dialogue import Dialogue
from .peers import Peer, Peers, Script, serve

PATIENT = Timeouts(connect=10.0, handshake=10.0, answer=10.0)
"""For peers that act; who provokes silence asks for less."""
SHORT_ANSWER = Timeouts(connect=10.0, handshake=10.0, answer=0.2)
"""For silence behind the handshake."""
SHORT = Timeouts(connect=0.2, handshake=0.2, answer=0.2)
"""For silence before it ends."""
PLAIN = Request()
LARGE = Request(method="POST", body=bytes(8_000_000))
"""Larger than the buffers of both sockets, so that the peer acts while we still write."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Moment = Callable[..., Script]
"""Takes what happens then."""


def script(*actions: Script) -> Script:
    """One action after the other."""

    def run(dialogue: Dialogue) -> None:
        for action in actions:
            action(dialogue)

    return run


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


def unasked(*actions: Script) -> Script:
    """*actions* once the peer has read our request, without having asked for a certificate."""
    return script(lambda dialogue: dialogue.shake_hands(ask=False), Dialogue.read_request, *actions)


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


class Judged(NamedTuple):
    """What a probe saw, and what came of it beside its control."""

    seen: Observation
    verdict: Verdict

    @property
    def rejected_by(self) -> Evidence | None:
        """The evidence of a rejection, or None for any other verdict."""
        return self.verdict.evidence if self.verdict.rejected else None


@dataclass(frozen=True, slots=True)
class Provoke:
    """Probes a peer whose second connection is served by a script; the first and the third are its controls."""

    peers: Peers
    client: Credential
    tls: TlsVersion

    def __call__(
        self,
        script: Script,
        *,
        credential: Credential | None = None,
        anonymous: bool = False,
        request: Request = PLAIN,
        timeouts: Timeouts = PATIENT,
        trusted: tuple[x509.Certificate, ...] = (),
    ) -> Judged:
        """Probe with the client's credential, another one, or *anonymous* with none."""
        peer = self.peers.start(serve, script, serve, trusted=trusted)
        before = self._control(peer)
        presented = None if anonymous else credential or self.client
        seen = probe(peer.endpoint(), tls=self.tls, credential=presented, request=request, timeouts=timeouts)
        self._control(peer)
        return Judged(seen, judge(seen, before))

    def _control(self, peer: Peer) -> Observation:
        seen = probe(peer.endpoint(), tls=self.tls, credential=self.client, timeouts=PATIENT)
        verdict = judge_control(seen)
        if not verdict.accepted:
            raise AssertionError(f"the control was not let in: {verdict.text} {seen}")
        return seen
