"""Only certificates that the truststore stands for."""

from __future__ import annotations

from cryptography import x509

from ..harness.errors import NotApplicable
from ..harness.pki.gateway_certificate import GATEWAY_NAME
from ..harness.scenario import BOTH, GATEWAY, MUST, scenario
from ..harness.trial import Trial

_COMPARE_KEYS = """Verify the certificate against the truststore, or compare its SHA-256 fingerprint with the pinned one. Names,
serial numbers and dates prove nothing: every API Gateway certificate of every AWS customer bears the name C=US, L=Seattle,
CN=ApiGateway, and the rest of a certificate is readable by anyone with API access."""

_FAIL_CLOSED = """Refuse to start, or refuse everybody, when the truststore is missing or holds no certificate. A server that
switches verification off then is open to all after one failed deployment."""


@scenario(
    level=MUST,
    profiles=(GATEWAY,),
    references=("RFC 5280 6.1", "API Gateway: generate a client certificate"),
    remedy="""Accept a pinned certificate as it is: X.509 v3 without any extension, self-signed. Do not ask for
    basicConstraints, key usage or an EKU; the profile of API Gateway's certificates has not changed since 2016.""",
)
def gateway_certificate(mtls_trial: Trial) -> None:
    """A gateway certificate in the truststore MUST be accepted, under every TLS version.

    v3 without any extension, RSA-2048, SHA-256, 365 days, DN C=US, L=Seattle, CN=ApiGateway; GET the path.
    """
    if not mtls_trial.can_start:
        _require_gateway_certificate(mtls_trial.good.leaf)
        mtls_trial.backend.accepts(mtls_trial.good)
        return
    gateway = mtls_trial.new_gateway("gateway certificate")
    with mtls_trial.start(gateway.leaf) as backend:
        backend.accepts(gateway)


def _require_gateway_certificate(given: x509.Certificate) -> None:
    """Any other certificate that is let in proves nothing about API Gateway's."""
    if given.issuer != GATEWAY_NAME or given.subject != GATEWAY_NAME or list(given.extensions):
        raise NotApplicable(
            f"the given client certificate ({given.subject.rfc4514_string()}) is none of API Gateway's: "
            "they are self-signed, named C=US, L=Seattle, CN=ApiGateway, and have no extension"
        )


@scenario(level=MUST, profiles=(GATEWAY,), references=("RFC 5280 6.1",), remedy=_COMPARE_KEYS)
def other_customer_same_name(mtls_trial: Trial) -> None:
    """Another AWS customer's gateway certificate MUST be refused.

    The same DN, its own key and serial, not in the truststore. Ideal: unknown_ca(48).
    """
    mtls_trial.backend.rejects(mtls_trial.defect("other-customer"))


@scenario(level=MUST, profiles=(GATEWAY,), references=("RFC 5280 6.1",), remedy=_COMPARE_KEYS)
def copied_serial_and_dates(mtls_trial: Trial) -> None:
    """A self-signed copy of the trusted certificate with another key MUST be refused.

    DN, serial and dates are equal, the key is not. Ideal: unknown_ca(48).
    """
    mtls_trial.backend.rejects(mtls_trial.defect("copied-serial-and-dates"))


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 5280 6.1", "RFC 8446 4.4.2.4"),
    remedy="""Verify the certificate; do not only ask for one. nginx: 'on', not 'optional_no_ca'; Go:
    RequireAndVerifyClientCert, not RequireAnyClientCert; Node: rejectUnauthorized true.""",
)
def self_signed_stranger(mtls_trial: Trial) -> None:
    """A fresh self-signed certificate of an unknown name MUST be refused.

    Random DN, its own key. Ideal: unknown_ca(48).
    """
    mtls_trial.backend.rejects(mtls_trial.defect("stranger"))


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 5280 6.1", "RFC 8446 4.4.2"),
    remedy="""Take the peer's identity from its own certificate, the first on the wire, and verify that one. A known certificate
    somewhere in the chain proves nothing: anyone can send it along (CVE-2023-2422 class).""",
)
def pinned_certificate_in_chain(mtls_trial: Trial) -> None:
    """A stranger who sends the trusted certificate along in its chain MUST be refused.

    Chain of a stranger's leaf, with its own key, followed by the trusted certificate. Ideal: unknown_ca(48).
    """
    mtls_trial.backend.rejects(mtls_trial.defect("pinned-certificate-in-chain"))


@scenario(level=MUST, profiles=BOTH, needs=("start",), references=("CVE-2026-27586",), remedy=_FAIL_CLOSED)
def missing_truststore(mtls_trial: Trial) -> None:
    """A backend whose truststore file is missing MUST NOT serve anybody.

    Start with a truststore path that does not exist; if it starts: no certificate, a stranger, a gateway certificate.
    """
    _nobody_enters(mtls_trial, None, "missing truststore")


@scenario(level=MUST, profiles=BOTH, needs=("start",), references=("CVE-2026-27586",), remedy=_FAIL_CLOSED)
def empty_truststore(mtls_trial: Trial) -> None:
    """A backend whose truststore is an empty file MUST NOT serve anybody.

    Start with a truststore of 0 octets; if it starts: no certificate, a stranger, a gateway certificate.
    """
    _nobody_enters(mtls_trial, b"", "empty truststore")


def _nobody_enters(trial: Trial, truststore: bytes | None, what: str) -> None:
    with trial.try_start(truststore, what) as backend:
        if backend is not None:
            backend.rejects(None)
            backend.rejects(trial.defect("stranger"))
            backend.rejects(trial.good)
