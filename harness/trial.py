"""A trial: one scenario on one target, from its material to its outcome.

The result is built from the cases (``subject``): one failed case fails the scenario, an inconclusive one makes it
inconclusive, and a scenario without any case has proved nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from math import ceil
from typing import TYPE_CHECKING, Any

from cryptography import x509

from .backend.started import ServerSide
from .bench import Bench, Shared
from .case_log import CaseLog
from .errors import BackendError, Inconclusive, MtlsError, NotApplicable, StartError, describe
from .outcome import Case, Outcome, Result
from .pki.authority import new_hierarchy
from .pki.credential import Credential
from .pki.defects import Sample, make_defect
from .pki.gateway_certificate import gateway_credential
from .pki.key_pool import KeyPool
from .pki.truststore import Truststore
from .remedies import remedy_for
from .reproduce import Reproducer
from .sanity import clock_of
from .scenario import Level, Profile, Scenario
from .subject import Subject
from .wait import poll_until

if TYPE_CHECKING:
    from .gateway.facade import MockGateway

__all__ = ["Generation", "ShortLived", "Trial", "run", "run_all"]


def run(scenario: Scenario, profile: Profile, bench: Bench, *, strict: bool = False) -> Outcome:
    """Carry out *scenario* in *profile* and return what came of it; see ``Trial.run``."""
    return Trial(scenario, profile, bench, strict=strict).run()


def run_all(scenarios: Iterable[tuple[Scenario, Profile]], bench: Bench, *, strict: bool = False) -> Iterator[Outcome]:
    """Carry out *scenarios*, those that wait for a clock last, with their waits under way meanwhile."""
    trials = [Trial(scenario, profile, bench, strict=strict) for scenario, profile in scenarios]
    waiting = [trial for trial in trials if trial.scenario.waits]
    for trial in waiting:
        bench.at_end(trial.abandon)
        trial.arm()
    for trial in (*(one for one in trials if one not in waiting), *waiting):
        yield trial.run()


@dataclass(frozen=True, slots=True)
class Generation:
    """A credential and its trust anchor: in ``gateway`` the certificate itself, in ``private-ca`` its root."""

    credential: Credential
    anchor: x509.Certificate


@dataclass(frozen=True, slots=True)
class ShortLived:
    """A credential that ends while we look: its trust anchor, its notAfter, and when it must be refused at the latest."""

    credential: Credential
    anchor: x509.Certificate
    end: datetime
    over: datetime


class Trial:
    """What a scenario works with (the fixture ``mtls_trial``)."""

    def __init__(self, scenario: Scenario, profile: Profile, bench: Bench, *, strict: bool = False) -> None:
        self.scenario, self.profile, self.bench, self._strict = scenario, profile, bench, strict
        self._log = CaseLog(Reproducer(scenario.id, profile, bench))
        self._gateways = 0
        self._steps: Iterator[datetime] | None = None
        self._armed: list[datetime] = []
        self._failure: Exception | None = None

    def run(self) -> Outcome:
        """Carry the scenario out; with *strict* a SHOULD can fail. Raises nothing but KeyboardInterrupt and the like."""
        began = time.monotonic()
        missing = tuple(need for need in self.scenario.needs if need not in self.bench.target.all_capabilities)
        if missing:
            return self._outcome(Result.SKIPPED, f"needs {', '.join(missing)}", 0.0, missing)
        try:
            for moment in self._moments():
                self._wait_until(moment)
        except NotApplicable as error:
            result, reason = Result.SKIPPED, str(error)
        except (Inconclusive, MtlsError) as error:
            result, reason = self._conclude(str(error))
        except Exception as error:  # a fault of ours must neither pass nor fail the backend
            result, reason = self._conclude(f"internal error: {describe(error)}. Please report it.")
        else:
            result, reason = self._conclude(None)
        return self._outcome(result, reason, time.monotonic() - began)

    def arm(self) -> None:
        """Carry a scenario that waits for a clock out as far as its first wait; ``run`` goes on from there.

        So the waits of all such scenarios pass together, while others run. What goes wrong here comes out of ``run``.
        """
        try:
            self._armed = [next(self._begin())]
        except StopIteration:
            pass
        except Exception as error:
            self._failure = error

    def abandon(self) -> None:
        """End what ``arm`` began, if ``run`` did not."""
        if isinstance(self._steps, Generator):
            self._steps.close()

    def _begin(self) -> Iterator[datetime]:
        """The scenario, begun once; what it yields are the moments that it waits for."""
        if self._steps is None:
            self.bench.require_start(self.profile)
            self._steps = iter(self.scenario.function(self) or ())
        return self._steps

    def _moments(self) -> Iterator[datetime]:
        """Carries the scenario out, from where ``arm`` left it, to its end."""
        if self._failure is not None:
            raise self._failure
        yield from self._armed
        yield from self._begin()

    def _wait_until(self, moment: datetime) -> None:
        poll_until(lambda: self.bench.clock() >= moment, 3600, first=0.02)

    # --- material

    @property
    def _shared(self) -> Shared:
        return self.bench.shared(self.profile)

    @property
    def sample(self) -> Sample:
        """The good credential, the hierarchy above it, the clock."""
        return self._shared.sample

    @property
    def good(self) -> Credential:
        """The credential that the shared backend must let in."""
        return self._shared.sample.good

    def defect(self, name: str) -> Credential:
        """The defect called *name*, of this run's good credential."""
        return make_defect(name, self.sample)

    def new_gateway(self, name: str) -> Credential:
        """A fresh gateway certificate that reports call *name*. Its key may serve other scenarios of the run too."""
        self._gateways += 1
        return gateway_credential(clock=self.bench.clock, key=self.bench.spare_key(self._gateways), name=name)

    def generation(self, name: str) -> Generation:
        """A fresh credential of the profile's kind, with what a truststore must hold for it."""
        if self.profile is Profile.PRIVATE_CA:
            hierarchy = new_hierarchy(1)
            return Generation(hierarchy.issue(clock=self.bench.clock, name=name), hierarchy.root)
        gateway = self.new_gateway(name)
        return Generation(gateway, gateway.leaf)

    def short_lived(self) -> ShortLived:
        """A credential of the profile's kind that is about to expire."""
        pace, now = self.bench.target.pace, self.bench.clock()
        slack = 1.5 * self._shared.instance.start_seconds  # a backend that starts slowly must still see it valid
        end = now + timedelta(seconds=ceil(pace.life + slack))
        over = end + timedelta(seconds=pace.grace)
        name = "short-lived credential"
        if self.profile is Profile.PRIVATE_CA:
            hierarchy = new_hierarchy(1)
            leaf = hierarchy.issue(clock=self.bench.clock, not_after=end, name=name)
            return ShortLived(leaf, hierarchy.root, end, over)
        begin = end - timedelta(days=365)
        gateway = gateway_credential(not_before=begin, not_after=end, key=self.bench.spare_key(0), name=name)
        return ShortLived(gateway, gateway.leaf, end, over)

    def accepts_while_valid(self, backend: Subject, short: ShortLived) -> None:
        """*short* must be let in; raises Inconclusive when all took so long that it has expired meanwhile."""
        known = len(self._log.cases)
        if not backend.accepts(short.credential, "credential, before it expires") and self.bench.clock() >= short.end:
            del self._log.cases[known:]  # it may have expired between the first connection and the last
            raise Inconclusive(
                "the credential expired before it could be tried: the backend or this machine is too slow"
            )

    def later(self, seconds: float) -> datetime:
        """The moment *seconds* from now."""
        return self.bench.clock() + timedelta(seconds=seconds)

    @property
    def patience(self) -> float:
        """Seconds that a backend may take to notice a changed file by itself."""
        return self.bench.target.pace.patience

    @property
    def server_roots(self) -> tuple[x509.Certificate, ...]:
        """What the server's certificate must lead to: our own root, or what was given; empty when that is unknown."""
        if self.can_start:
            return (self.bench.server.hierarchy.root,)
        return self.bench.target.server_authorities

    @property
    def can_start(self) -> bool:
        """Whether backends can be started with material of ours."""
        return self.bench.target.factory is not None

    # --- backends

    @contextmanager
    def mock_gateway(self) -> Iterator[MockGateway]:
        """A mock gateway that trusts the backends' server certificates. Its keys are the run's spare ones."""
        from .gateway.facade import running  # only one scenario needs it
        from .gateway.gateway import Options

        numbers = count(1)
        keys = KeyPool(0, lambda: self.bench.spare_key(next(numbers)))
        options = Options(ca_bundle=self.server_roots, platform_trust=False)
        with closing(keys), running(options, keys) as gateway:
            yield gateway

    @property
    def backend(self) -> Subject:
        """The backend that all scenarios share, with the good credential as control."""
        return Subject(self._log, self._shared.instance)

    @contextmanager
    def start(
        self, *trusted: x509.Certificate, control_first: bool = False, server: ServerSide | None = None
    ) -> Iterator[Subject]:
        """A backend of its own that trusts *trusted*, in this order, and a control of another name behind them.

        *control_first* puts the control before them, for scenarios on what is read of a bundle after its first block;
        *server* is another server certificate than the run's.
        """
        control = self.bench.new_control()
        truststore = Truststore.of((control.leaf, *trusted) if control_first else (*trusted, control.leaf))
        with self.bench.start(self._label, truststore, control, server=server) as instance:
            self._log.happened(f"backend started with {len(truststore)} certificates in its truststore")
            yield Subject(self._log, instance)

    @contextmanager
    def try_start(self, truststore: bytes | None, what: str) -> Iterator[Subject | None]:
        """A backend that may refuse to start with such a *truststore* (None: no file); not to start holds.

        The twin is the same start with good material: the shared backend, whose control stands in for this one's.
        """
        shared = self._shared.instance
        versions = shared.versions  # the twin: it did start, and lets the control in
        patience = min(self.bench.target.start_within, 2 + 10 * shared.start_seconds)
        with ExitStack() as stack:
            start = self.bench.start(self._label, truststore, shared.control, versions, start_within=patience)
            try:
                subject = Subject(self._log, stack.enter_context(start), controls=shared)
            except BackendError as error:
                self._log.add(self._not_started(error, what))
                subject = None
            yield subject

    def _not_started(self, error: BackendError, what: str) -> Case:
        """That a backend did not start holds only beside others that do, and when nobody listens in its place."""
        self.bench.prove_start(self.profile)
        shared = self._shared.instance
        _, twin = shared.control_seen(shared.versions[-1], fresh=True)
        if not twin.accepted:
            raise Inconclusive(
                f"the twin that does start does not let its control in any more: {twin.text}{shared.why()}"
            )
        reason = str(error).replace(f"{self.bench.folder}{os.sep}", "")
        if isinstance(error, StartError) and error.listening:
            return Case(what=what, tls=None, outcome=Result.INCONCLUSIVE, reason=reason)
        return Case(what=what, tls=None, outcome=Result.PASSED, reason=f"does not start: {reason}")

    @property
    def _label(self) -> str:
        return f"{self.scenario.id}-{self.profile}"

    # --- findings

    def note(self, text: str) -> None:
        """Record a remark for the report."""
        self._log.notes.append(text)

    # --- the result

    def _conclude(self, trouble: str | None) -> tuple[Result, str]:
        """The result and its reason, from the cases so far and what ended the scenario early, if anything did."""
        failed = [case for case in self._log.cases if case.outcome is Result.FAILED]
        clock = self._clock() if failed else None
        if clock:
            return Result.INCONCLUSIVE, f"{clock}. Seen meanwhile: {_reasons(failed)}"
        unclear = [case for case in self._log.cases if case.outcome is Result.INCONCLUSIVE]
        if failed:
            late = f"; {self._log.late}" if self._log.late else ""
            return Result.FAILED, _reasons(failed) + late
        if trouble is not None or unclear:
            trouble = self.bench.spoiled(self.profile) or trouble  # one reason, said once, instead of fifty
        if trouble is not None:
            return Result.INCONCLUSIVE, trouble
        if unclear:
            return Result.INCONCLUSIVE, _reasons(unclear)
        if not self._log.cases:
            return Result.INCONCLUSIVE, "the scenario examined nothing"
        return Result.PASSED, _reasons(self._log.cases)

    def _clock(self) -> str | None:
        """How the backend's clock is wrong, where the scenario is about dates: then what failed may be due to that alone."""
        if not (self.scenario.waits or self.scenario.id.startswith("validity/")):
            return None
        try:
            wrong = clock_of(self._shared.instance, self.bench.clock(), self.bench.target.pace.grace + 1)
        except (Inconclusive, MtlsError):
            return None
        if wrong and wrong.startswith("it sends no Date"):
            self.note(wrong)
            return None
        return wrong

    def _outcome(self, result: Result, reason: str, seconds: float, missing: tuple[str, ...] = ()) -> Outcome:
        """The outcome to report: a SHOULD that failed is a warning, and an INFO never fails."""
        if result is Result.FAILED and self.scenario.level is Level.SHOULD and not self._strict:
            result = Result.WARNED
        if result is Result.FAILED and self.scenario.level is Level.INFO:
            result = Result.PASSED
        if result is Result.PASSED and self.scenario.level is Level.INFO and self._log.notes:
            reason = self._log.notes[-1]  # what it is there to report
        return Outcome(
            id=self.scenario.id,
            profile=self.profile.value,
            title=self.scenario.requirement,
            level=self.scenario.level.value,
            outcome=result,
            reason=reason,
            references=self.scenario.references,
            remedy=remedy_for(self.scenario, self.bench.target, self.bench.server_header),
            reproduce=self._log.reproducer.command,
            cases=tuple(self._log.cases),
            missing=missing,
            seconds=round(seconds, 3),
            notes=(*self._log.notes, *filter(None, [self._log.reproducer.note])),
            timeline=tuple(self._log.timeline),
            target=self._target_facts(),
        )

    def _target_facts(self) -> dict[str, Any]:
        sight, target, opened = self.bench.sight(self.profile), self.bench.target, self.bench.opened
        return {
            "kind": target.kind,
            "name": target.name,
            "capabilities": sorted(target.all_capabilities),
            "url": opened[0].instance.url if opened else None,
            "tls": sorted({tls.value for shared in opened for tls in shared.instance.known_versions}),
            "sight": None if sight is None else sight.to_json(),
        }


def _reasons(cases: Sequence[Case]) -> str:
    """The cases in one line: each reason once, with what it is about where several things were examined.

    A reason that holds for one TLS version only says so.
    """
    versions = {case.tls for case in cases}
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.reason, []).append(case)
    several = len({case.what for case in cases}) > 1
    parts = []
    for reason, group in groups.items():
        whats = list(dict.fromkeys(case.what for case in group))
        about = f"{', '.join(whats)}: " if len(whats) <= 2 else f"{len(whats)} cases: "
        of = {case.tls for case in group}
        only = f" (TLS {', '.join(sorted(str(tls) for tls in of))})" if of != versions and None not in of else ""
        parts.append(f"{about if several or group[0].outcome is not Result.PASSED else ''}{reason}{only}")
    return "; ".join(parts)
