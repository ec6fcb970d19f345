"""What an observation says of the backend itself, apart from any certificate: is it up, does it speak this version."""

from __future__ import annotations

from ..tls.observation import Observation, Phase, Trouble

__all__ = ["in_words", "is_up", "version_is_refused"]


def is_up(seen: Observation) -> bool:
    """Whether a server is there that speaks TLS and is not still waking up; what it thinks of us does not matter."""
    if seen.answer is not None:
        return seen.answer.status < 500
    return seen.alert is not None or (seen.closing is not None and seen.phase >= Phase.CERTIFICATE_SENT)


def version_is_refused(seen: Observation) -> bool:
    """Whether the peer does not speak this version, as opposed to refusing our certificate or being ill."""
    if seen.phase >= Phase.SERVER_HELLO:
        return False
    if seen.alert is not None:
        return True  # protocol_version(70) mostly, handshake_failure(40) from mbedTLS
    return seen.trouble in (Trouble.LOCAL_TLS, Trouble.NOT_TLS) or seen.closing is not None


def in_words(seen: Observation) -> str:
    """What came of an attempt, for a message."""
    if seen.answer is not None:
        return f"HTTP {seen.answer.status}"
    return seen.detail or (f"connection closed ({seen.closing})" if seen.closing else "nothing")
