"""A trial: one scenario on one target. Scenarios say what must be let in and kept out; the trial proves it.

Every negative stands between two positive twins (the control connection before and after it, under the same TLS
version); if a twin is refused, the case is inconclusive and says what to look at. Every expectation runs under every
TLS version that the backend speaks. The result is built from the cases: one failed case fails the scenario, an
inconclusive one makes it inconclusive, and a scenario without any case has proved nothing.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from .backend.instance import Approach, Instance, Reloaded, version_is_refused
from .bench import Bench, Shared
from .errors import BackendError, Inconclusive, MtlsError, NotApplicable
from .outcome import Case, Outcome, Result
from .pki.authority import new_hierarchy
from .pki.credential import Credential
from .pki.defects import Sample, make_defect
from .pki.gateway_certificate import gateway_credential
from .pki.truststore import Truststore
from .reproduce import Reproducer
from .scenario import Level, Profile, Scenario
from .tls.observation import Observation, Phase, TlsVersion
from .verdict import Decision, Evidence, Verdict, judge, judge_control

__all__ = ["Generation", "Subject", "Trial", "run"]


def run(scenario: Scenario, profile: Profile, bench: Bench, *, strict: bool = False) -> Outcome:
    """Carry out *scenario* in *profile* and return what came of it; see ``Trial.run``."""
    return Trial(scenario, profile, bench, strict=strict).run()


@dataclass(frozen=True, slots=True)
class Generation:
    """A credential and its trust anchor: in ``gateway`` the certificate itself, in ``private-ca`` its root."""

    credential: Credential
    anchor: x509.Certificate


class Trial:
    """What a scenario works with (the fixture ``mtls_trial``)."""

    def __init__(self, scenario: Scenario, profile: Profile, bench: Bench, *, strict: bool = False) -> None:
        self.scenario, self.profile, self.bench, self._strict = scenario, profile, bench, strict
        self._cases: list[Case] = []
        self._notes: list[str] = []
        self._reproduce = Reproducer(scenario.id, profile, bench)
        self._gateways = 0

    def run(self) -> Outcome:
        """Carry the scenario out; with *strict* a SHOULD can fail. Raises nothing but KeyboardInterrupt and the like."""
        began = time.monotonic()
        missing = tuple(need for need in self.scenario.needs if need not in self.bench.target.all_capabilities)
        if missing:
            return self._outcome(Result.SKIPPED, f"needs {', '.join(missing)}", 0.0, missing)
        try:
            self.scenario.function(self)
        except NotApplicable as error:
            result, reason = Result.SKIPPED, str(error)
        except (Inconclusive, MtlsError) as error:
            result, reason = self._conclude(str(error))
        except Exception as error:  # a fault of ours must neither pass nor fail the backend
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            result, reason = self._conclude(f"internal error: {type(error).__name__}: {error} ({where}). Please report it.")
        else:
            result, reason = self._conclude(None)
        return self._outcome(result, reason, time.monotonic() - began)

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

    @property
    def can_start(self) -> bool:
        """Whether backends can be started with material of ours."""
        return self.bench.target.factory is not None

    # --- backends

    @property
    def backend(self) -> Subject:
        """The backend that all scenarios share, with the good credential as control."""
        return Subject(self, self._shared.instance)

    @contextmanager
    def start(self, *trusted: x509.Certificate) -> Iterator[Subject]:
        """A backend of its own that trusts *trusted*, in this order, and a control of another name behind them."""
        control = self.bench.new_control()
        truststore = Truststore.of((*trusted, control.leaf))
        with self.bench.start(self._label, truststore, control) as instance:
            yield Subject(self, instance)

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
                subject = Subject(self, stack.enter_context(start), controls=shared)
            except BackendError as error:
                self.add(Case(what=what, tls=None, outcome=Result.PASSED, reason=f"does not start: {error}"))
                subject = None
            yield subject

    @property
    def _label(self) -> str:
        return f"{self.scenario.id}-{self.profile}"

    # --- findings

    def add(self, case: Case) -> None:
        """Record a case."""
        self._cases.append(case)

    def note(self, text: str) -> None:
        """Record a remark for the report."""
        self._notes.append(text)

    # --- the result

    def _conclude(self, trouble: str | None) -> tuple[Result, str]:
        """The result and its reason, from the cases so far and what ended the scenario early, if anything did."""
        failed = [case for case in self._cases if case.outcome is Result.FAILED]
        unclear = [case for case in self._cases if case.outcome is Result.INCONCLUSIVE]
        if failed:
            return Result.FAILED, _reasons(failed)
        if trouble is not None:
            return Result.INCONCLUSIVE, trouble
        if unclear:
            return Result.INCONCLUSIVE, _reasons(unclear)
        if not self._cases:
            return Result.INCONCLUSIVE, "the scenario examined nothing"
        return Result.PASSED, _reasons(self._cases)

    def _outcome(self, result: Result, reason: str, seconds: float, missing: tuple[str, ...] = ()) -> Outcome:
        """The outcome to report: a SHOULD that failed is a warning, and an INFO never fails."""
        if result is Result.FAILED and self.scenario.level is Level.SHOULD and not self._strict:
            result = Result.WARNED
        if result is Result.FAILED and self.scenario.level is Level.INFO:
            result = Result.PASSED
        return Outcome(
            id=self.scenario.id,
            profile=self.profile.value,
            title=self.scenario.requirement,
            level=self.scenario.level.value,
            outcome=result,
            reason=reason,
            references=self.scenario.references,
            remedy=self.scenario.remedy,
            reproduce=self._reproduce.command,
            cases=tuple(self._cases),
            missing=missing,
            seconds=round(seconds, 3),
            notes=tuple(self._notes),
            target=self._target_facts(),
        )

    def _target_facts(self) -> dict[str, object]:
        opened = self.bench.opened
        versions: list[str] = []
        for shared in opened:
            try:
                versions += [version for version in shared.instance.versions if version not in versions]
            except Inconclusive:
                continue
        return {"url": opened[0].instance.endpoint.url if opened else None, "tls": sorted(versions)}

    @property
    def reproducer(self) -> Reproducer:
        """Remembers how a case can be repeated by hand."""
        return self._reproduce


class Subject:
    """A backend in a trial. ``accepts`` and ``rejects`` each record a case per TLS version."""

    def __init__(self, trial: Trial, instance: Instance, controls: Instance | None = None) -> None:
        self._trial, self.instance = trial, instance
        self._controls = controls or instance

    @property
    def versions(self) -> tuple[TlsVersion, ...]:
        """The TLS versions that the backend speaks."""
        return self.instance.versions

    def observe(self, credential: Credential | None, tls: TlsVersion) -> Observation:
        """One ordinary connection, not judged."""
        return self.instance.probe(credential, tls)

    def reload(self, *trusted: x509.Certificate) -> Reloaded:
        """Trust *trusted*, in this order, from now on, by the declared reload; waits until that is in effect."""
        reloaded = self.instance.replace_truststore(trusted)
        self._trial.note(str(reloaded))
        return reloaded

    def accepts(
        self,
        credential: Credential,
        what: str | None = None,
        *,
        approach: Approach = Approach(),
        versions: tuple[TlsVersion, ...] | None = None,
    ) -> bool:
        """*credential* must be let in; returns whether it was, under every version (default: all that it speaks)."""
        return self._each(versions, lambda tls: self._accepts(credential, what or credential.name, tls, approach))

    def rejects(
        self,
        credential: Credential | None,
        what: str | None = None,
        *,
        approach: Approach = Approach(),
        also_reject: frozenset[int] = frozenset(),
        times: int = 1,
    ) -> bool:
        """*credential* (None: no certificate) must be kept out on *times* new connections in a row; returns whether it was.

        *also_reject* are statuses that count as rejection in this scenario too.
        """
        label = what or (credential.name if credential else "no certificate")
        return self._each(None, lambda tls: self._rejects(credential, label, tls, approach, also_reject, times))

    def shows(self, what: str, seen: Observation, holds: bool, yes: str, no: str) -> None:
        """Record a case that is no question of accepted or rejected, on a handshake that has to be complete."""
        if seen.phase < Phase.HANDSHAKE:
            verdict = judge_control(seen, self.instance.target.statuses)
            result, reason = Result.INCONCLUSIVE, f"no handshake to look at: {verdict.text}{self.instance.why()}"
        else:
            result, reason = (Result.PASSED, yes) if holds else (Result.FAILED, no)
        self._trial.add(self._case(what, seen.tls, result, reason, seen))

    def speaks(self, tls: TlsVersion, approach: Approach) -> None:
        """The control must be let in under *tls*; that the version itself is refused is a failure, not a mishap."""
        control = self.instance.control
        seen = self.instance.probe(control, tls, approach)
        verdict = judge_control(seen, self.instance.target.statuses)
        what = f"TLS {tls} {approach.ciphers or ''}".strip()
        if verdict.accepted:
            result, reason = Result.PASSED, f"{verdict.text} ({seen.negotiated})"
        elif version_is_refused(seen) and self._other_version_works(tls):
            result, reason = Result.FAILED, f"expected {what}, saw {verdict.text.removeprefix('rejected: ')}"
        else:
            result, reason = Result.INCONCLUSIVE, self._refused_control(tls, verdict)
        if result is not Result.PASSED:
            self._trial.reproducer.remember(self.instance, tls, control, approach)
        self._trial.add(self._case(what, tls, result, reason, seen))

    def _other_version_works(self, tls: TlsVersion) -> bool:
        return any(self.instance.control_seen(other)[1].accepted for other in TlsVersion if other is not tls)

    # --- one case

    def _each(self, versions: tuple[TlsVersion, ...] | None, one: Callable[[TlsVersion], Case]) -> bool:
        cases = [one(tls) for tls in (versions or self.versions)]
        for case in cases:
            self._trial.add(case)
        return all(case.outcome is Result.PASSED for case in cases)

    def _accepts(self, credential: Credential, what: str, tls: TlsVersion, approach: Approach) -> Case:
        before, before_verdict = self._controls.control_seen(tls, approach.request)
        seen = self.instance.probe(credential, tls, approach)
        if before_verdict.accepted:
            verdict = judge(seen, before, statuses=self.instance.target.statuses)
        else:
            verdict = judge_control(seen, self.instance.target.statuses)
        if verdict.accepted:
            return self._case(what, tls, Result.PASSED, verdict.text, before, seen)
        self._trial.reproducer.remember(self.instance, tls, credential, approach)
        if credential is self._controls.control and verdict.rejected:
            return self._case(what, tls, Result.INCONCLUSIVE, self._refused_control(tls, verdict), before, seen)
        after, after_verdict = self._controls.control_seen(tls, approach.request, fresh=True)
        if not verdict.rejected:
            return self._case(what, tls, Result.INCONCLUSIVE, verdict.text + self.instance.why(), before, seen, after)
        for control_verdict in (before_verdict, after_verdict):
            if not control_verdict.accepted:
                reason = self._refused_control(tls, control_verdict)
                return self._case(what, tls, Result.INCONCLUSIVE, reason, before, seen, after)
        return self._case(what, tls, Result.FAILED, f"expected accepted, saw {verdict.text}", before, seen, after)

    def _rejects(
        self,
        credential: Credential | None,
        what: str,
        tls: TlsVersion,
        approach: Approach,
        also_reject: frozenset[int],
        times: int,
    ) -> Case:
        before, control_verdict = self._controls.control_seen(tls, approach.request)
        if not control_verdict.accepted:
            return self._case(what, tls, Result.INCONCLUSIVE, self._refused_control(tls, control_verdict), before)
        for number in range(1, times + 1):
            seen = self.instance.probe(credential, tls, approach)
            verdict = judge(seen, before, statuses=self.instance.target.statuses, also_reject=also_reject)
            if not verdict.rejected:
                break
        after, control_verdict = self._controls.control_seen(tls, approach.request, fresh=True)
        result, reason = self._rejection(verdict, control_verdict, tls)
        if result is not Result.PASSED:
            self._trial.reproducer.remember(self.instance, tls, credential, approach)
        if times > 1:
            reason += f" ({number} new connections)"
        return self._case(what, tls, result, reason, before, seen, after)

    def _rejection(self, verdict: Verdict, control: Verdict, tls: TlsVersion) -> tuple[Result, str]:
        if verdict.decision is Decision.ACCEPTED:
            return Result.FAILED, f"expected rejected, saw {verdict.text}"
        if verdict.decision is Decision.INCONCLUSIVE:
            return Result.INCONCLUSIVE, verdict.text + self.instance.why()
        if not control.accepted:
            # A close without a word is what a crash looks like, and an alert may be about anything.
            weak = "a close proves nothing then; " if verdict.evidence is Evidence.CLOSED else ""
            return Result.INCONCLUSIVE, weak + self._refused_control(tls, control)
        return Result.PASSED, verdict.text

    def _refused_control(self, tls: TlsVersion, verdict: Verdict) -> str:
        name = self._controls.control.name
        return f"the twin that must be let in ({name}, TLS {tls}) was not: {verdict.text}{self._controls.why()}"

    def _case(self, what: str, tls: TlsVersion, result: Result, reason: str, *seen: Observation) -> Case:
        roles = ("control", "probe", "control")
        observations = tuple(one.to_json() | {"role": role} for one, role in zip(seen, roles, strict=False))
        return Case(what=what, tls=tls.value, outcome=result, reason=reason, observations=observations)


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
