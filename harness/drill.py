"""AWS's five steps of a rotation on one running backend, through a mock gateway and beside it.

Each step has a scenario of its own too. Here they happen to one backend one after the other, as in a real rotation, so
that what only builds up shows: a reload that adds, a session that survives two of them, a connection that is in the way.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from .backend.approach import Approach
from .backend.reload import Reloaded
from .errors import Inconclusive
from .gateway.traffic import Sent, Traffic
from .kept import KeptConnection, KeptSession
from .outcome import Result
from .pki.credential import Credential
from .pki.defects import Sample, make_defect
from .subject import Subject
from .tls.observation import Observation, TlsVersion

if TYPE_CHECKING:  # a fifth of a second that only one scenario needs
    from .gateway.facade import ApiStage, GatewayCertificate, MockGateway

__all__ = ["NEW_CONNECTIONS", "Drill", "both_accepted"]

NEW_CONNECTIONS = 30
"""A removal has to hold on so many new connections in a row; with several workers one of them may lag behind."""

_CALL_MS = 5_000
"""How long a call may wait for the backend; a silent one should not hold the drill up for API Gateway's 29 s."""


def both_accepted(backend: Subject, first: Credential, second: Credential, reloaded: Reloaded) -> None:
    """*first* and *second*, which stand in the truststore in this order, must both be let in; names the rotation trap.

    Without a reload that came into effect it is no trap that the second is unknown.
    """
    first_enters = backend.accepts(first, f"{first.name}, first in the truststore")
    second_enters = backend.accepts(second, f"{second.name}, second in the truststore")
    if first_enters and not second_enters and reloaded.in_effect:
        backend.note("the rotation trap: of two certificates with one name only the first in the truststore is known")


class Drill:
    """A rotation on *backend*, which trusts the certificate *old* of *gateway*. Use as a context manager; then ``run``.

    Every 50 ms a call goes through a stage of the gateway; none may be refused. Kept open beside it from step 1 on,
    under every TLS version: one connection and one session of each kind with the old certificate. While both
    certificates are trusted they have to go on; after the removal it is recorded what became of them
    (resumption/after-removal judges that).
    """

    def __init__(self, backend: Subject, gateway: MockGateway, old: GatewayCertificate) -> None:
        self._backend, self._gateway = backend, gateway
        self._of = {"old": old, "new": gateway.generate_client_certificate()}
        self._old = replace(old.credential, name="old certificate")
        self._new = replace(self._of["new"].credential, name="new certificate")
        self._connections: list[tuple[KeptConnection, Credential]] = []
        self._sessions: list[KeptSession] = []
        self._calls: StageCalls | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Drill:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """All five steps. What does not hold is recorded; later steps happen all the same."""
        old, new = self._old, self._new
        self._generate()
        self._add("added behind the old one", old, new)
        self._add("added before the old one", new, old)
        self._switch()
        self._remove()
        self._delete()

    def _generate(self) -> None:
        backend, old = self._backend, self._old
        backend.happened("step 1, generate: the new certificate exists, the backend trusts only the old one")
        backend.accepts(old, "generated: old certificate")
        backend.rejects(self._new, "generated: new certificate, not yet added")
        self._keep_open(old)
        self._sessions = [kept for kept in backend.sessions(old) if kept.session is not None]
        if TlsVersion.TLS12 not in backend.versions:
            backend.note("no calls through the stage: API Gateway speaks TLS 1.2 to backends, this one does not")
            return
        stage = self._gateway.proxy_api(backend.instance, timeout_ms=_CALL_MS).stage()
        stage.attach(self._of["old"])
        self._calls = StageCalls(backend, stage, {one.id: name for name, one in self._of.items()})
        self._stack.enter_context(self._calls)

    def _add(self, how: str, first: Credential, second: Credential) -> None:
        self._backend.happened(f"step 2, add: the new certificate is {how}")
        reloaded = self._backend.reload(first.leaf, second.leaf)
        self._look_at_calls(how)
        both_accepted(self._backend, first, second, reloaded)
        self._kept_go_on(how)

    def _switch(self) -> None:
        self._backend.happened("step 3, switch: the stage presents the new certificate")
        if self._calls:
            self._calls.stage.attach(self._of["new"])
        self._keep_open(self._new)
        self._backend.accepts_alternating(self._old, self._new, connections=4)
        self._look_at_calls("switched")
        self._kept_go_on("switched")

    def _remove(self) -> None:
        backend = self._backend
        backend.happened("step 4, remove: the backend trusts only the new certificate")
        backend.reload(self._new.leaf)
        self._look_at_calls("removed")
        backend.rejects(self._old, "removed: old certificate", times=NEW_CONNECTIONS)
        backend.accepts(self._new, "removed: new certificate")
        for kept, credential in self._connections:
            if credential is self._new:
                backend.served(f"removed: connection kept open with the {credential.name}", kept.tls, kept.ask)
            else:
                seen = kept.ask(reopen=False)
                became = backend.seen_of(seen, kept.tls) if seen.answer else "closed by the backend"
                backend.happened(f"connection kept open with the {credential.name}, TLS {kept.tls}: {became}")
        for session in self._sessions:
            became = backend.seen_of(self._resume(session), session.tls)
            backend.happened(f"session of the {self._old.name} by {session.kind}, TLS {session.tls}: {became}")

    def _delete(self) -> None:
        backend, old = self._backend, self._old
        backend.happened("step 5, delete: the old certificate is deleted")
        self._of["old"].delete()
        self._look_at_calls("deleted")
        backend.rejects(
            make_defect("copied-certificate", Sample(old)), "deleted: old certificate, copied without its key"
        )
        backend.rejects(None, "deleted: no certificate, as from a stage that lost its own")
        backend.accepts(self._new, "deleted: new certificate")

    # --- what was opened before

    def _keep_open(self, credential: Credential) -> None:
        for tls in self._backend.versions:
            kept = KeptConnection(self._backend.instance, credential, tls)
            self._stack.callback(kept.close)
            self._connections.append((kept, credential))
            self._backend.served(f"a connection with the {credential.name}, kept open", tls, kept.ask)

    def _kept_go_on(self, when: str) -> None:
        for kept, credential in self._connections:
            what = f"{when}: connection kept open with the {credential.name}"
            self._backend.served(what, kept.tls, kept.ask)
        for session in self._sessions:
            what = f"{when}: session of the {self._old.name} by {session.kind}"
            self._backend.served(what, session.tls, partial(self._resume, session))

    def _resume(self, kept: KeptSession) -> Observation:
        return self._backend.instance.probe(self._old, kept.tls, Approach(resume=kept.session))

    def _look_at_calls(self, when: str) -> None:
        if self._calls:
            self._calls.judge(when)


