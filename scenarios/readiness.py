"""Soft findings: works today, breaks soon or only with the real gateway."""

from __future__ import annotations

from datetime import timedelta

from ..harness.scenario import BOTH, SHOULD, scenario
from ..harness.trial import Trial

_NOTICE = timedelta(days=30)


@scenario(
    level=SHOULD,
    profiles=BOTH,
    references=("API Gateway: rotate an expiring client certificate", "CloudSploit: API Gateway Certificate Rotation"),
    remedy="""Rotate now: generate a new client certificate, let the backend trust it, switch the stage, then remove the old one.
    AWS sends no notice for generated certificates; CloudSploit warns 30 days ahead.""",
)
def gateway_certificate_expiry(mtls_trial: Trial) -> None:
    """The gateway's certificate SHOULD be valid for more than 30 days yet.

    notAfter of the good credential and of every certificate that it sends.
    """
    backend, now = mtls_trial.backend, mtls_trial.bench.clock()
    seen = backend.observe(mtls_trial.good, backend.versions[0])
    for certificate in mtls_trial.good.certificates:
        left = certificate.not_valid_after_utc - now
        words = f"{certificate.subject.rfc4514_string()} has {left.days} days left"
        backend.shows("validity of the good credential", seen, left > _NOTICE, words, f"{words}; expected more than 30")
