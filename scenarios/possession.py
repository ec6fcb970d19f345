"""A certificate is public; the key is what counts."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import rsa

from ..harness.errors import NotApplicable
from ..harness.scenario import BOTH, MUST, scenario
from ..harness.trial import Trial


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 8446 4.4.3", "RFC 5246 7.4.8", "CVE-2014-7189"),
    remedy="""Let the TLS library ask for the client certificate and verify the client's signature. An application that reads the
    certificate from elsewhere (a header, a message) has no proof that the sender owns its key.""",
)
def copied_certificate(mtls_trial: Trial) -> None:
    """The trusted certificate without its key MUST be refused.

    The right modulus and wrong exponents: an invalid CertificateVerify. Ideal: decrypt_error(51).
    """
    if not isinstance(mtls_trial.good.key, rsa.RSAPrivateKey):
        raise NotApplicable("the credential has an EC key; a wrong signature can be sent for RSA only")
    mtls_trial.backend.rejects(mtls_trial.defect("copied-certificate"))
