"""A backend in a trial: what must be let in, what must be kept out, and the proof of it.

Every negative stands between two positive twins (the control connection before and after it, under the same TLS
version); if a twin is refused, the case is inconclusive and says what to look at. Every expectation runs under every
TLS version that the backend speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509

from .backend.instance import Approach, Instance, Reloaded, version_is_refused
from .errors import Inconclusive
from .outcome import Case, Result
from .pki.credential import Credential
from .reproduce import Reproducer
from .tls.observation import Observation, Phase, TlsVersion
from .verdict import Decision, Evidence, Verdict, judge, judge_control

__all__ = ["CaseLog", "Subject"]


@dataclass(slots=True)
class CaseLog:
    """What a scenario has found so far."""

    reproducer: Reproducer
    cases: list[Case] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Subject:
    """A backend in a trial. ``accepts`` and ``rejects`` each record a case per TLS version."""

    def __init__(self, log: CaseLog, instance: Instance, controls: Instance | None = None) -> None:
        self._log, self.instance = log, instance
        self._controls = controls or instance

    @property
    def versions(self) -> tuple[TlsVersion, ...]:
        """The TLS versions that the backend speaks."""
        return self.instance.versions

    def observe(self, credential: Credential | None, tls: TlsVersion) -> Observation:
        """One ordinary connection, not judged."""
        self._require_alive()
        return self.instance.probe(credential, tls)

    def reload(self, *trusted: x509.Certificate) -> Reloaded:
        """Trust *trusted*, in this order, from now on, by the declared reload; waits until that is in effect.

        Raises Inconclusive when the control is refused already: the marker would be waited for in vain.
        """
        tls = self.versions[-1]
        _, verdict = self._controls.control_seen(tls)
        if not verdict.accepted:
            raise Inconclusive(self._refused_control(tls, verdict))
        reloaded = self.instance.replace_truststore(trusted)
        self._log.notes.append(str(reloaded))
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
        self._log.cases.append(self._case(what, seen.tls, result, reason, seen))

    def speaks(self, tls: TlsVersion, approach: Approach) -> None:
        """The control must be let in under *tls*; that the version itself is refused is a failure, not a mishap."""
        self._require_alive()
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
            self._log.reproducer.remember(self.instance, tls, control, approach)
        self._log.cases.append(self._case(what, tls, result, reason, seen))

    def _other_version_works(self, tls: TlsVersion) -> bool:
        return any(self.instance.control_seen(other)[1].accepted for other in TlsVersion if other is not tls)

    # --- one case

    def _each(self, versions: tuple[TlsVersion, ...] | None, one: Callable[[TlsVersion], Case]) -> bool:
        cases = []
        for tls in versions or self.versions:
            self._require_alive()
            cases.append(one(tls))
            self._log.cases.append(cases[-1])
        return all(case.outcome is Result.PASSED for case in cases)

    def _require_alive(self) -> None:
        self.instance.require_alive()
        self._controls.require_alive()

    def _accepts(self, credential: Credential, what: str, tls: TlsVersion, approach: Approach) -> Case:
        before, before_verdict = self._controls.control_seen(tls, approach.request)
        seen = self.instance.probe(credential, tls, approach)
        if before_verdict.accepted:
            verdict = judge(seen, before, statuses=self.instance.target.statuses)
        else:
            verdict = judge_control(seen, self.instance.target.statuses)
        if verdict.accepted:
            return self._case(what, tls, Result.PASSED, verdict.text, before, seen)
        self._log.reproducer.remember(self.instance, tls, credential, approach)
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
        left, statuses = times, self.instance.target.statuses
        while True:
            seen = self.instance.probe(credential, tls, approach)
            verdict = judge(seen, before, statuses=statuses, also_reject=also_reject)
            left -= 1
            if left <= 0 or not verdict.rejected:
                break
        after, control_verdict = self._controls.control_seen(tls, approach.request, fresh=True)
        result, reason = self._rejection(verdict, control_verdict, tls)
        if result is not Result.PASSED:
            self._log.reproducer.remember(self.instance, tls, credential, approach)
        if times > 1 and verdict.rejected:
            reason += f" ({times} new connections)"
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
