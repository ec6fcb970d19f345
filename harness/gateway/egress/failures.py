"""AWS's words for what went wrong between gateway and backend: the table of the contract's section 6."""

from __future__ import annotations

from ...tls.alerts import alert_name
from .model import Failure

__all__ = ["ALERTED", "CLOSED", "NO_ADDRESS", "TIMED_OUT", "TLS_TROUBLE", "alert_failure", "certificate_failure"]

ALERTED = "configuration error: Received fatal alert: "
"""What stands before the alert's name."""
CLOSED = Failure("network-error", "a network error communicating with endpoint: Connection is closed")
"""Refused, reset, closed without alert or answer; also what is no HTTP/1.1 answer."""
TIMED_OUT = Failure("timeout", "a timeout error")
NO_ADDRESS = Failure("configuration-error", "configuration error: Invalid endpoint address")
TLS_TROUBLE = Failure("configuration-error", "configuration error: General SSLEngine problem")
"""Our own TLS library refused to go on."""

_NO_PATH = Failure(
    "configuration-error",
    "configuration error: PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: "
    "unable to find valid certification path to requested target",
)
_OUT_OF_VALIDITY = Failure(
    "configuration-error",
    "configuration error: PKIX path validation failed: java.security.cert.CertPathValidatorException: "
    "validity check failed",
)


def alert_failure(number: int) -> Failure:
    """The backend ended TLS by this alert."""
    return Failure("configuration-error", f"{ALERTED}{alert_name(number)}")


def certificate_failure(verdict: str, host: str, subject: str) -> Failure:
    """The backend's certificate was judged so; *subject* as Java writes it."""
    if verdict in ("expired", "not-yet-valid"):
        return _OUT_OF_VALIDITY
    if verdict == "host-mismatch":
        return Failure(
            "configuration-error",
            f"configuration error: Host name '{host}' does not match the certificate subject provided by the peer "
            f"({subject})",
        )
    return _NO_PATH
