"""Certificates made for something else."""

from __future__ import annotations

from ..harness.scenario import MUST, PRIVATE_CA, scenario
from ..harness.trial import Trial


@scenario(
    level=MUST,
    profiles=(PRIVATE_CA,),
    needs=("start",),
    references=("RFC 5280 4.2.1.12", "CVE-2022-21657"),
    remedy="""Let the verifier check for the purpose of a TLS client: OpenSSL does so by default, Go by
    ExtKeyUsageClientAuth. Otherwise every web server with a certificate of the same authority is a gateway.""",
)
def no_client_usage(mtls_trial: Trial) -> None:
    """A certificate whose extended key usage lacks clientAuth MUST be refused.

    A leaf of the trusted authority whose EKU is serverAuth only, then emailProtection only. Ideal:
    unsupported_certificate(43).
    """
    for defect in ("wrong-usage", "email-usage"):
        mtls_trial.backend.rejects(mtls_trial.defect(defect))
