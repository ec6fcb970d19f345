"""Whether a changed truststore counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ..harness.pki.truststore import Truststore
from ..harness.scenario import BOTH, INFO, MUST, scenario
from ..harness.trial import Trial


@scenario(
    level=MUST,
    profiles=BOTH,
    needs=("reload",),
    references=("API Gateway: rotate an expiring client certificate",),
    remedy="""Make the declared reload read the truststore anew and replace the old one, in every worker, within --reload-within
    seconds; or declare --reload restart.""",
)
def replacement_takes_effect(mtls_trial: Trial) -> None:
    """After the truststore was replaced and reloaded, the new credential MUST be accepted and the old one refused.

    [old] replaced by [new] in one atomic step, then the declared reload. This is the rotation that works on OpenSSL-based
    servers too.
    """
    old, new = mtls_trial.generation("old credential"), mtls_trial.generation("new credential")
    with mtls_trial.start(old.anchor) as backend:
        backend.accepts(old.credential, "old credential, before the reload")
        backend.reload(new.anchor)
        backend.accepts(new.credential)
        backend.rejects(old.credential, times=30)


@scenario(
    level=MUST,
    profiles=BOTH,
    needs=("reload",),
    references=("quarkus issue 45565",),
    remedy="""Let the reload carry over everything that concerns client authentication, not the certificates alone.""",
)
def unchanged_truststore(mtls_trial: Trial) -> None:
    """A reload with an unchanged truststore MUST change no verdict.

    Reload with the same truststore; no certificate, a stranger, the good credential.
    """
    good = mtls_trial.generation("good credential")
    with mtls_trial.start(good.anchor) as backend:
        backend.accepts(good.credential, "good credential, before the reload")
        backend.reload(good.anchor, matters=False)
        backend.rejects(None)
        backend.rejects(mtls_trial.defect("stranger"))
        backend.accepts(good.credential)


@scenario(
    level=INFO,
    profiles=BOTH,
    needs=("start",),
    references=("API Gateway: rotate an expiring client certificate, step 2",),
    remedy="""Nothing to mend. Know before a rotation what it takes: AWS's guide says that some servers need a restart.""",
)
def needs_restart(mtls_trial: Trial) -> Iterator[datetime]:
    """How a changed truststore comes into effect: by itself, by the declared reload, or only by a restart.

    Change the truststore file and do nothing else for a while; then the declared reload.
    """
    old, new = mtls_trial.generation("old credential"), mtls_trial.generation("new credential")
    with mtls_trial.start(old.anchor) as backend:
        backend.accepts(old.credential, "old credential")
        # without the old one, or the rotation trap would look like a restart that is needed
        backend.change_file(new.anchor)
        yield mtls_trial.later(mtls_trial.patience)
        if backend.lets_in(new.credential):
            mtls_trial.note(f"notices a changed truststore by itself, within {mtls_trial.patience:g} s")
            return
        reloaded = backend.reload(new.anchor, matters=False)
        how = "a restart" if reloaded.by_restart else "the declared reload"
        seen = "takes" if reloaded.in_effect else "does not even take"
        mtls_trial.note(f"{seen} a changed truststore over by {how} ({reloaded.milliseconds:.0f} ms); not by itself")


@scenario(
    level=MUST,
    profiles=BOTH,
    needs=("reload",),
    references=("RFC 5280 6.1",),
    remedy="""When the new truststore cannot be read, keep the last good one, refuse everybody, or stop; never go on without
    verification. Half-copied files happen during rotations.""",
)
def broken_bundle_fails_closed(mtls_trial: Trial) -> None:
    """A reload with a broken truststore MUST NOT open the backend.

    Reload with a PEM cut in half, then with 0 octets; no certificate, a stranger. A backend that stops listening holds too.
    """
    good = mtls_trial.generation("good credential")
    whole = Truststore((good.anchor,)).pem
    for what, content in (("PEM cut in half", whole[: len(whole) // 2]), ("empty file", b"")):
        with mtls_trial.start(good.anchor) as backend:
            backend.accepts(good.credential, "good credential, before the reload")
            backend.reload_broken(content, what, strangers=(None, mtls_trial.defect("stranger")))
