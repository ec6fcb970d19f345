"""What is to be judged, and how: the settings of a run as one frozen value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509

from ..pki.authority import Hierarchy
from ..pki.credential import Credential
from ..tls.observation import TlsVersion
from ..tls.probe import Endpoint, Timeouts
from ..verdict import Statuses
from .contract import Capability, Factory
from .reload import RESTART, ReloadWay

__all__ = ["QUICK", "Pace", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long scenarios wait where they have to wait, in seconds."""

    life: float = 6.0
    """What a short-lived credential has left at the start."""
    grace: float = 2.0
    """How long after its notAfter it must be refused."""
    patience: float = 5.0
    """How long a backend may take to notice a changed file by itself."""
    settling: float = 0.2
    """The least that a reload is given when nothing can tell that it is done."""
    reloads: float = 5.0
    """So many times as long as the reload before it took, such a reload is given."""
    tries: int = 2
    """So many connections in a row, with no control between them, for each that must be kept out: two workers that take turns
    would otherwise be asked one the negatives, and the other the controls."""
    in_a_row: int = 30
    """So many new connections with the marker before a live reload is believed; Granian's second worker lags by seconds."""


QUICK = Pace(life=2.0, grace=1.0, patience=1.0, settling=0.0, reloads=0.0, tries=1, in_a_row=3)
"""For the embedded backend: it has our clock, and a reload is done when the call returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One backend to judge. Either ``factory`` (the harness starts it) or ``endpoint`` and ``credential`` are given."""

    kind: str
    """embedded, command, server, url or factory."""
    name: str
    factory: Factory | None = None
    endpoint: Endpoint | None = None
    credential: Credential | None = None
    """What a running backend lets in; a started one gets material of the harness's own."""
    server_authorities: tuple[x509.Certificate, ...] = ()
    """What a running backend's own certificate must lead to, if given."""
    capabilities: frozenset[Capability] = frozenset()
    reload: ReloadWay = RESTART
    reload_within: float = 5.0
    start_within: float = 30.0
    """Seconds from the start of a backend to its first TLS answer."""
    alter_server: Callable[[Credential, Hierarchy], Credential] | None = None
    """What is served instead of the server certificate that is due: a fault in the material."""
    good_days: int | None = None
    """How many days the good credential of our own is valid; None: as long as API Gateway's."""
    path: str = "/"
    statuses: Statuses = field(default_factory=Statuses)
    tls: tuple[TlsVersion, ...] = tuple(TlsVersion)
    pace: Pace = field(default_factory=Pace)
    timeouts: Timeouts = field(default_factory=Timeouts)
    arguments: tuple[str, ...] = ()
    """The command line's words that name this target, for ``reproduce``."""
    version_command: tuple[str, ...] = ()
    """A command that prints the version of the server program; empty where none is known."""

    @property
    def all_capabilities(self) -> frozenset[Capability]:
        """Those declared, and what they imply."""
        return frozenset(one for declared in self.capabilities for one in declared.implied)
