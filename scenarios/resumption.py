"""Resumed sessions: TLS 1.2 by ticket and by session ID, TLS 1.3 by PSK. A backend that issues none holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ..harness.backend.approach import Approach
from ..harness.kept import KeptSession
from ..harness.pki.credential import Credential
from ..harness.scenario import BOTH, MUST, SHOULD, scenario
from ..harness.subject import Subject
from ..harness.trial import Trial

_LOOK_AGAIN = """Verify the client's certificate again when a session is resumed (the certificate is in the session), or issue no
sessions to authenticated clients: nginx 'ssl_session_tickets off; ssl_session_cache off', Go and Java by their own settings.
A new context with fresh ticket keys after each change of the truststore has the same effect."""


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 8446 2.2", "RFC 5246 F.1.4"),
    remedy="""Set a session ID context (OpenSSL: SSL_CTX_set_session_id_context), or switch sessions off. Java clients, API Gateway
    evidently among them, offer their sessions by default.""",
)
def gateway_resumes(mtls_trial: Trial) -> None:
    """A gateway that offers its session again MUST be accepted, by resumption or by a full handshake.

    Good credential, keep the session, reconnect offering it.
    """
    backend = mtls_trial.backend
    for kept in backend.sessions(mtls_trial.good):
        backend.accepts(
            mtls_trial.good, f"good credential, resuming by {kept.kind}", approach=_resuming(kept), versions=(kept.tls,)
        )
    _note_resumption(mtls_trial, backend, mtls_trial.good, "good credential")


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 8446 4.6.1", "RFC 5246 7.4.1.2"),
    remedy="""Judge a resumed session as a new one: that somebody was given a session does not mean that he was let in.""",
)
def from_rejected_session(mtls_trial: Trial) -> None:
    """A session that a refused connection was given MUST NOT open the door.

    No certificate, and a stranger of the same name: keep whatever session the refused connection gave, and offer it.
    """
    backend = mtls_trial.backend
    for credential in (None, mtls_trial.defect("copied-serial-and-dates")):
        name = credential.name if credential else "no certificate"
        _note_resumption(mtls_trial, backend, credential, name)
        for kept in backend.sessions(credential):
            backend.rejects(
                credential, f"{name}, resuming by {kept.kind}", approach=_resuming(kept), versions=(kept.tls,)
            )


@scenario(
    level=MUST,
    profiles=BOTH,
    needs=("reload",),
    references=("CVE-2025-68121", "RFC 8446 4.6.1"),
    remedy=_LOOK_AGAIN,
)
def after_removal(mtls_trial: Trial) -> None:
    """A session MUST NOT outlive the removal of its certificate from the truststore.

    Session with the old credential; reload without it; resume.
    """
    old, new = mtls_trial.generation("old credential"), mtls_trial.generation("new credential")
    with mtls_trial.start(old.anchor) as backend:
        backend.accepts(old.credential, "old credential, before its removal")
        _note_resumption(mtls_trial, backend, old.credential, "old credential, before its removal")
        sessions = backend.sessions(old.credential)
        backend.reload(new.anchor)
        for kept in sessions:
            backend.rejects(
                old.credential,
                f"removed credential, resuming by {kept.kind}",
                approach=_resuming(kept),
                versions=(kept.tls,),
            )


@scenario(
    level=SHOULD,
    profiles=BOTH,
    needs=("start",),
    references=("RFC 8446 4.6.1",),
    remedy=_LOOK_AGAIN,
)
def after_expiry(mtls_trial: Trial) -> Iterator[datetime]:
    """A session SHOULD NOT outlive its certificate.

    A credential that is about to expire: session now, resume after notAfter.
    """
    short = mtls_trial.short_lived()
    with mtls_trial.start(short.anchor) as backend:
        mtls_trial.accepts_while_valid(backend, short)
        sessions = backend.sessions(short.credential)
        _note_resumption(mtls_trial, backend, short.credential, "credential, before it expires")
        yield short.over
        for kept in sessions:
            backend.rejects(
                short.credential,
                f"expired credential, resuming by {kept.kind}",
                approach=_resuming(kept),
                versions=(kept.tls,),
            )


def _resuming(kept: KeptSession) -> Approach:
    return Approach(resume=kept.session)


def _note_resumption(trial: Trial, backend: Subject, credential: Credential | None, whose: str) -> None:
    """Say which kinds of session are in fact resumed: a backend that issues none holds, and the report says so."""
    resumed = [
        f"{kept.kind} (TLS {kept.tls})"
        for kept in backend.sessions(credential)
        if kept.session is not None and backend.instance.probe(credential, kept.tls, _resuming(kept)).resumed
    ]
    trial.note(f"{whose}: resumed by {', '.join(resumed)}" if resumed else f"{whose}: no session was resumed")
