"""TLS alerts by number."""

from __future__ import annotations

import pytest

from pytest_mtls.harness.tls.alerts import CLOSE_NOTIFY, Alert, alert_name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "close_notify"),
        (40, "handshake_failure"),
        (42, "bad_certificate"),
        (43, "unsupported_certificate"),
        (44, "certificate_revoked"),
        (45, "certificate_expired"),
        (46, "certificate_unknown"),
        (48, "unknown_ca"),
        (49, "access_denied"),
        (50, "decode_error"),
        (51, "decrypt_error"),
        (70, "protocol_version"),
        (80, "internal_error"),
        (90, "user_canceled"),
        (112, "unrecognized_name"),
        (116, "certificate_required"),
    ],
)
def test_an_alert_has_its_registered_name(number: int, name: str) -> None:
    """The names that a refusal of a client certificate can bear, as RFC 8446 6 has them."""

    assert alert_name(number) == name


@pytest.mark.parametrize("number", [1, 47_000, 255, -1])
def test_an_unregistered_number_is_unassigned(number: int) -> None:
    """A peer may send any number; that is no error of ours."""

    assert alert_name(number) == "unassigned"


def test_no_name_is_given_twice() -> None:
    """Each of the 256 numbers is either unassigned or has a name of its own."""

    names = [name for name in map(alert_name, range(256)) if name != "unassigned"]
    assert len(names) == len(set(names)) > 30


def test_close_notify_is_number_0() -> None:
    """It is the one alert that is no complaint."""

    assert alert_name(CLOSE_NOTIFY) == "close_notify"


def test_an_alert_reads_as_number_and_name() -> None:
    """Reports show both: people know the names, server logs often the number alone."""

    alert = Alert(48, fatal=True, phase="handshake")
    assert (str(alert), alert.name) == ("alert 48 unknown_ca", "unknown_ca")
