"""What of AWS's behaviour is not public, and so can be chosen: ``--set NAME=VALUE`` and ``PATCH /_mtls/settings``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import UsageError

__all__ = ["SettingError", "Settings", "parse_assignments"]

Value = str | int | bool
_MOST = 2**31 - 1


class SettingError(ValueError):
    """An unknown setting or an unfit value; the text is one line for the user."""


def _choice(default: Value, *others: Value) -> Any:
    words: tuple[Value, ...] = (default, *others)

    def check(value: object) -> Value:
        for word in words:
            # 1 == True in Python; a switch takes no number and a status no boolean.
            if value == word and isinstance(value, type(word)):
                return word
        raise SettingError(f"expected {' or '.join(_shown(word) for word in words)}, saw {_shown(value)}")

    return field(default=default, metadata={"check": check})


def _number(default: int) -> Any:
    def check(value: object) -> Value:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
            return value
        raise SettingError(f"expected a whole number from 0 to {_MOST}, saw {_shown(value)}")

    return field(default=default, metadata={"check": check})


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the mock gateway with their defaults. The names are the contract's, section 9."""

    certificate_pem_newlines: str = _choice("crlf", "lf")
    """Line ends of ``pemEncodedCertificate``; ``lf`` puts one behind the last line too."""
    quota_client_certificates: int = _number(60)
    """Generated certificates per account and region, AWS's default quota."""
    delete_attached_status: int = _choice(400, 409)
    """Answer to deleting a certificate that a stage uses: BadRequestException or ConflictException."""
    ca_names: str = _choice("ignore", "strict")
    """Whether the backend's list of acceptable issuers decides if the certificate goes out, as a Java client's does."""
    present_expired: bool = _choice(True, False)
    """Whether an expired certificate still goes out; an empty Certificate instead if not."""
    alert_status: int = _choice(500, 504)
    """The caller's status after the backend sent a fatal alert."""
    close_status: int = _choice(504, 500)
    """The caller's status after the backend closed without alert or answer."""
    http_api_error_status: int = _choice(503, 500, 504)
    """The caller's status for a failed integration of an HTTP API."""
    disabled_http_api_status: int = _choice(404, 403)
    """The status of an HTTP API's default endpoint once it is disabled."""
    propagation_ms: int = _number(0)
    """For so long after a stage update the former certificate is presented."""
    linger_ms: int = _number(0)
    """For so long after a stage update connections with the former certificate may be reused."""
    redeploy_required: bool = _choice(False, True)
    """Whether another certificate counts only from the next deployment to the stage on."""
    disable_needs_deployment: bool = _choice(True, False)
    """Whether ``disableExecuteApiEndpoint`` acts only from the next deployment or stage update on."""
    egress_resumption: bool = _choice(False, True)
    """Whether TLS sessions with backends are resumed, within one certificate's pool."""
    skip_needs_root: bool = _choice(True, False)
    """Whether insecureSkipVerification still wants a chain that ends in a root."""
    max_timeout_ms: int = _number(29_000)
    """The longest ``timeoutInMillis``; AWS raises it on request for regional APIs."""
    domain_update_ms: int = _number(300)
    """How long a custom domain stays UPDATING."""
    max_truststore_certificates: int = _number(1_000)
    """Certificates in the truststore of a custom domain."""
    max_truststore_bytes: int = _number(1_048_576)
    """Octets of the truststore of a custom domain."""
    max_chain: int = _number(4)
    """CA certificates in a client's chain at a custom domain."""
    check_eku: bool = _choice(False, True)
    """Whether a custom domain refuses a leaf whose EKU lacks clientAuth."""
    client_cert_dn: str = _choice("certificate", "rfc2253")
    """Order of the DNs in ``clientCert``."""
    client_cert_serial: str = _choice("openssl", "hex", "decimal")
    """How ``clientCert.serialNumber`` is written."""

    def changed(self, values: Mapping[str, object]) -> Settings:
        """These settings with *values*, all or nothing. Raises SettingError for an unknown name or an unfit value."""
        checks = _checks()
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in checks:
                raise SettingError(f"{name}: expected a setting's name, saw none of: {', '.join(checks)}")
            try:
                checked[name] = checks[name](value)
            except SettingError as error:
                raise SettingError(f"{name}: {error}") from None
        return replace(self, **checked)

    def as_json(self) -> dict[str, Value]:
        """Every setting by its name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def _checks() -> dict[str, Callable[[object], Value]]:
    return {one.name: one.metadata["check"] for one in fields(Settings)}


def parse_assignments(words: Iterable[str], settings: Settings = Settings()) -> Settings:
    """*settings* changed by words like ``ca_names=strict``. Raises UsageError for a word that does not fit."""
    for word in words:
        name, separator, text = word.partition("=")
        value: Value = {"true": True, "false": False}.get(text.lower(), text)
        if text.isascii() and text.isdecimal():
            value = int(text)
        try:
            if not separator:
                raise SettingError("expected NAME=VALUE, saw no '='")
            settings = settings.changed({name: value})
        except SettingError as error:
            raise UsageError(f"--set ({word}): {error}. See docs/gateway.md for the settings.") from None
    return settings
