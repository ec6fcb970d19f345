"""The mock gateway as a whole, on one event loop: state, control plane, data plane, egress, listeners."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography import x509

from .. import leftovers
from ..clock import Clock, system_clock
from ..pki.authority import Hierarchy, new_hierarchy
from ..pki.credential import Credential
from ..pki.key_pool import KeyPool
from ..pki.truststore import Truststore
from .authorizer import Authorizers
from .control_plane import ControlPlane, Fetch
from .custom_domain import FrontDoor
from .data_plane import DataPlane
from .egress import Egress, Trust
from .faults import Faults
from .functions import Function, Functions
from .ingress import Ingress
from .invocation import Invoker
from .listeners import Listeners, bind
from .log import Log
from .management import Management
from .objects import Folder, Objects, Server
from .settings import Settings
from .state import State
from .wire import Service

__all__ = ["Gateway", "Options"]

_GRACE = 5.0
"""Seconds that requests in flight have when the gateway stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a gateway is started with; the contract's section 1."""

    host: str = "127.0.0.1"
    port: int = 0
    tls_port: int = 0
    region: str = "us-east-1"
    account_id: str = "123456789012"
    s3_root: Path | None = None
    s3_endpoint: str | None = None
    ca_bundle: tuple[x509.Certificate, ...] = ()
    resolve: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    platform_trust: bool = True
    """Whether the platform's CAs are trusted beside ``ca_bundle``."""


