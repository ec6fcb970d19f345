"""The mock gateway's log, as tests read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .log import Entry

if TYPE_CHECKING:
    from .facade import Api, MockGateway

__all__ = ["GatewayLog"]


class GatewayLog:
    """What the gateway did; each entry is a mapping as in ``GET /_mtls/log``."""

    def __init__(self, gateway: MockGateway) -> None:
        self._gateway = gateway

    @property
    def next(self) -> int:
        """What to give as ``since`` to see only what comes from now on."""
        return self._gateway.call(lambda: self._gateway._gateway.log.next)

    def integrations(self, api: Api | None = None, *, request_id: str | None = None) -> list[Entry]:
        """Every attempt to call a backend, oldest first: what was asked for, presented, and answered."""
        return self.entries(kind="integration", api_id=None if api is None else api.id, request_id=request_id)

    def authorizers(self, api: Api | None = None, *, request_id: str | None = None) -> list[Entry]:
        """Every request that an authorizer was asked about: the event, the decision, and whether it was a cached one."""
        return self.entries(kind="authorizer", api_id=None if api is None else api.id, request_id=request_id)

    def front_door(self) -> list[Entry]:
        """Every request to a domain with mutual TLS, and every connection that ended before one: for want of a certificate,
        or because the handshake failed."""
        return self.entries(kind="front_door")

    def control(self) -> list[Entry]:
        """Every operation of the control plane that came by HTTP."""
        return self.entries(kind="control")

    def presented(self, api: Api | None = None) -> list[str | None]:
        """The certificate of each attempt to call a backend, in order; None where none was presented."""
        return [None if entry["tls"] is None else entry["tls"]["presented"] for entry in self.integrations(api)]

    def entries(self, **conditions: Any) -> list[Entry]:
        """The entries that fit: ``kind``, ``since``, ``api_id``, ``request_id``, ``limit``."""
        log = self._gateway._gateway.log
        return self._gateway.call(lambda: list(log.entries(**conditions)))
