"""A reference backend with faults, for tests of clients and scanners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509

from ..pki.authority import new_hierarchy, server_credential
from ..pki.credential import Credential
from ..pki.truststore import Truststore
from .embedded import reference_target
from .instance import Instance
from .started import ServerSide, started

__all__ = ["start_faulty"]


@contextmanager
def start_faulty(
    folder: Path, faults: Iterable[str], good: Credential, trusted: Iterable[x509.Certificate] = ()
) -> Iterator[Instance]:
    """The reference backend with *faults*, in a thread, its material in *folder*.

    Its truststore holds *good*'s certificate and then *trusted*. Raises UsageError for an unknown fault.
    """
    hierarchy = new_hierarchy(2)
    target, served = reference_target(faults), server_credential(hierarchy=hierarchy)
    if target.alter_server is not None:
        served = target.alter_server(served, hierarchy)
    server = ServerSide(served, hierarchy)
    truststore = Truststore.of((good.leaf, *trusted))
    with started(target, folder, server=server, control=good, truststore=truststore) as instance:
        yield instance
