"""``check --server`` on Apache and HAProxy in their stock configuration: exactly what was measured on them by hand."""

from __future__ import annotations

import pytest

from .checks import Check, Checks, require

PROGRAMS = {"apache": "apache2", "haproxy": "haproxy"}

TRAP = {(f"rotation/{name}", "gateway") for name in ("both-old-first", "both-new-first", "drill", "switch")}
"""OpenSSL knows the first of several certificates of one name."""

DEPTH = {
    (name, "private-ca")
    for name in ("chain/depth-2", "chain/depth-3", "chain/depth-4", "trust/bundle-with-intermediates")
}
"""SSLVerifyDepth is 1 unless it is set, which takes no intermediate."""

FAILED = {"apache": TRAP | DEPTH, "haproxy": TRAP}
UNCLEAR = {
    "apache": {(f"chain/{name}", "private-ca") for name in ("leaf-as-issuer", "path-length", "expired-intermediate")},
    "haproxy": set[tuple[str, str]](),
}


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Checks:
    """Carries out checks."""
    return Checks(tmp_path_factory)


@pytest.fixture(params=sorted(PROGRAMS))
def server(request: pytest.FixtureRequest) -> str:
    """Each server in turn, where it is installed."""
    name: str = request.param
    require(PROGRAMS[name])
    return name


@pytest.fixture
def check(checks: Checks, server: str) -> Check:
    """The server in both profiles."""
    return checks("--server", server, "--profile", "all")


def with_outcome(check: Check, outcome: str) -> set[tuple[str, str]]:
    """The scenarios, with their profiles, that ended so."""
    return {key for key, found in check.outcomes().items() if found == outcome}


def test_exactly_the_measured_findings_fail(check: Check, server: str) -> None:
    """No more and no less."""
    assert (check.code, with_outcome(check, "failed")) == (1, FAILED[server])


def test_what_has_no_twin_at_the_default_depth_is_inconclusive(check: Check, server: str) -> None:
    """A refusal that may be about the depth proves nothing."""
    assert with_outcome(check, "inconclusive") == UNCLEAR[server]


def test_sessions_outlive_their_certificate(check: Check) -> None:
    """OpenSSL does not look at notAfter on resumption."""
    expected = {("resumption/after-expiry", profile) for profile in ("gateway", "private-ca")}
    assert with_outcome(check, "warned") == expected


def test_refusal_is_an_alert(check: Check) -> None:
    """Both say by alert that a certificate is required."""
    alerts = {tls: probe["alert"]["number"] for tls, probe in check.probes("presence/no-certificate").items()}
    assert alerts == {"1.2": 40, "1.3": 116}


def test_nothing_is_left_behind(check: Check) -> None:
    """No process, no temporary file, no word on the error output."""
    assert (check.left_behind, check.errors) == ((), "")
