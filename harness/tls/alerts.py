"""TLS alerts by number: the registry of RFC 8446 6 and RFC 5246 7.2, with IANA's later additions."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLOSE_NOTIFY", "Alert", "alert_name"]

CLOSE_NOTIFY, USER_CANCELED = 0, 90

_NAMES = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    52: "too_many_cids_requested",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that the peer sent, and the phase in which we read it. ``fatal`` ends the connection (RFC 8446 6)."""

    number: int
    fatal: bool
    phase: str

    @property
    def name(self) -> str:
        """The registered name."""
        return alert_name(self.number)

    def __str__(self) -> str:
        return f"alert {self.number} {self.name}"


def alert_name(number: int) -> str:
    """The registered name of an alert; ``unassigned`` for a number without one."""
    return _NAMES.get(number, "unassigned")
