"""The bench: what the scenarios of one run share. Backends start on first use and end with the bench."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from . import leftovers
from .backend.instance import Instance
from .backend.started import ServerSide, reach, started
from .backend.target import Target
from .clock import Clock, system_clock
from .errors import BackendError, Inconclusive, StartError, UsageError
from .pki.authority import new_hierarchy, server_credential
from .pki.credential import Credential
from .pki.defects import Sample
from .pki.gateway_certificate import control_credential, gateway_credential
from .pki.key_pool import KeyPool
from .pki.truststore import Truststore
from .sanity import check_sanity
from .scenario import Profile
from .survey import Sight, survey
from .tls.observation import TlsVersion

__all__ = ["Bench", "Shared"]


class Shared:
    """The backend that all scenarios of a profile share, and the credential that it must let in."""

    def __init__(self, instance: Instance, sample: Sample) -> None:
        self.instance, self.sample = instance, sample
        self.sight: Sight = survey(instance)


class Bench:
    """One run's backends and material. Use as a context manager: leaving it ends and removes everything."""

    def __init__(
        self,
        target: Target,
        *,
        keep: Path | None = None,
        clock: Clock = system_clock,
        gateway: Credential | None = None,
    ) -> None:
        self.target, self.clock, self.keep, self._gateway = target, clock, keep, gateway
        self._stack = ExitStack()
        self._shared: dict[Profile, Shared | BackendError] = {}
        self._names: set[str] = set()
        self._starts_beside = False
        self._keys: dict[int, RSAPrivateKey] = {}
        self._pool = KeyPool(2)
        self._stack.callback(self._pool.close)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all backends and remove all material (but for what ``keep`` asked to leave)."""
        self._stack.close()

    def at_end(self, call: Callable[[], None]) -> None:
        """Let *call* be made when the bench is left, before the material goes."""
        self.folder  # noqa: B018 - made first, so that it goes last
        self._stack.callback(call)

    @cached_property
    def folder(self) -> Path:
        """Where material lies: a temporary folder of mode 0700, or the one to keep."""
        if self.keep is not None:
            try:
                self.keep.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(
                    f"--keep ({self.keep}): expected a folder that can be made, saw: {error.strerror}."
                ) from error
            return self.keep.resolve()
        folder = Path(tempfile.mkdtemp(prefix="pytest-mtls-", dir=leftovers.folder()))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def server(self) -> ServerSide:
        """The server certificate of all backends that are started: leaf, one intermediate, private root."""
        hierarchy = new_hierarchy(2)
        return ServerSide(server_credential(hierarchy=hierarchy), hierarchy)

    def _served(self, due: ServerSide) -> ServerSide:
        """The server certificate that is *due*, or what a fault in the material makes of it."""
        alter = self.target.alter_server
        return due if alter is None else ServerSide(alter(due.credential, due.hierarchy), due.hierarchy)

    def shared(self, profile: Profile) -> Shared:
        """The shared backend of *profile*, started on first use.

        Raises BackendError when it does not start, or is lost by now; the same one each time, so that it is explained once.
        """
        if profile not in self._shared:
            try:
                self._shared[profile] = self._open_shared(profile)
            except BackendError as error:
                self._shared[profile] = error
        shared = self._shared[profile]
        if isinstance(shared, BackendError):
            raise shared
        self._require_alive()
        return shared

    def sight(self, profile: Profile) -> Sight | None:
        """What was seen of the first shared backend; that of *profile* is opened when there is none, None if it does not come."""
        if not self.opened:
            try:
                self.shared(profile)
            except (
                Exception
            ):  # whatever it is, the scenarios that need the backend tell it; a remark must not spoil theirs
                return None
        return self.opened[0].sight

    def require_start(self, profile: Profile) -> None:
        """Raise BackendError if the shared backend does not start, or one was lost: then no other start need be tried."""
        self._require_alive()
        try:
            self.shared(profile)
        except StartError:
            raise
        except BackendError:
            pass  # it is up and refuses the good credential; a scenario with a backend of its own may tell why

    def prove_start(self, profile: Profile) -> None:
        """Start a second backend with good material beside the shared one, unless one was started already.

        Raises Inconclusive when it does not come up: then another one's not starting says nothing about its material.
        """
        shared = self.shared(profile).instance
        if self._starts_beside:
            return
        control = self.new_control()
        try:
            with self.start("twin", Truststore((control.leaf,)), control, shared.known_versions):
                pass
        except BackendError as error:
            raise Inconclusive(
                f"a second backend with good material does not start beside the first: {error}"
            ) from error

    @property
    def lost(self) -> str | None:
        """Why a shared backend is of no use any more, if one is: it ended, or refuses everybody."""
        return next((lost for one in self.opened if (lost := one.instance.lost)), None)

    def spoiled(self, profile: Profile) -> str | None:
        """What explains all that is inconclusive: a shared backend was lost, or never let its good credential in."""
        for one in self.opened:
            one.instance.confirm()
        shared = self._shared.get(profile)
        return self.lost or (str(shared) if isinstance(shared, BackendError) else None)

    def _require_alive(self) -> None:
        lost = self.lost
        if lost:
            raise BackendError(lost)

    @property
    def opened(self) -> list[Shared]:
        """The shared backends that were started or reached."""
        return [one for one in self._shared.values() if isinstance(one, Shared)]

    @contextmanager
    def start(
        self,
        label: str,
        truststore: Truststore | bytes | None,
        control: Credential,
        versions: tuple[TlsVersion, ...] | None = None,
        *,
        start_within: float | None = None,
        server: ServerSide | None = None,
    ) -> Iterator[Instance]:
        """A backend of its own for one scenario; its material lies in a folder called after *label*."""
        folder = self.folder / self._unique(label)
        target = replace(self.target, start_within=start_within or self.target.start_within)
        with started(
            target,
            folder,
            server=self._served(server or self.server),
            control=control,
            truststore=truststore,
            versions=versions,
        ) as instance:
            self._starts_beside |= bool(self.opened)
            try:
                yield instance
            finally:
                instance.leave()
                if self.keep is None:
                    shutil.rmtree(folder, ignore_errors=True)

    def check_again(self) -> None:
        """The closing sanity check: every shared backend still lets its good credential in.

        Raises BackendError for the first that does not; then nothing that was observed in between can be trusted.
        """
        for shared in self.opened:
            self._require_alive()
            instance = shared.instance
            verdicts = [instance.control_seen(tls, fresh=True)[1] for tls in instance.versions]
            if not any(verdict.accepted for verdict in verdicts):
                raise BackendError(
                    f"{self.target.name}: the good credential was let in at the beginning and is not any more: "
                    f"{verdicts[-1].text}{instance.why()}. Run again, and look at the backend's log."
                )

    def _open_shared(self, profile: Profile) -> Shared:
        if self.target.factory is None:
            instance = reach(self.target)
            check_sanity(instance)
            return Shared(instance, Sample(instance.control, None, self.clock, self._pool.take))
        sample, anchor = self._good(profile)
        start = self.start(f"shared-{profile}", Truststore((anchor,)), sample.good)
        instance = self._stack.enter_context(start)
        check_sanity(instance)
        return Shared(instance, sample)

    def _good(self, profile: Profile) -> tuple[Sample, x509.Certificate]:
        """The good credential of *profile*, and what the truststore holds for it."""
        if profile is Profile.PRIVATE_CA:
            hierarchy = new_hierarchy(1)
            good = hierarchy.issue(clock=self.clock, not_after=self._good_end, name="good leaf", rsa_key=True)
            return Sample(good, hierarchy, self.clock, self._pool.take), hierarchy.root
        given = self._gateway if self._good_end is None else None
        good = given or gateway_credential(clock=self.clock, not_after=self._good_end, key=self._pool.take())
        return Sample(good, None, self.clock, self._pool.take), good.leaf

    @property
    def _good_end(self) -> datetime | None:
        days = self.target.good_days
        return None if days is None else self.clock() + timedelta(days=days)

    @property
    def server_header(self) -> str | None:
        """What the answers of a shared backend call their server, if they do."""
        return next((header for one in self.opened if (header := one.instance.server_header)), None)

    def new_control(self) -> Credential:
        """A fresh control credential."""
        return control_credential(clock=self.clock)

    def spare_key(self, number: int) -> RSAPrivateKey:
        """The run's spare RSA key of that number, made on first use: scenarios with backends of their own can share it."""
        if number not in self._keys:
            self._keys[number] = self._pool.take()
        return self._keys[number]

    def _unique(self, label: str) -> str:
        stem = label.replace("/", ".")
        name, number = stem, 1
        while name in self._names:
            number += 1
            name = f"{stem}.{number}"
        self._names.add(name)
        return name
