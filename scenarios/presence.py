"""Nobody gets in without a certificate."""

from __future__ import annotations

from ..harness.scenario import BOTH, MUST, scenario
from ..harness.trial import Trial


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 8446 4.4.2.4", "RFC 5246 7.4.6"),
    remedy="""Make the client certificate required, not optional: nginx 'ssl_verify_client on', Apache 'SSLVerifyClient
    require', HAProxy 'verify required', Node 'requestCert: true, rejectUnauthorized: true', Go
    'tls.RequireAndVerifyClientCert', Java 'setNeedClientAuth(true)'.""",
)
def no_certificate(mtls_trial: Trial) -> None:
    """A client that presents no certificate MUST be refused.

    Full handshake, empty Certificate message, GET the path. Ideal: handshake_failure(40) in TLS 1.2,
    certificate_required(116) in TLS 1.3.
    """
    mtls_trial.backend.rejects(None)


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 8446 4.3.2", "RFC 5246 7.4.4"),
    remedy="""Ask for the certificate in the first handshake of every connection. API Gateway presents nothing unless it is
    asked; asking later, by renegotiation or post-handshake authentication (as Apache does for SSLVerifyClient inside
    <Location>), is not known to work with it.""",
)
def certificate_requested(mtls_trial: Trial) -> None:
    """The backend MUST send a CertificateRequest in the first handshake, under every TLS version.

    Full handshake with the good credential; note whether CertificateRequest comes.
    """
    backend = mtls_trial.backend
    for tls in backend.versions:
        seen = backend.observe(mtls_trial.good, tls)
        backend.shows(
            "certificate request", seen, seen.certificate_requested, "CertificateRequest sent", "no CertificateRequest"
        )
