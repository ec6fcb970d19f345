"""Path building and validation."""

from __future__ import annotations

from ..harness.scenario import BOTH, MUST, scenario
from ..harness.trial import Trial


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 5280 6.1.3(a)(1)",),
    remedy="""Verify signatures, or compare whole certificates by fingerprint. Who compares the public key alone takes every
    name and date that the key's owner likes to write.""",
)
def tampered(mtls_trial: Trial) -> None:
    """The trusted certificate, altered after it was signed, MUST be refused.

    One octet of the subject changed, then one of the signature; the key is its own. Ideal: decrypt_error(51),
    bad_certificate(42) or unknown_ca(48).
    """
    if list(mtls_trial.good.leaf.subject):
        mtls_trial.backend.rejects(mtls_trial.defect("tampered-subject"))
    else:
        mtls_trial.note("the credential has an empty subject: only its signature was altered")
    mtls_trial.backend.rejects(mtls_trial.defect("tampered-signature"))
