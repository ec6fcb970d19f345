"""Whether a changed truststore counts."""

from __future__ import annotations

from ..harness.scenario import BOTH, MUST, scenario
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
