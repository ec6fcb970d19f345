"""AWS's five steps of a rotation on one running backend, with what was opened before a step looked at after it.

Each step has a scenario of its own too. Here they happen to one backend one after the other, as in a real rotation, so
that what only builds up shows: a reload that adds, a session that survives two of them, a connection that is in the way.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from .backend.instance import Approach
from .kept import KeptConnection, KeptSession
from .pki.credential import Credential
from .pki.defects import Sample, make_defect
from .subject import Subject
from .tls.observation import Observation

__all__ = ["NEW_CONNECTIONS", "Drill", "both_accepted"]

NEW_CONNECTIONS = 30
"""A removal has to hold on so many new connections in a row; with several workers one of them may lag behind."""


def both_accepted(backend: Subject, first: Credential, second: Credential) -> None:
    """*first* and *second*, which stand in the truststore in this order, must both be let in; names the rotation trap."""
    first_enters = backend.accepts(first, f"{first.name}, first in the truststore")
    second_enters = backend.accepts(second, f"{second.name}, second in the truststore")
    if first_enters and not second_enters:
        backend.note("the rotation trap: of two certificates with one name only the first in the truststore is known")


class Drill:
    """The rotation from *old* to *new* on *backend*, which trusts *old*. Use as a context manager; then ``run``.

    Kept open from step 1 on, under every TLS version: one connection and one session of each kind with the old
    certificate. While both certificates are trusted they have to go on; after the removal it is recorded what became
    of them (resumption/after-removal judges that).
    """

    def __init__(self, backend: Subject, old: Credential, new: Credential) -> None:
        self._backend, self._old, self._new = backend, old, new
        self._connections: list[tuple[KeptConnection, Credential]] = []
        self._sessions: list[KeptSession] = []
        self._stack = ExitStack()

    def __enter__(self) -> Drill:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """All five steps. What does not hold is recorded; later steps happen all the same."""
        backend, old, new = self._backend, self._old, self._new
        self._generate()
        self._add("added behind the old one", old, new)
        self._add("added before the old one", new, old)
        self._switch()
        self._remove()
        backend.happened("step 5, delete: the old certificate is deleted")
        backend.rejects(
            make_defect("copied-certificate", Sample(old)), "deleted: old certificate, copied without its key"
        )
        backend.rejects(None, "deleted: no certificate, as from a stage that lost its own")
        backend.accepts(new, "deleted: new certificate")

    def _generate(self) -> None:
        backend, old = self._backend, self._old
        backend.happened("step 1, generate: the new certificate exists, the backend trusts only the old one")
        backend.accepts(old, "generated: old certificate")
        backend.rejects(self._new, "generated: new certificate, not yet added")
        self._keep_open(old)
        self._sessions = [kept for kept in backend.sessions(old) if kept.session is not None]

    def _add(self, how: str, first: Credential, second: Credential) -> None:
        backend = self._backend
        backend.happened(f"step 2, add: the new certificate is {how}")
        backend.reload(first.leaf, second.leaf)
        both_accepted(backend, first, second)
        self._kept_go_on(how)

    def _switch(self) -> None:
        backend = self._backend
        backend.happened("step 3, switch: the stage presents the new certificate")
        self._keep_open(self._new)
        backend.accepts_alternating(self._old, self._new, connections=10)
        self._kept_go_on("switched")

    def _remove(self) -> None:
        backend = self._backend
        backend.happened("step 4, remove: the backend trusts only the new certificate")
        backend.reload(self._new.leaf)
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
            seen = backend.seen_of(self._resume(session), session.tls)
            backend.happened(f"session of the {self._old.name} by {session.kind}, TLS {session.tls}: {seen}")

    def _keep_open(self, credential: Credential) -> None:
        for tls in self._backend.versions:
            kept = KeptConnection(self._backend.instance, credential, tls)
            self._stack.callback(kept.close)
            self._connections.append((kept, credential))
            self._backend.served(f"a connection with the {credential.name}, kept open", tls, kept.ask)

    def _kept_go_on(self, when: str) -> None:
        backend = self._backend
        for kept, credential in self._connections:
            backend.served(f"{when}: connection kept open with the {credential.name}", kept.tls, kept.ask)
        for session in self._sessions:
            what = f"{when}: session of the {self._old.name} by {session.kind}"
            backend.served(what, session.tls, partial(self._resume, session))

    def _resume(self, kept: KeptSession) -> Observation:
        return self._backend.instance.probe(self._old, kept.tls, Approach(resume=kept.session))
