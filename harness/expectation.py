"""One expectation of a backend under one TLS version: what is to be let in or kept out, between positive twins."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .backend.approach import Approach
from .backend.doubt import as_confirmed
from .backend.instance import Instance
from .case_log import CaseLog
from .errors import Inconclusive
from .outcome import Case, Result
from .pki.credential import Credential
from .tls.observation import Observation, TlsVersion
from .tls.probe import Request
from .verdict import Decision, Evidence, Verdict, judge, judge_control

__all__ = ["Expectation"]


class Expectation:
    """Tries *instance* and makes a case of what it does; *controls* is the backend that must let its control in meanwhile."""

    def __init__(self, log: CaseLog, instance: Instance, controls: Instance) -> None:
        self._log, self._instance, self.controls = log, instance, controls

    def require_alive(self) -> None:
        """Raise Inconclusive once one of the backends is lost."""
        self._instance.require_alive()
        self.controls.require_alive()

    def accepted(self, credential: Credential, what: str, tls: TlsVersion, approach: Approach) -> Case:
        """The case that *credential* must be let in under *tls*."""
        before, before_verdict = self.controls.control_seen(tls, approach.request)
        seen = self._instance.probe(credential, tls, approach)
        if before_verdict.accepted:
            verdict = judge(seen, before, statuses=self._instance.target.statuses)
        else:
            verdict = judge_control(seen, self._instance.target.statuses)
        if verdict.accepted:
            return self.case(what, tls, Result.PASSED, verdict.text, before, seen)
        self._log.reproducer.remember(self._instance, tls, credential, approach)
        plain = approach == Approach(request=approach.request)
        if plain and credential is self.controls.control and verdict.rejected:
            return self.case(what, tls, Result.INCONCLUSIVE, self.refused_control(tls, verdict), before, seen)
        if before_verdict.accepted:
            ask = partial(self._instance.probe, credential, tls, approach)
            seen, verdict = self.refused_or_not(ask, tls, before, seen, verdict)
        after, after_verdict = self.controls.control_seen(tls, approach.request, fresh=True)
        if not verdict.rejected:
            return self.case(what, tls, Result.INCONCLUSIVE, verdict.text + self._instance.why(), before, seen, after)
        for control_verdict in (before_verdict, after_verdict):
            if not control_verdict.accepted:
                reason = self.refused_control(tls, control_verdict)
                return self.case(what, tls, Result.INCONCLUSIVE, reason, before, seen, after)
        return self.case(what, tls, Result.FAILED, f"expected accepted, saw {verdict.text}", before, seen, after)

    def rejected(
        self,
        credential: Credential | None,
        what: str,
        tls: TlsVersion,
        approach: Approach,
        also_reject: frozenset[int],
        times: int,
    ) -> Case:
        """The case that *credential* must be kept out, *times* in a row; *also_reject* are statuses that count as that too."""
        ask = partial(self._instance.probe, credential, tls, approach)
        # Who is refused by an alert was refused without its request being read: any control will do before it then.
        first = ask() if approach.request != Request() else None
        request = Request() if first is not None and first.alert is not None else approach.request
        before, control_verdict = self.controls.control_seen(tls, request)
        if not control_verdict.accepted:
            return self.case(what, tls, Result.INCONCLUSIVE, self.refused_control(tls, control_verdict), before)
        again = partial(self.judged, ask, before, also_reject)
        seen, verdict = self.judged(lambda: first or ask(), before, also_reject)
        times_left = max(times, self._instance.target.pace.tries)
        while verdict.rejected and (times_left := times_left - 1) > 0:
            seen, verdict = again()
        seen, verdict = as_confirmed(
            seen,
            verdict,
            again,
            lambda: self.controls.control_seen(tls, approach.request, fresh=True)[1],
            early=approach == Approach(request=approach.request),
        )
        after, control_verdict = self.controls.control_seen(tls, approach.request, fresh=True)
        result, reason = self._rejection(verdict, control_verdict, tls)
        if result is not Result.PASSED:
            self._log.reproducer.remember(self._instance, tls, credential, approach)
        if times > 1 and verdict.rejected:
            reason += f" ({times} new connections)"
        return self.case(what, tls, result, reason, before, seen, after)

    def refused_or_not(
        self, ask: Callable[[], Observation], tls: TlsVersion, before: Observation, seen: Observation, verdict: Verdict
    ) -> tuple[Observation, Verdict]:
        """Of who should be let in: a close that does not happen again is no refusal, but no service either."""
        again, verdict = as_confirmed(
            seen, verdict, partial(self.judged, ask, before), lambda: self.controls.control_seen(tls, fresh=True)[1]
        )
        if not verdict.accepted:
            return again, verdict
        return seen, Verdict(Decision.INCONCLUSIVE, f"inconclusive: closed, then {verdict.text}: is there a limit?")

    def judged(
        self, ask: Callable[[], Observation], before: Observation, also_reject: frozenset[int] = frozenset()
    ) -> tuple[Observation, Verdict]:
        """What *ask* sees, and what it means beside the control *before*."""
        seen = ask()
        return seen, judge(seen, before, statuses=self._instance.target.statuses, also_reject=also_reject)

    def case(self, what: str, tls: TlsVersion, result: Result, reason: str, *seen: Observation) -> Case:
        """A case with what was *seen*: control, probe, control."""
        roles = ("control", "probe", "control")
        observations = tuple(one.to_json() | {"role": role} for one, role in zip(seen, roles, strict=False))
        return Case(what=what, tls=tls.value, outcome=result, reason=reason, observations=observations)

    def good_control(self, tls: TlsVersion) -> Observation:
        """The control's last connection under *tls*; raises Inconclusive when it is not let in."""
        seen, verdict = self.controls.control_seen(tls)
        if not verdict.accepted:
            raise Inconclusive(self.refused_control(tls, verdict))
        return seen

    def refused_control(self, tls: TlsVersion, verdict: Verdict) -> str:
        """The reason of a case that is inconclusive because the control was refused."""
        name = self.controls.control.name
        return f"the twin that must be let in ({name}, TLS {tls}) was not: {verdict.text}{self.controls.why()}"

    def unlike(self, twin: Credential | None, what: str, tls: TlsVersion) -> Case | None:
        """An inconclusive case when *twin* is not let in; None when it is, or when there is none."""
        if twin is None:
            return None
        seen = self._instance.probe(twin, tls)
        verdict = judge_control(seen, self._instance.target.statuses)
        if verdict.accepted:
            return None
        shape = f"{twin.name}, {len(twin.chain)} intermediates, TLS {tls}"
        reason = f"its twin ({shape}), which must be let in, was not: {verdict.text}"
        return self.case(what, tls, Result.INCONCLUSIVE, reason + self._instance.why(), seen)

    def _rejection(self, verdict: Verdict, control: Verdict, tls: TlsVersion) -> tuple[Result, str]:
        if verdict.decision is Decision.ACCEPTED:
            return Result.FAILED, f"expected rejected, saw {verdict.text}"
        if verdict.decision is Decision.INCONCLUSIVE:
            return Result.INCONCLUSIVE, verdict.text + self._instance.why()
        if not control.accepted:
            # A close without a word is what a crash looks like, and an alert may be about anything.
            weak = "a close proves nothing then; " if verdict.evidence is Evidence.CLOSED else ""
            return Result.INCONCLUSIVE, weak + self.refused_control(tls, control)
        return Result.PASSED, verdict.text