class Gateway:
    """Make it anywhere; ``start`` and everything after it belong to one event loop.

    *keys* may be shared by several gateways of a process; *clock* is the real one but for tests; *log* may be one's own.
    """

    def __init__(
        self,
        options: Options = Options(),
        *,
        keys: KeyPool | None = None,
        clock: Clock = system_clock,
        new_log: Callable[[Clock], Log] = Log,
    ) -> None:
        self.options = options
        self.state = State(options.region, options.account_id, options.settings, clock)
        self.log = new_log(self.state.now)
        self.faults = Faults()
        self.functions = dict(options.functions)
        self.names = dict(options.resolve)
        self._trust = Trust(options.ca_bundle, platform=options.platform_trust)
        self._own_keys = keys is None
        self._keys = keys or KeyPool()
        self.control_plane = ControlPlane(self.state, self._keys)
        self.version = version("pytest-mtls")
        self.endpoint, self.tls_port = "", 0
        self.ca = Truststore()
        self.folder: Path | None = None
        """Temporary: the CA's file, and the root of S3 if none was given."""
        self._later: asyncio.TimerHandle | None = None

    # --- life

    async def start(self) -> None:
        """Accept on both ports. Raises StartError when one is taken."""
        options = self.options
        plain = bind(options.host, options.port, "--port")
        try:
            tls = bind(options.host, options.tls_port, "--tls-port")
        except BaseException:
            plain.close()
            raise
        port, self.tls_port = plain.getsockname()[1], tls.getsockname()[1]
        shown = f"[{options.host}]" if ":" in options.host else options.host
        self.endpoint = f"http://{shown}:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix="pytest-mtls-gateway-", dir=leftovers.folder()))
        authority = self._new_authority()
        self.egress = Egress(
            lambda: self.state.settings,
            trust=self._trust,
            resolve=self.names,
            clock=self.state.now,
        )
        self.invoker = Invoker(self.state, self.log, self.egress, self.faults)
        self.function_calls = Functions(self.functions)
        authorizers = Authorizers(self.state, self.log, self.function_calls)
        self._data_plane = DataPlane(self.state, self.invoker, authorizers)
        self.front_door = FrontDoor(self.state, self.log, self._data_plane, authority, self._default(authority))
        self.objects = self._objects()
        management = Management(
            state=self.state,
            log=self.log,
            faults=self.faults,
            egress=self.egress,
            names=self.names,
            functions=self.functions,
            reset=self.reset,
            version=self.version,
        )
        self.state.on_change += [self._retire, self.front_door.refresh]
        ingress = Ingress(
            state=self.state,
            log=self.log,
            faults=self.faults,
            control_plane=self.control_plane,
            data_plane=self._data_plane,
            invoker=self.invoker,
            management=management,
            front_door=self.front_door,
            objects=self.objects,
            own_host=options.host,
        )
        self._listeners = Listeners(ingress.answer_plain, ingress.answer_tls)
        await self._listeners.start(plain, tls, self.front_door.accept)
        self._keys.start()

    async def stop(self, grace: float = _GRACE) -> None:
        """Stop accepting, let requests in flight finish for *grace* seconds at most, close and remove everything."""
        try:
            await self._listeners.stop(grace)
            self.front_door.close()
            await self.egress.aclose()
        finally:
            if self._later is not None:
                self._later.cancel()
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)
            if self._own_keys:
                self._keys.close()

    async def perform(self, name: str, service: Service = "apigateway", /, **members: Any) -> dict[str, Any]:
        """An operation of the control plane without HTTP, with what it has to read; raises as ``ControlPlane.perform``."""
        result = self.control_plane.begin(name, service, **members)
        while isinstance(result, Fetch):
            result = result.again(await self.objects.read(result.location, result.limit))
        return result

    def trust(self, *authorities: x509.Certificate) -> None:
        """Trust servers under *authorities* too, until the next ``reset``."""
        self._trust.replace((*self._trust.bundle, *authorities))
        self.egress.close_idle()

    def reset(self) -> None:
        """As after the start: no resources, logs, faults; clock, settings, names and functions as they were given."""
        self.state.reset()
        self.log.clear()
        self.faults.replace(Faults())
        self.names.clear()
        self.names.update(self.options.resolve)
        self.functions.clear()
        self.functions.update(self.options.functions)
        self._data_plane.forget()
        self._trust.replace(self.options.ca_bundle)
        self.egress.close_idle()

    def describe(self) -> dict[str, Any]:
        """What the process prints when it is ready."""
        assert self.folder is not None
        return {
            "endpoint": self.endpoint,
            "execute_api": f"{self.endpoint}/_aws/execute-api/{{api_id}}/{{stage}}/",
            "custom_domain": {"host": self.options.host, "port": self.tls_port},
            "ca": str(self.ca_file),
            "s3_root": None if self.s3_root is None else str(self.s3_root),
            "region": self.options.region,
            "account_id": self.options.account_id,
        }

    @property
    def ca_file(self) -> Path:
        """The CA of the TLS port's certificates, without a key."""
        assert self.folder is not None
        return self.folder / "ca.pem"

    @property
    def s3_root(self) -> Path | None:
        """Where truststores are read; None when they come from an S3 server."""
        if self.options.s3_endpoint is not None:
            return None
        if self.options.s3_root is not None:
            return self.options.s3_root
        assert self.folder is not None
        return self.folder / "s3"

    def _new_authority(self) -> Hierarchy:
        """A fresh CA for the TLS port, its file, and the folder that stands in for S3."""
        assert self.folder is not None
        hierarchy = new_hierarchy(1)
        self.ca = Truststore((hierarchy.root,))
        self.ca.write(self.ca_file)
        if self.options.s3_root is None and self.options.s3_endpoint is None:
            (self.folder / "s3").mkdir(mode=0o700)
        return hierarchy

    def _objects(self) -> Objects:
        if self.options.s3_endpoint is not None:
            return Server(self.options.s3_endpoint, self.options.region)
        assert self.s3_root is not None
        return Folder(self.s3_root)

    def _default(self, authority: Hierarchy) -> Credential:
        """The server certificate for everything but custom domains."""
        wildcard = f"*.execute-api.{self.options.region}.amazonaws.com"
        names = (wildcard, "*.execute-api.localhost", "localhost", "127.0.0.1", "::1")
        return authority.issue(wildcard, names=names, name="server certificate")

    def _retire(self) -> None:
        """A stage, a setting or the clock changed: close the connections whose certificate nobody presents any more."""
        self.egress.retire(self.state.certificates_in_use())
        delay = self.state.settings.propagation_ms / 1000
        if delay:  # until then the former certificate is presented
            if self._later is not None:
                self._later.cancel()
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(delay, lambda: self.egress.retire(self.state.certificates_in_use()))
