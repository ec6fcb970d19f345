"""A backend in a trial: what must be let in, what must be kept out, and the proof of it.

Every negative stands between two positive twins (the control connection before and after it, under the same TLS
version); if a twin is refused, the case is inconclusive and says what to look at. Every expectation runs under every
TLS version that the backend speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil

from cryptography import x509

from .backend.approach import Approach
from .backend.doubt import as_confirmed, refuses_version
from .backend.instance import Instance
from .backend.reload import Reloaded
from .case_log import CaseLog
from .expectation import Expectation
from .kept import KeptConnection, KeptSession
from .outcome import Case, Result
from .pki.credential import Credential
from .tls.observation import Observation, Phase, TlsVersion, Trouble
from .verdict import Verdict, judge, judge_control
from .wait import poll_until

__all__ = ["Subject"]

_STOPPED = "stopped listening"
_GOING_DOWN = 1.0
"""Seconds that a backend which gives up over a broken truststore may take to stop listening; lighttpd needs 0.1."""


class Subject:
    """A backend in a trial. ``accepts`` and ``rejects`` each record a case per TLS version."""

    def __init__(self, log: CaseLog, instance: Instance, controls: Instance | None = None) -> None:
        self._log, self.instance = log, instance
        self._one = Expectation(log, instance, controls or instance)

    @property
    def versions(self) -> tuple[TlsVersion, ...]:
        """The TLS versions that the backend speaks."""
        return self.instance.versions

    def observe(self, credential: Credential | None, tls: TlsVersion) -> Observation:
        """One ordinary connection, not judged."""
        self._one.require_alive()
        return self.instance.probe(credential, tls)

    def reload(self, *trusted: x509.Certificate, matters: bool = True) -> Reloaded:
        """Trust *trusted*, in this order, from now on, by the declared reload; waits until that is in effect.

        If it is not in effect in time, nothing passes behind it, since whose truststore it meets is not known; but where that
        does not *matter*.
        Raises Inconclusive when the control is refused already: the marker would be waited for in vain.
        """
        self._one.good_control(self.versions[-1])
        self._log.happened(f"truststore replaced by {len(trusted)} certificate{'s' if len(trusted) != 1 else ''}")
        reloaded = self.instance.replace_truststore(trusted)
        self._log.happened(str(reloaded))
        self._log.notes.append(str(reloaded))
        if not reloaded.in_effect:
            seconds, said = self.instance.target.reload_within, self.instance.last_words
            self._log.late = f"the {reloaded.how} had not taken effect within --reload-within {seconds:g} s{said}"
            if matters:
                self._log.add(Case(what="truststore", tls=None, outcome=Result.INCONCLUSIVE, reason=self._log.late))
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
        return self._each(
            versions,
            lambda tls: self._one.accepted(credential, what or credential.name, tls, approach),
            must_enter=True,
        )

    def rejects(
        self,
        credential: Credential | None,
        what: str | None = None,
        *,
        approach: Approach = Approach(),
        also_reject: frozenset[int] = frozenset(),
        times: int = 1,
        twin: Credential | None = None,
        versions: tuple[TlsVersion, ...] | None = None,
    ) -> bool:
        """*credential* (None: no certificate) must be kept out; returns whether it was, under every version.

        It has to hold on *times* new connections in a row, divided among the versions: a worker that lags does so under each.
        *also_reject* are statuses that count as rejection in this scenario too. *twin*, where given, is a good credential of
        the same shape (the same depth, for one), which must be let in, or the refusal may be about the shape.
        """
        label = what or (credential.name if credential else "no certificate")
        share = self._share(times, versions)

        def one(tls: TlsVersion) -> Case:
            return self._one.unlike(twin, label, tls) or self._one.rejected(
                credential, label, tls, approach, also_reject, share
            )

        return self._each(versions, one)

    def sessions(self, credential: Credential | None) -> list[KeptSession]:
        """One session of each kind, from ordinary connections with *credential*, whatever came of them.

        TLS 1.2 by ticket and by session ID, TLS 1.3 by PSK (RFC 8446 2.2). Whether a session can be resumed shows only when it
        is offered; a backend that issues none makes a full handshake then.
        """
        kept = []
        for tls in self.versions:
            for kind, tickets in (
                (("ticket", True), ("session ID", False)) if tls is TlsVersion.TLS12 else (("PSK", True),)
            ):
                with self.instance.converse(credential, tls, tickets=tickets) as conversation:
                    seen = conversation.ask()
                    session = conversation.session
                kept.append(KeptSession(kind, tls, seen, session))
        return kept

    def lets_in(self, credential: Credential) -> bool:
        """Whether *credential* is let in under every TLS version; no case is recorded."""
        statuses = self.instance.target.statuses
        return all(judge_control(self.instance.probe(credential, tls), statuses).accepted for tls in self.versions)

    def accepts_alternating(self, old: Credential, new: Credential, connections: int) -> None:
        """Both must be let in on new connections in turn, and *old* on one kept-alive connection all the while.

        The *connections* are divided among the versions. A kept connection that the server closes in good order is opened
        anew: servers may.
        """
        share = self._share(connections, None)
        self._each(None, lambda tls: self._alternate(old, new, share, tls), must_enter=True)

    def _alternate(self, old: Credential, new: Credential, connections: int, tls: TlsVersion) -> Case:
        what = f"{connections} new connections, {old.name} and {new.name} in turn, beside a kept one"
        before, control = self._one.controls.control_seen(tls)
        if not control.accepted:
            return self._one.case(what, tls, Result.INCONCLUSIVE, self._one.refused_control(tls, control), before)
        kept, seen = KeptConnection(self.instance, old, tls), before
        try:
            for number in range(connections):
                credential = (old, new)[number % 2]
                for name, ask in (
                    (credential.name, partial(self.instance.probe, credential, tls)),
                    ("kept connection", kept.ask),
                ):
                    seen, verdict = self._one.judged(ask, before)
                    if not verdict.accepted:
                        where = f"{name}, after {number} connections"
                        return self._interrupted(what, tls, where, ask, before, seen, verdict)
        finally:
            kept.close()
        reason = f"all accepted; the kept connection was opened {kept.opened} time{'s' if kept.opened > 1 else ''}"
        return self._one.case(what, tls, Result.PASSED, reason, before, seen)

    def _interrupted(
        self,
        what: str,
        tls: TlsVersion,
        where: str | None,
        ask: Callable[[], Observation],
        before: Observation,
        seen: Observation,
        verdict: Verdict,
    ) -> Case:
        seen, verdict = self._one.refused_or_not(ask, tls, before, seen, verdict)
        after, control = self._one.controls.control_seen(tls, fresh=True)
        proved = verdict.rejected and control.accepted
        result = Result.FAILED if proved else Result.INCONCLUSIVE
        reason = f"{f'{where}: ' if where else ''}expected accepted, saw {verdict.text}{self.instance.why()}"
        return self._one.case(what, tls, result, reason, before, seen, after)

    def change_file(self, *trusted: x509.Certificate) -> None:
        """Put *trusted* and the control into the truststore file, and tell the backend nothing."""
        self.instance.change_file(trusted)

    def reload_broken(self, content: bytes, what: str, strangers: Sequence[Credential | None]) -> None:
        """Reload with *content*, which is no truststore: none of *strangers* may get in then.

        A backend that ends, does not start again or stops listening holds. What it does to the control is a note.
        """
        befores = {tls: self._one.good_control(tls) for tls in self.versions}
        ended = self.instance.reload_broken(content)
        if ended is not None:
            self._log.add(Case(what=what, tls=None, outcome=Result.PASSED, reason=f"does not go on: {ended}"))
            return
        for tls, before in befores.items():
            for stranger in strangers:
                name = f"{what}, {stranger.name if stranger else 'no certificate'}"
                self._log.add(self._after_broken(stranger, name, tls, before))
        kept = "still lets the good credential in" if self.lets_in(self.instance.control) else "refuses everybody"
        self._log.notes.append(f"{what}: the backend {kept}")

    def _after_broken(self, stranger: Credential | None, what: str, tls: TlsVersion, before: Observation) -> Case:
        """What *stranger* meets; asked again while that is no evidence, since who gives up closes at random until it is gone."""
        cases: list[Case] = []

        def is_evidence() -> bool:
            case, seen = self._asked_after_broken(stranger, what, tls, before)
            cases.append(case)
            if seen.trouble is Trouble.REFUSED:  # who starts anew in between may be open then
                return self.instance.lost is not None
            return case.outcome is not Result.INCONCLUSIVE or seen.answer is not None

        if not poll_until(is_evidence, _GOING_DOWN) and cases[-1].reason == _STOPPED:
            poll_until(is_evidence, self.instance.target.reload_within)
        return cases[-1]

    def _asked_after_broken(
        self, stranger: Credential | None, what: str, tls: TlsVersion, before: Observation
    ) -> tuple[Case, Observation]:
        seen = self.instance.probe(stranger, tls)
        if seen.trouble is Trouble.REFUSED:
            return self._one.case(what, tls, Result.PASSED, _STOPPED, before, seen), seen
        verdict = judge(seen, before, statuses=self.instance.target.statuses)
        again = partial(self._one.judged, partial(self.instance.probe, stranger, tls), before)
        seen, verdict = as_confirmed(seen, verdict, again)
        if verdict.accepted:
            return self._one.case(
                what, tls, Result.FAILED, f"expected rejected, saw {verdict.text}", before, seen
            ), seen
        result = Result.PASSED if verdict.rejected else Result.INCONCLUSIVE
        return self._one.case(what, tls, result, verdict.text, before, seen), seen

    def served(self, what: str, tls: TlsVersion, ask: Callable[[], Observation]) -> bool:
        """What *ask* sends, on whatever connection, must be let in; records a case and returns whether it was."""
        self._one.require_alive()
        before, control = self._one.controls.control_seen(tls)
        if not control.accepted:
            case = self._one.case(what, tls, Result.INCONCLUSIVE, self._one.refused_control(tls, control), before)
        else:
            seen, verdict = self._one.judged(ask, before)
            if verdict.accepted:
                case = self._one.case(what, tls, Result.PASSED, verdict.text, before, seen)
            else:
                case = self._interrupted(what, tls, None, ask, before, seen, verdict)
        self._log.add(case)
        return case.outcome is Result.PASSED

    def happened(self, text: str) -> None:
        """Put an event of this moment into the scenario's timeline."""
        self._log.happened(text)

    def found(self, what: str, result: Result, reason: str) -> None:
        """Record a case that was seen by other means than a probe."""
        self._log.add(Case(what=what, tls=None, outcome=result, reason=reason))

    def note(self, text: str) -> None:
        """Record a remark for the report, once."""
        if text not in self._log.notes:
            self._log.notes.append(text)

    def seen_of(self, seen: Observation, tls: TlsVersion) -> str:
        """In words what *seen* means, beside the control; for what is recorded and not judged."""
        return judge(seen, self._one.good_control(tls), statuses=self.instance.target.statuses).text

    def shows(self, what: str, seen: Observation, holds: bool, yes: str, no: str) -> None:
        """Record a case that is no question of accepted or rejected, on a handshake that has to be complete."""
        if seen.phase < Phase.HANDSHAKE:
            verdict = judge_control(seen, self.instance.target.statuses)
            result, reason = Result.INCONCLUSIVE, f"no handshake to look at: {verdict.text}{self.instance.why()}"
        else:
            result, reason = (Result.PASSED, yes) if holds else (Result.FAILED, no)
        self._log.add(self._one.case(what, seen.tls, result, reason, seen))

    def speaks(self, tls: TlsVersion, approach: Approach) -> None:
        """The control must be let in under *tls*; that the version itself is refused is a failure, not a mishap."""
        self._one.require_alive()
        control = self.instance.control
        seen = self.instance.probe(control, tls, approach)
        verdict = judge_control(seen, self.instance.target.statuses)
        what = f"TLS {tls} {approach.ciphers or ''}".strip()
        if verdict.accepted:
            result, reason = Result.PASSED, f"{verdict.text} ({seen.negotiated})"
        elif refuses_version(seen, lambda: self.instance.probe(control, tls, approach)) and any(
            self.instance.control_seen(other)[1].accepted for other in TlsVersion if other is not tls
        ):
            result, reason = Result.FAILED, f"expected {what}, saw {verdict.text.removeprefix('rejected: ')}"
        else:
            result, reason = Result.INCONCLUSIVE, self._one.refused_control(tls, verdict)
        if result is not Result.PASSED:
            self._log.reproducer.remember(self.instance, tls, control, approach)
        self._log.add(self._one.case(what, tls, result, reason, seen))

    # --- one case

    def _each(
        self, versions: tuple[TlsVersion, ...] | None, one: Callable[[TlsVersion], Case], *, must_enter: bool = False
    ) -> bool:
        cases = []
        for tls in versions or self.versions:
            self._one.require_alive()
            case = one(tls)
            if must_enter and case.outcome is Result.FAILED and self.instance.settles():
                case = self._unless_it_lagged(case, one(tls))
            cases.append(case)
            self._log.add(case)
        return all(case.outcome is Result.PASSED for case in cases)

    def _unless_it_lagged(self, case: Case, again: Case) -> Case:
        """The second of two tries where somebody must be let in, if it holds: a worker may lag while --reload-within lasts.

        Who is let in and must not be is never asked again: once is proof.
        """
        if again.outcome is not Result.PASSED:
            return case
        self.note(
            f"{case.what}, TLS {case.tls}: {case.reason}; not again behind more connections, within --reload-within"
        )
        return again

    def _share(self, connections: int, versions: tuple[TlsVersion, ...] | None) -> int:
        return ceil(connections / len(versions or self.versions))
