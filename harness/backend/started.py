"""How a backend under test comes to be: started with material of its own, or reached where it runs already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import BackendError
from ..pki.authority import Hierarchy
from ..pki.credential import Credential
from ..pki.truststore import Truststore
from ..tls.observation import TlsVersion
from .contract import lay_out
from .endpoint import endpoint_of
from .instance import Instance
from .ports import can_bind, free_port
from .target import Target

__all__ = ["ServerSide", "reach", "started"]

_PORT_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ServerSide:
    """The server's own certificate and the hierarchy above it."""

    credential: Credential
    hierarchy: Hierarchy


@contextmanager
def started(
    target: Target,
    folder: Path,
    *,
    server: ServerSide,
    control: Credential,
    truststore: Truststore | bytes | None,
    versions: tuple[TlsVersion, ...] | None = None,
) -> Iterator[Instance]:
    """Start a backend with material of its own in *folder*; end it with the block.

    *versions* spares finding out what it speaks. Raises BackendError when it does not come up.
    """
    instance = _start(target, folder, server, control, truststore)
    if versions is not None:
        instance.assume_versions(versions)
    try:
        yield instance
    finally:
        instance.leave()


def _start(
    target: Target, folder: Path, server: ServerSide, control: Credential, truststore: Truststore | bytes | None
) -> Instance:
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        port = free_port()
        root = Truststore((server.hierarchy.root,)).pem
        material = lay_out(folder, port=port, server=server.credential, truststore=truststore, server_ca=root)
        endpoint = endpoint_of(f"https://localhost:{port}/", target.path, material)
        instance = Instance(target, endpoint, control, material)
        try:
            instance.enter()
        except BackendError:
            if attempt == _PORT_ATTEMPTS or can_bind(port):
                raise
        else:
            return instance
    raise AssertionError("unreachable")


def reach(target: Target) -> Instance:
    """The backend that runs already at ``target.endpoint``."""
    assert target.endpoint is not None
    assert target.credential is not None
    return Instance(target, target.endpoint, target.credential)
