"""Good credentials of each kind, and the defects that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding

from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import Sample, make_defect
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential

from .openssl import Verify

__all__ = ["CLIENT", "EVERY", "ISSUED", "NOW", "Kit"]

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
CLIENT = ("-purpose", "sslclient")
"""The options that ask openssl for a client's certificate."""


def _now() -> datetime:
    return NOW


def _gateway_sample() -> Sample:
    return Sample(gateway_credential(clock=_now), None, _now)


def _private_ca_sample(depth: int) -> Sample:
    hierarchy = new_hierarchy(depth)
    return Sample(hierarchy.issue(clock=_now, rsa_key=depth == 1), hierarchy, _now)


_MAKERS: dict[str, Callable[[], Sample]] = {
    "gateway": _gateway_sample,
    "private-ca-1": lambda: _private_ca_sample(1),
    "private-ca-3": lambda: _private_ca_sample(3),
}
EVERY, ISSUED = tuple(_MAKERS), ("private-ca-1", "private-ca-3")
"""The kinds of samples: all, and those that an authority issued."""


class Kit:
    """The samples and their defects, each made once."""

    def __init__(self) -> None:
        self._samples: dict[str, Sample] = {}
        self._made: dict[tuple[str, str], Credential] = {}

    def sample(self, kind: str) -> Sample:
        """The sample of this *kind*."""
        if kind not in self._samples:
            self._samples[kind] = _MAKERS[kind]()
        return self._samples[kind]

    def defect(self, name: str, kind: str) -> Credential:
        """The defect *name* of that sample."""
        if (name, kind) not in self._made:
            self._made[name, kind] = make_defect(name, self.sample(kind))
        return self._made[name, kind]

    def errors(
        self, verify: Verify, credential: Credential, trusted: Credential, kind: str, *options: str
    ) -> list[tuple[int, int]]:
        """What openssl objects to in *credential* where *trusted*, or the root of its hierarchy, is in the truststore."""
        hierarchy = self.sample(kind).hierarchy
        anchor = trusted.leaf if hierarchy is None else hierarchy.root
        root, leaf = anchor.public_bytes(Encoding.PEM), credential.leaf.public_bytes(Encoding.PEM)
        return verify([root], leaf, *options, at=int(NOW.timestamp()), chain=credential.certificate_pem)
