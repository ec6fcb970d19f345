"""What faults are made of: changes to the list of checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cryptography import x509

from ...tls.policy import CORRECT_POLICY, PATH, Check, Peer
from ..reference import Behaviour

__all__ = ["also", "forgiving", "path_is_broken", "with_check", "with_path", "without"]


def without(behaviour: Behaviour, name: str) -> Behaviour:
    """Without the check *name*."""
    policy = tuple(check for check in behaviour.policy if check.name != name)
    return replace(behaviour, policy=policy)


def forgiving(behaviour: Behaviour, name: str, codes: set[int]) -> Behaviour:
    """Without these *codes* in the check *name*."""
    policy = tuple(
        replace(check, codes=check.codes - codes) if check.name == name else check for check in behaviour.policy
    )
    return replace(behaviour, policy=policy)


def also(behaviour: Behaviour, name: str, reason: str, broken: Callable[[Peer], bool]) -> Behaviour:
    """With one more check."""
    return replace(behaviour, policy=(*behaviour.policy, Check(name, reason, broken=broken)))


def with_check(behaviour: Behaviour, name: str, broken: Callable[[Peer], bool]) -> Behaviour:
    """Let *broken* decide instead of the check *name*; it needs the whole peer, so not before the handshake is over."""
    policy = tuple(
        replace(check, codes=frozenset(), broken=broken, at_handshake=False) if check.name == name else check
        for check in behaviour.policy
    )
    return replace(behaviour, policy=policy)


def with_path(behaviour: Behaviour, same: Callable[[x509.Certificate, x509.Certificate], bool]) -> Behaviour:
    """Let in, without a path, whoever is the *same* as a trusted certificate."""

    def broken(peer: Peer) -> bool:
        leaf = peer.certificate
        return path_is_broken(peer) and not (leaf and any(same(leaf, one) for one in peer.trusted))

    return with_check(behaviour, PATH, broken)


_PATH_CODES = next(check.codes for check in CORRECT_POLICY if check.name == PATH)


def path_is_broken(peer: Peer) -> bool:
    """Whether OpenSSL found no path from the certificate to the truststore."""
    return any(error.code in _PATH_CODES for error in peer.errors)
