"""All that the mock gateway knows, without I/O: the control plane changes it, the data plane reads it.

One thread owns it (the gateway's event loop), so there are no locks; who comes from elsewhere submits to that loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..clock import Clock, system_clock
from ..pki.credential import Credential
from .domain_model import DomainName
from .errors import bad_request, not_found
from .model import AcmCertificate, ClientCertificate, HttpApi, RestApi, Stage
from .settings import Settings

__all__ = ["State"]

_EARLIEST, _BEYOND = datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC)
"""Trace ids have the seconds since 1970 in eight hex digits; X.509's UTCTime begins with 1950."""


@dataclass(slots=True)
class State:
    """Resources by id, settings, and the gateway's clock. ``reset`` brings back what the process was started with."""

    region: str = "us-east-1"
    account_id: str = "123456789012"
    settings: Settings = field(default_factory=Settings)
    real_clock: Clock = system_clock
    offset: timedelta = timedelta()
    client_certificates: dict[str, ClientCertificate] = field(default_factory=dict)
    acm_certificates: dict[str, AcmCertificate] = field(default_factory=dict)
    rest_apis: dict[str, RestApi] = field(default_factory=dict)
    http_apis: dict[str, HttpApi] = field(default_factory=dict)
    domain_names: dict[str, DomainName] = field(default_factory=dict)
    """By name, lower case."""
    retired: dict[str, Credential] = field(default_factory=dict)
    """Generated certificates that were deleted while a switch away from them was still on its way to the edge."""
    on_change: list[Callable[[], None]] = field(default_factory=list)
    """Called after a change that may let connections outlive what they were opened by: stages, settings, clock, domains."""
    _started_with: Settings | None = None

    def __post_init__(self) -> None:
        self._started_with = self.settings

    def now(self) -> datetime:
        """The gateway's time: for issuing, judging and logging, never for time-outs."""
        return self.real_clock() + self.offset

    def set_clock(self, offset: timedelta) -> None:
        """Let the gateway's time be *offset* ahead; raises ValueError when that leads out of the years 1970 to 2105."""
        try:
            fits = _EARLIEST <= self.real_clock() + offset < _BEYOND
        except OverflowError:
            fits = False
        if not fits:
            raise ValueError(f"clock offset ({offset}): expected one that leads to a time from 1970 to 2105")
        self.offset = offset

    def changed(self) -> None:
        """Tell whoever keeps connections that stages, settings or the clock changed."""
        for tell in self.on_change:
            tell()

    def reset(self) -> None:
        """Drop every resource; clock and settings go back to how the process was started."""
        for resources in (self.client_certificates, self.acm_certificates, self.rest_apis, self.http_apis):
            resources.clear()
        self.domain_names.clear()
        self.retired.clear()
        self.offset = timedelta()
        assert self._started_with is not None
        self.settings = self._started_with
        self.changed()

    # --- lookups

    def rest_api(self, api_id: str) -> RestApi:
        """The REST API; raises NotFoundException in AWS's words."""
        try:
            return self.rest_apis[api_id]
        except KeyError:
            raise not_found(f"Invalid API identifier specified {self.account_id}:{api_id}") from None

    def http_api(self, api_id: str) -> HttpApi:
        """The HTTP or WebSocket API; raises NotFoundException in AWS's words."""
        try:
            return self.http_apis[api_id]
        except KeyError:
            message = f"Invalid API identifier specified {self.account_id}:{api_id}"
            raise not_found(message, resource_type="Api") from None

    def credential(self, reference: str | None) -> Credential | None:
        """What a stage's clientCertificateId or ACM ARN stands for; None when there is none (any more)."""
        if reference is None:
            return None
        if reference in self.client_certificates:
            return self.client_certificates[reference].credential
        imported = self.acm_certificates.get(reference)
        return self.retired.get(reference) if imported is None else imported.credential

    def knows_certificate(self, reference: str) -> bool:
        """Whether *reference* is the id or ARN of a certificate that exists."""
        return reference in self.client_certificates or reference in self.acm_certificates

    def require_credential(self, reference: str) -> Credential:
        """The credential to be attached to a stage; raises BadRequestException for an unknown one."""
        found = self.credential(reference) if self.knows_certificate(reference) else None
        if found is None:
            raise bad_request("Invalid Client Certificate identifier specified")
        return found

    def users(self, reference: str) -> list[str]:
        """The stages, as ``api/stage``, that show this certificate or still present it for want of a deployment."""
        rest = [f"{api.id}/{stage.name}" for api, stage in self.stages() if reference in _certificates(stage)]
        http = [
            f"{api.id}/{stage.name}"
            for api in self.http_apis.values()
            for stage in api.stages.values()
            if stage.client_certificate == reference
        ]
        return rest + http

    def domains_with(self, arn: str) -> list[str]:
        """The custom domain names that serve this ACM certificate."""
        return [one.name for one in self.domain_names.values() if one.certificate_arn == arn]

    def domain_for(self, name: str | None) -> DomainName | None:
        """The custom domain name that *name* (of SNI or Host, without port) means: itself, else its wildcard."""
        if name is None:
            return None
        name = name.lower().rstrip(".")
        return self.domain_names.get(name) or self.domain_names.get(f"*.{name.partition('.')[2]}")

    # --- what a stage presents

    def presented(self, stage: Stage) -> str | None:
        """The certificate that a request of this moment goes out with: the one in force, or the former one for a while.

        ``propagation_ms`` is how long a switch takes to arrive.
        """
        return stage.former if time.monotonic() < stage.arrives else stage.in_force

    def certificates_in_use(self) -> set[str]:
        """Every certificate that some stage presents at this moment; what is shown but not in force does not count."""
        return {used for _, stage in self.stages() if (used := self.presented(stage)) is not None}

    def stages(self) -> Iterator[tuple[RestApi, Stage]]:
        """Every stage of every REST API."""
        for api in self.rest_apis.values():
            for stage in api.stages.values():
                yield api, stage


def _certificates(stage: Stage) -> tuple[str | None, str | None]:
    return stage.client_certificate, stage.in_force
