"""A reference backend with faults, for tests of clients and scanners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509

from ..pki.authority import new_hierarchy, server_credential
from ..pki.credential import Credential
from ..pki.truststore import Truststore
from .faults import behaviour_with
from .instance import Instance, ServerSide, started
from .reference import embedded
from .target import Target

__all__ = ["start_faulty"]


@contextmanager
def start_faulty(
    folder: Path, faults: Iterable[str], good: Credential, trusted: Iterable[x509.Certificate] = ()
) -> Iterator[Instance]:
    """The reference backend with *faults*, in a thread, its material in *folder*.

    Its truststore holds *good*'s certificate and then *trusted*. Raises UsageError for an unknown fault.
    """
    behaviour = behaviour_with(faults)
    hierarchy = new_hierarchy(2)
    target = Target(kind="embedded", name="reference", factory=lambda material: embedded(material, behaviour))
    server = ServerSide(server_credential(hierarchy=hierarchy), hierarchy)
    truststore = Truststore.of((good.leaf, *trusted))
    with started(target, folder, server=server, control=good, truststore=truststore) as instance:
        yield instance
