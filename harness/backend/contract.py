"""The contract between the harness and a backend: material in, something with a URL out.

A *factory* takes the material and returns a context manager whose value has ``.url`` and, if it can, ``.reload()``,
called after the truststore file changed. Everything under test is one: the embedded reference, a command, a built-in
server, and what a repository returns from its ``mtls_backend_factory`` fixture.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from ..pki.credential import Credential
from ..pki.truststore import Truststore, write_atomically

__all__ = ["Capability", "Factory", "Material", "Reloadable", "Running", "lay_out"]


class Capability(StrEnum):
    """What a backend declares that it can do; the only reason to skip a scenario (docs: the catalogue's *needs*)."""

    START = "start"
    """It is started by the harness with material of its own."""
    RELOAD = "reload"
    """It takes over a changed truststore by its declared way; a restart counts. Implies start."""
    LIVE_RELOAD = "live-reload"
    """The same without a restart. Implies reload."""
    REVOCATION_CRL = "revocation-crl"
    """It checks the CRL given as material."""
    REVOCATION_OCSP = "revocation-ocsp"
    """It asks an OCSP responder."""
    IDENTITY = "identity"
    """It has a declared rule on who of the certified may enter."""
    WITNESS = "witness"
    """It tells which requests its application handled, with which identity."""
    VHOSTS = "vhosts"
    """It has two names on one port: one open (or with another truststore), one protected."""
    PATHS = "paths"
    """It has an open and a protected path prefix."""
    ENTRANCES = "entrances"
    """Its other ports and addresses are declared."""
    HEADER = "header"
    """The forwarded header's name and encoding are declared."""
    HEADER_FLAG = "header-flag"
    """A header with the proxy's verdict is declared too."""
    FRONT = "front"
    """It is the proxy itself; the harness plays its upstream."""
    H2 = "h2"
    """It offers HTTP/2."""
    EARLY_DATA = "early-data"
    """It accepts 0-RTT."""
    LOG = "log"
    """It has a readable log."""
    CLOCK = "clock"
    """It lets the harness move its clock."""
    RAW_TLS = "raw-tls"
    """The harness has a TLS stack that can send broken messages."""
    QUIC = "quic"
    """The harness has a QUIC stack."""

    @property
    def core(self) -> bool:
        """Whether a MUST that is skipped for want of it makes the result partial."""
        return self in (Capability.START, Capability.RELOAD)

    @property
    def implied(self) -> frozenset[Capability]:
        """This capability with all that it implies."""
        chain = [Capability.START, Capability.RELOAD, Capability.LIVE_RELOAD]
        return frozenset(chain[: chain.index(self) + 1]) if self in chain else frozenset({self})


@dataclass(frozen=True, slots=True)
class Material:
    """What a backend is started with. Paths and port stay the same for its life, across reloads and restarts.

    The server certificate names localhost, 127.0.0.1 and ::1. ``truststore`` may be missing or broken on purpose;
    ``crl`` exists only for backends that declare revocation-crl.
    """

    folder: Path
    host: str
    port: int

    @property
    def server_cert(self) -> Path:
        """The server's certificate with its intermediates, PEM."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """Its private key, PEM, mode 0600."""
        return self.folder / "server.key"

    @property
    def server_ca(self) -> Path:
        """The root that the server certificate leads to: for clients, not for the backend."""
        return self.folder / "server-ca.pem"

    @property
    def truststore(self) -> Path:
        """Who may come in, PEM; replaced by an atomic rename."""
        return self.folder / "truststore.pem"

    @property
    def crl(self) -> Path:
        """Whom not to trust any more, PEM."""
        return self.folder / "crl.pem"

    @property
    def start_script(self) -> Path:
        """A shell script that starts the backend again by hand; written where the harness knows its command."""
        return self.folder / "start.sh"

    @property
    def placeholders(self) -> dict[str, str]:
        """The words of ``--command`` and, as ``MTLS_…``, of its environment."""
        return {
            "host": self.host,
            "port": str(self.port),
            "server_cert": str(self.server_cert),
            "server_key": str(self.server_key),
            "truststore": str(self.truststore),
            "crl": str(self.crl),
        }

    def replace_truststore(self, truststore: Truststore | bytes | None) -> None:
        """Put a bundle, or any octets, in the truststore's place by a rename; None removes the file."""
        if truststore is None:
            self.truststore.unlink(missing_ok=True)
        else:
            write_atomically(self.truststore, truststore if isinstance(truststore, bytes) else truststore.pem)


@runtime_checkable
class Running(Protocol):
    """A backend that has been started."""

    @property
    def url(self) -> str:
        """Where it answers, https."""
        ...


@runtime_checkable
class Reloadable(Running, Protocol):
    """A backend that can take over a changed truststore without a restart."""

    def reload(self) -> None:
        """Called after the truststore file changed; may return before the change is in effect."""


Factory = Callable[[Material], AbstractContextManager[Running]]
"""Starts a backend; leaving the context ends it and everything that it started."""


def lay_out(
    folder: Path,
    *,
    port: int,
    server: Credential,
    truststore: Truststore | bytes | None,
    server_ca: bytes = b"",
    host: str = "127.0.0.1",
) -> Material:
    """Write the material of one backend into *folder* (mode 0700; the key 0600)."""
    material = Material(folder, host, port)
    server.write(folder, "server")
    material.server_ca.write_bytes(server_ca)
    material.replace_truststore(truststore)
    return material