class StageCalls:
    """The calls through the gateway's *stage* while the steps happen; *names* by certificate id are for the report."""

    def __init__(self, backend: Subject, stage: ApiStage, names: dict[str, str]) -> None:
        self.stage = stage
        self._backend, self._names = backend, names
        self._traffic = Traffic(stage, backend.instance.target.path)
        self._stack = ExitStack()
        self._served: int | None = None
        """The status of a call that was let in; None while none was: then nothing is proved by the others."""

    def __enter__(self) -> StageCalls:
        self._stack.enter_context(self._traffic)
        control, _ = self._backend.instance.control_seen(TlsVersion.TLS12)
        first = self._calls()[-1]
        if control.answer is not None and first.status == control.answer.status:
            self._served = first.status
        else:
            self._stack.close()
            self._not_through(first)
        return self

    def _not_through(self, first: Sent) -> None:
        """Say why there are no calls: what is wrong with the server's certificate has scenarios of its own."""
        entry = self.stage.api.gateway.log.integrations(self.stage.api)[-1]
        server = (entry["tls"] or {}).get("server_certificate")
        why = f"HTTP {first.status} ({entry['execution_log'][-2]})"
        if server is not None and server["verdict"] != "ok":
            self._backend.note(f"no calls through the stage: API Gateway would not get through to this backend: {why}")
        else:
            result = Result.FAILED if self._is_refusal(first) else Result.INCONCLUSIVE
            self._backend.found("generated: calls through the stage", result, f"expected accepted, saw {why}")

    def _calls(self) -> list[Sent]:
        try:
            return self._traffic.since_last()
        except TimeoutError as error:
            raise Inconclusive(f"the gateway's calls to the backend: {error}") from error

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def judge(self, when: str) -> None:
        """Record what became of the calls since the last time, of which some begin after this moment.

        A refusal is a failure. No answer while the backend reloads or restarts is a cost; afterwards it is unclear.
        """
        if self._served is None:
            return
        now = time.monotonic()
        calls = self._calls()
        lost = [call for call in calls if call.status != self._served]
        refused = [call for call in lost if self._is_refusal(call)]
        text = f"{when}: {self._counted(calls)} through the stage, {len(lost)} lost"
        self._backend.happened(text)
        what = f"{when}: calls through the stage"
        if refused:
            alerts = sorted({call.alert or f"HTTP {call.status}" for call in refused})
            reason = f"expected all accepted, saw {len(refused)} of {len(calls)} refused: {', '.join(alerts)}"
            self._backend.found(what, Result.FAILED, reason)
        elif any(call.began >= now for call in lost):
            statuses = sorted({f"{call.outcome} (HTTP {call.status})" for call in lost})
            reason = f"{len(lost)} of {len(calls)} without an answer of the backend: {', '.join(statuses)}"
            self._backend.found(what, Result.INCONCLUSIVE, reason)
        else:
            self._backend.found(what, Result.PASSED, "all answered that came after it" if lost else "all answered")
            if lost:
                self._backend.note(text)

    def _is_refusal(self, call: Sent) -> bool:
        if call.outcome == "response":
            return call.status in self._backend.instance.target.statuses.reject
        return call.alert is not None

    def _counted(self, calls: list[Sent]) -> str:
        counted = {name: sum(call.presented == one for call in calls) for one, name in self._names.items()}
        parts = [f"{number} by the {name} certificate" for name, number in counted.items() if number]
        return f"{len(calls)} calls ({', '.join(parts) or 'none with a certificate'})"
