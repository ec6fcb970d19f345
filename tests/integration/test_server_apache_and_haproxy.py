"""How Apache and HAProxy refuse; what they are known to do wrong stands in ``test_known_findings.py``."""

from __future__ import annotations

import pytest

from .checks import Check, Checks, require_server


@pytest.fixture(params=["apache", "haproxy"])
def server(request: pytest.FixtureRequest) -> str:
    """Each server in turn, where it is installed."""
    name: str = request.param
    return require_server(name).name


@pytest.fixture
def check(checks: Checks, server: str) -> Check:
    """The server in both profiles."""
    return checks("--server", server, "--profile", "all")


def test_refusal_is_an_alert(check: Check) -> None:
    """Both say by alert that a certificate is required."""
    alerts = {tls: probe["alert"]["number"] for tls, probe in check.probes("presence/no-certificate").items()}
    assert alerts == {"1.2": 40, "1.3": 116}
