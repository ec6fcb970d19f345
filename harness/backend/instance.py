"""One backend under test, from its start to its end: its material, its control credential, its TLS versions.

Two certificates of names of their own stand in every truststore that the harness writes, behind those under test: the
*control*, the positive twin that must be let in before and after every negative, and after a reload a *marker*, a
fresh one each time. Once the marker is let in on many new connections in a row, every worker has read the new
truststore, and what is still refused or accepted then is a verdict and no race.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from cryptography import x509

from .. import interrupt
from ..errors import BackendError, Inconclusive, MtlsError, StartError
from ..pki.credential import Credential
from ..pki.gateway_certificate import control_credential
from ..pki.truststore import Truststore
from ..tls.observation import Observation, TlsVersion, Trouble
from ..tls.probe import Conversation, Endpoint, Request, converse
from ..verdict import Verdict, judge_control
from ..wait import poll_until
from .approach import Approach
from .contract import Material, Reloadable, Running
from .doubt import refuses_version
from .endpoint import endpoint_of
from .reload import Reloaded
from .signs import in_words, is_up
from .target import Target

__all__ = ["Instance"]

_PATIENCE = 6
"""So many refused controls in a row within one scenario before a backend is doubted."""
_SECOND_CHANCE = 2.0
"""Seconds for a doubted backend to let its control in; then it is lost, and no scenario waits for its time-outs any more."""


class Instance:
    """A backend that can be probed; the module ``started`` makes them."""

    def __init__(
        self, target: Target, endpoint: Endpoint, control: Credential, material: Material | None = None
    ) -> None:
        self.target, self.endpoint, self.control, self.material = target, endpoint, control, material
        self.running: Running | None = None
        self.start_seconds = 0.0
        self._context: AbstractContextManager[Running] | None = None
        self._controls: dict[tuple[object, ...], tuple[Observation, Verdict]] = {}
        self._versions: tuple[TlsVersion, ...] | None = None
        self._refusals = 0
        self._was_let_in = False
        self._given_up: str | None = None
        self._is_new = True
        self._fresh: tuple[Credential, float] | None = None
        """The last marker, and until when a worker may lag behind it."""

    # --- what scenarios use

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.endpoint.url

    @property
    def versions(self) -> tuple[TlsVersion, ...]:
        """The TLS versions that it speaks, of those selected; found out by the control's first connections.

        Raises Inconclusive when it speaks none.
        """
        if self._versions is None:
            self._versions = tuple(version for version in self.target.tls if self._speaks(version))
        if not self._versions:
            seen, verdict = self.control_seen(self.target.tls[-1])
            raise Inconclusive(
                f"no TLS connection to {self.endpoint.url}: {verdict.text} ({seen.detail or 'no detail'})"
            )
        return self._versions

    def assume_versions(self, versions: tuple[TlsVersion, ...]) -> None:
        """Spare finding out: another backend of the same target spoke *versions*."""
        self._versions = versions

    @property
    def known_versions(self) -> tuple[TlsVersion, ...]:
        """The versions that were found so far; empty before the first connection."""
        return self._versions or ()

    def probe(self, credential: Credential | None, tls: TlsVersion, approach: Approach = Approach()) -> Observation:
        """One connection under *tls* with *credential*. Raises KeyboardInterrupt when the run was interrupted meanwhile."""
        with self.converse(credential, tls, approach) as conversation:
            seen = conversation.ask(approach.request)
        interrupt.check()
        return seen

    def converse(
        self,
        credential: Credential | None,
        tls: TlsVersion,
        approach: Approach = Approach(),
        *,
        tickets: bool = True,
        protocols: tuple[bytes, ...] = (),
    ) -> AbstractContextManager[Conversation]:
        """A connection that stays open for the length of the block."""
        endpoint = self.endpoint
        if approach.server_name is not None:
            authority = f"{approach.server_name}:{endpoint.port}"
            endpoint = replace(endpoint, server_name=approach.server_name, authority=authority)
        if not approach.send_server_name:
            endpoint = replace(endpoint, server_name=None)
        return converse(
            endpoint,
            tls=tls,
            credential=credential,
            ciphers=approach.ciphers,
            timeouts=self.target.timeouts,
            tickets=tickets,
            resume=approach.resume,
            protocols=protocols,
        )

    def control_seen(
        self, tls: TlsVersion, request: Request = Request(), *, fresh: bool = False
    ) -> tuple[Observation, Verdict]:
        """The control's connection under *tls* with the same *request*, and whether it was let in.

        The last one is kept: what stood after one negative stands before the next. *fresh* makes a new one.
        """
        key = (tls, request)
        known = self._controls.get(key)
        if known is None or fresh or not known[1].accepted:
            seen = self.probe(self.control, tls, Approach(request=request))
            known = self._controls[key] = seen, judge_control(seen, self.target.statuses)
            self._was_let_in |= known[1].accepted
            self._refusals = 0 if known[1].accepted else self._refusals + 1
            if self._refusals >= _PATIENCE:
                self.confirm()
        return known

    @property
    def server_header(self) -> str | None:
        """The Server header of the control's answers."""
        answers = [seen.answer for seen, _ in self._controls.values() if seen.answer is not None]
        return next((header for answer in answers if (header := answer.header("server"))), None)

    @property
    def lost(self) -> str | None:
        """Why nothing more can be learnt from it: it ended, or refuses its control again and again; None while it works."""
        trouble = self._trouble()
        if trouble:
            return f"{self.target.name}: expected it to run until the end, saw: {trouble}. Look at why it ended."
        return self._given_up

    def require_alive(self) -> None:
        """Raise Inconclusive once it is lost: the reason then is one and the same for all that would have followed."""
        lost = self.lost
        if lost:
            raise Inconclusive(lost)

    def why(self) -> str:
        """That the backend has ended, for an inconclusive reason; empty while it runs. Its last lines are told by ``lost``."""
        trouble = self._trouble()
        return f"; {trouble.partition('; its last lines')[0]}" if trouble else ""

    @property
    def last_words(self) -> str:
        """The end of the backend's output, for a message; empty where there is none."""
        words: str = getattr(self.running, "last_lines", lambda: "")()
        return words

    def _trouble(self) -> str | None:
        trouble: str | None = getattr(self.running, "trouble", lambda: None)()
        return trouble

    def confirm(self) -> None:
        """After something went wrong: give the backend up, unless it lets its control in, now or a moment later."""
        versions = self.known_versions
        if self.lost or not versions:
            return
        verdicts: list[Verdict] = []

        def enters() -> bool:
            verdicts[:] = [judge_control(self.probe(self.control, tls), self.target.statuses) for tls in versions]
            return any(verdict.accepted for verdict in verdicts)

        if poll_until(enters, _SECOND_CHANCE if self._was_let_in else 0):
            self._refusals = 0
            return
        self._given_up = (
            f"{self.target.name}: expected the twin that must be let in ({self.control.name}) to be let in to the end, "
            f"saw it refused from some moment on: {verdicts[-1].text.partition(': ')[2]}. Look at the backend's log."
        )

    # --- reload and restart

    def replace_truststore(self, certificates: Sequence[x509.Certificate]) -> Reloaded:
        """Put *certificates*, the control and a fresh marker into the truststore, and carry out the declared reload.

        Returns once the marker is let in everywhere, or ``--reload-within`` is over. The first signal after a start is sent
        again when half of that has passed in vain: HAProxy's worker serves while its master still ignores SIGUSR2 (2.6: all of
        40 signals that were sent as soon as the port was open were lost). The second comes with a marker of its own, so who
        takes over with each signal what stood there at the one before does not pass.
        """
        began, half = time.monotonic(), self.target.reload_within / 2
        marker, live = self._tell(certificates), isinstance(self.running, Reloadable)
        closed = 0.0 if live else time.monotonic() - began
        times, refused = self.target.pace.in_a_row if live else 3, list[float]()

        def is_over() -> bool:
            return bool(self.why()) or self._lets_in(marker, times, refused)

        over = poll_until(is_over, half)
        again = not over and self._is_new and bool(self.target.reload.words)
        if again:
            marker = self._tell(certificates)
        over = over or poll_until(is_over, half)
        closed += refused[-1] - refused[0] if refused else 0.0
        in_effect, self._is_new = over and not self.why(), False
        self._fresh = (marker, began + self.target.reload_within) if live and in_effect else None
        return Reloaded(in_effect, (time.monotonic() - began) * 1000, not live, closed * 1000, again)

    def _tell(self, certificates: Sequence[x509.Certificate]) -> Credential:
        """Replace the truststore and carry out the declared reload; returns the marker in it."""
        marker = control_credential()
        self._own_material().replace_truststore(Truststore.of((*certificates, self.control.leaf, marker.leaf)))
        self._take_over()
        return marker

    def settles(self) -> bool:
        """Whether the last live reload is so young that a worker may have been missed; waits for its marker again then, once.

        Under load an old worker that shares the port can sleep through all connections that went before.
        """
        fresh, self._fresh = self._fresh, None
        if fresh is None or time.monotonic() > fresh[1]:
            return False
        return poll_until(lambda: self._lets_in(fresh[0], self.target.pace.in_a_row, []), self.target.reload_within)

    def change_file(self, certificates: Sequence[x509.Certificate]) -> None:
        """Put *certificates* and the control into the truststore file, and tell the backend nothing."""
        self._own_material().replace_truststore(Truststore.of((*certificates, self.control.leaf)))

    def reload_broken(self, content: bytes) -> str | None:
        """Put *content* in the truststore's place and carry out the declared reload.

        Returns why the backend does not go on, if it does not. Otherwise it has had as long as several reloads take: with
        a broken truststore there is no marker to tell when it is done.
        """
        reloaded = self.replace_truststore([])
        usual = reloaded.milliseconds / 1000
        if self.lost:  # by a reload with a good truststore: that it ended then is no answer to a broken one
            raise BackendError(self.lost)
        if not reloaded.in_effect:
            raise Inconclusive(f"{reloaded} with a good truststore, so nobody knows when a broken one is read")
        self._own_material().replace_truststore(content)
        live = isinstance(self.running, Reloadable)
        try:
            self._take_over()
        except StartError as error:
            if error.listening:
                raise Inconclusive(f"somebody listens, and it is no TLS server: {error}") from error
            return str(error)
        except BackendError as error:
            if not live:
                return str(error)
        if live:
            least = max(self.target.pace.settling, self.target.pace.reloads * usual)
            # who looks for itself does so when its time comes, which may have been near the last time
            wait = self.target.reload_within if self.target.reload.kind == "watch" else least
            poll_until(lambda: self._trouble() is not None, min(self.target.reload_within, wait))
        return self._trouble()

    def _take_over(self) -> None:
        self._controls.clear()
        self._refusals, self._given_up = 0, None
        if isinstance(self.running, Reloadable):
            self.running.reload()
        else:
            self.leave()
            self.enter()

    def _lets_in(self, credential: Credential, times: int, refused: list[float]) -> bool:
        """Whether *credential* is let in so many *times* in a row; the moments of a closed port go into *refused*."""
        for _ in range(times):
            seen = self.probe(credential, self.versions[-1])
            if seen.trouble is Trouble.REFUSED:
                refused.append(time.monotonic())
            if not judge_control(seen, self.target.statuses).accepted:
                return False
        return True

    def _own_material(self) -> Material:
        if self.material is None:
            raise BackendError("a backend that runs already has a truststore that is not ours to change")
        return self.material

    # --- start and end

    def enter(self) -> None:
        """Start the backend and wait until it answers by TLS; raises BackendError when it ends or stays silent."""
        assert self.target.factory is not None
        began = time.monotonic()
        try:
            context = self.target.factory(self._own_material())
            self.running, self._context = context.__enter__(), context
        except MtlsError:
            raise
        except Exception as error:  # a factory is somebody else's code
            raise StartError(f"{self.target.name}: does not start: {type(error).__name__}: {error}") from error
        try:
            self.endpoint = endpoint_of(self.running.url, self.target.path, self.material)
            self._await_answer()
        except BaseException:
            self.leave()
            raise
        self.start_seconds = time.monotonic() - began

    def leave(self) -> None:
        """End the backend."""
        context, self._context, self.running = self._context, None, None
        if context is not None:
            context.__exit__(None, None, None)

    def _await_answer(self) -> None:
        """Poll with whole handshakes: an open port left alone stops servers that shake hands in accept()."""
        last: list[Observation] = []

        def answers() -> bool:
            if self._trouble():
                return True
            last[:] = [self.probe(self.control, tls) for tls in self.target.tls[:1]]
            return any(is_up(seen) for seen in last)

        up = poll_until(answers, self.target.start_within)
        trouble = self._trouble()
        if trouble:
            raise StartError(f"{self.target.name}: {trouble}. It has to keep running and listen on {self._where()}.")
        if not up:
            raise StartError(
                f"{self.target.name}: expected a TLS server on {self._where()} within {self.target.start_within:.3g} s, "
                f"saw: {in_words(last[0])}{self._what_to_do(last[0])}",
                listening=last[0].trouble is not Trouble.REFUSED,
            )

    def _what_to_do(self, seen: Observation) -> str:
        if seen.trouble is Trouble.NOT_TLS:
            return ". Somebody answers there without TLS: let it serve https, by {server_cert} and {server_key}."
        lines = self.last_words
        if seen.answer is not None:
            return f"{lines}. The application failed: look at its log, and whether --path exists."
        return f"{lines}. Use {{port}} or MTLS_PORT, or allow more by --start-within."

    def _where(self) -> str:
        return f"{self.endpoint.host}:{self.endpoint.port}"

    def _speaks(self, tls: TlsVersion) -> bool:
        seen, verdict = self.control_seen(tls)
        return verdict.accepted or not refuses_version(seen, lambda: self.control_seen(tls)[0])
