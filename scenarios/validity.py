"""Time: certificates count from notBefore to notAfter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ..harness.scenario import BOTH, MUST, scenario
from ..harness.trial import Trial

_CHECK_DATES = """Check the dates of the client's certificate on every handshake, also when it is itself in the truststore. Java's
PKIX trust manager does not look at the dates of a trust anchor: call checkValidity() on the peer's certificate yourself, or
trust a private authority instead of the certificate."""


@scenario(level=MUST, profiles=BOTH, needs=("start",), references=("RFC 5280 6.1.3(a)(2)",), remedy=_CHECK_DATES)
def expired(mtls_trial: Trial) -> None:
    """An expired certificate MUST be refused, also when it is itself in the truststore.

    gateway: truststore of the expired gateway certificate and a control of another name; private-ca: a leaf that ended
    yesterday. Ideal: certificate_expired(45).
    """
    _refused(mtls_trial, "expired")


@scenario(level=MUST, profiles=BOTH, needs=("start",), references=("RFC 5280 6.1.3(a)(2)",), remedy=_CHECK_DATES)
def not_yet_valid(mtls_trial: Trial) -> None:
    """A certificate that is not valid yet MUST be refused, also when it is itself in the truststore.

    As validity/expired, valid from tomorrow. Ideal: bad_certificate(42) or certificate_expired(45).
    """
    _refused(mtls_trial, "not-yet-valid")


@scenario(level=MUST, profiles=BOTH, needs=("start",), references=("RFC 5280 4.1.2.5",), remedy=_CHECK_DATES)
def expires_while_running(mtls_trial: Trial) -> Iterator[datetime]:
    """A certificate that expires while the backend runs MUST be accepted before and refused after, without a reload.

    A credential with seconds left: once at start, once after notAfter, a new full handshake each. Ideal:
    certificate_expired(45).
    """
    short = mtls_trial.short_lived()
    with mtls_trial.start(short.anchor) as backend:
        mtls_trial.accepts_while_valid(backend, short)
        yield short.over
        backend.rejects(short.credential, "credential, after it expired")


def _refused(trial: Trial, defect: str) -> None:
    credential = trial.defect(defect)
    if trial.sample.hierarchy is not None:
        trial.backend.rejects(credential)
        return
    with trial.start(credential.leaf) as backend:
        backend.rejects(credential)
