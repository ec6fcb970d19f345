"""``check --command`` on servers as teams write them: in Go, Java and Python, right and wrong, sources in tests/servers."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_mtls.harness.scenario import Profile, catalogue

from .checks import SERVERS, Check, Checks, clean_environment, once, require

ROTATION = {one for one in catalogue() if one.startswith(("rotation/", "reload/"))}
GATEWAY = {one.id for one in catalogue().values() if Profile.GATEWAY in one.profiles}
LATE_REMOVAL = {"rotation/drill", "rotation/old-removed", "reload/replacement-takes-effect"}
"""What a reload that only adds gets wrong."""

_BUILD_SECONDS = 180
_VARIABLES = ("MTLS_HOST", "MTLS_PORT", "MTLS_SERVER_CERT", "MTLS_SERVER_KEY", "MTLS_TRUSTSTORE", "MTLS_CRL")


@pytest.fixture(scope="module")
def go(checks: Checks) -> str:
    """The Go server, built."""
    compiler = require("go")

    def build(folder: Path) -> None:
        own = {"GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(folder / "cache"), "GOPATH": str(folder / "path")}
        _run([compiler, "build", "-o", str(folder / "server"), str(SERVERS / "main.go")], own)

    return str(once(checks.folder, "go-server", build) / "server")


@pytest.fixture(scope="module")
def java(checks: Checks) -> str:
    """The Java server, compiled: the command that starts it."""
    compiler, machine = require("javac"), require("java")
    classes = once(
        checks.folder,
        "java-server",
        lambda folder: _run([compiler, "-d", str(folder), str(SERVERS / "MtlsServer.java")], {}),
    )
    return shlex.join([machine, "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", str(classes), "MtlsServer"])


@pytest.fixture
def java_check(checks: Checks, java: str) -> Check:
    """What is special about Java, in both profiles, and no more: a JVM takes its time to start."""
    wanted = ("rotation/both-*", "validity/*", "presence/no-certificate")
    return checks("--command", java, "--profile", "all", *(f"--scenario={one}" for one in wanted))


@pytest.fixture
def only_adds(checks: Checks) -> Check:
    """The Python server with a reload that adds to its truststore."""
    command = _python("--on-hangup=load-verify-locations")
    return checks("--command", command, "--reload=signal:HUP", "--scenario=rotation/*", "--scenario=reload/*")


def _run(words: list[str], environment: dict[str, str]) -> None:
    subprocess.run(words, env=clean_environment() | environment, timeout=_BUILD_SECONDS, check=True)


def _python(*options: str) -> str:
    return shlex.join([sys.executable, str(SERVERS / "python_server.py"), *options])


# --- Go: right in everything


@pytest.mark.parametrize(
    ("options", "how"), [((), "restart"), (("--reload", "signal:HUP"), "reload")], ids=["restart", "signal"]
)
def test_go_is_conformant_however_it_takes_over_a_truststore(
    checks: Checks, go: str, options: tuple[str, ...], how: str
) -> None:
    """Go trusts every certificate in its pool as it is: no trap. Without --reload it is started again."""
    check = checks("--command", go, *options)
    assert (check.code, check.summary["result"], check.ids("passed")) == (0, "conformant", GATEWAY)
    assert check.scenario("rotation/old-removed")["notes"][0].startswith(f"{how} in effect after ")


def test_placeholders_replace_the_environment(checks: Checks, go: str) -> None:
    """A server that takes its settings as options needs no environment."""
    without = [word for variable in _VARIABLES for word in ("-u", variable)]
    options = "-host={host} -port={port} -server-cert={server_cert} -server-key={server_key} -truststore={truststore}"
    command = f"{shlex.join(['env', *without, go])} {options}"
    check = checks("--command", command, "--reload", "signal:HUP", "--scenario", "rotation/both-*")
    assert (check.code, check.ids("passed")) == (0, {"rotation/both-old-first", "rotation/both-new-first"})


def test_go_gives_its_one_alert_for_everything(checks: Checks, go: str) -> None:
    """An alert says that the certificate was refused, not why."""
    check = checks("--command", go, "--reload", "signal:HUP")
    probes = [
        *check.probes("presence/no-certificate").values(),
        *check.probes("trust/other-customer-same-name").values(),
    ]
    assert len({probe["alert"]["number"] for probe in probes}) <= 2
    assert all(probe["alert"] for probe in probes)


# --- Java: no dates of an anchor


def test_java_knows_both_certificates_of_the_rotation(java_check: Check) -> None:
    """JSSE compares certificates, not names."""
    assert java_check.ids("passed") >= {"rotation/both-old-first", "rotation/both-new-first"}


def test_java_lets_in_a_pinned_certificate_whatever_its_dates(java_check: Check) -> None:
    """JSSE checks no dates of a trust anchor, and in profile gateway the certificate is its own anchor."""
    failed = {key for key, outcome in java_check.outcomes().items() if outcome == "failed"}
    dates = {"validity/expired", "validity/not-yet-valid", "validity/expires-while-running"}
    assert failed == {(name, "gateway") for name in dates}


def test_java_checks_the_dates_of_what_an_authority_issued(java_check: Check) -> None:
    """The remedy that the report offers helps."""
    outcomes = java_check.outcomes()
    assert [outcomes[f"validity/{name}", "private-ca"] for name in ("expired", "not-yet-valid")] == ["passed"] * 2


def test_java_is_nonconformant(java_check: Check) -> None:
    """An expired gateway certificate is a MUST."""
    assert (java_check.code, java_check.summary["result"]) == (1, "nonconformant")


def test_remedy_for_dates_names_java(java_check: Check) -> None:
    """A Java team reads what to call."""
    assert "checkValidity()" in java_check.scenario("validity/expired")["remedy"]


def test_java_closes_without_alert_or_answer(java_check: Check) -> None:
    """HttpsServer says nothing to whom it refuses."""
    probes = java_check.probes("presence/no-certificate").values()
    assert [(probe["alert"], probe["http"]) for probe in probes] == [(None, None)] * 2


# --- Python: one flag away from right, one call away from wrong


def test_python_with_partial_chain_is_conformant_by_restart(checks: Checks) -> None:
    """VERIFY_X509_PARTIAL_CHAIN springs the rotation trap."""
    check = checks("--command", _python())
    assert (check.code, check.summary["result"]) == (0, "conformant")
    assert check.ids("passed") == GATEWAY - {"resumption/after-expiry"}  # a warning: OpenSSL resumes after notAfter


def test_reload_that_only_adds_fails_where_something_was_removed(only_adds: Check) -> None:
    """load_verify_locations adds anchors and removes none."""
    assert (only_adds.code, only_adds.ids("failed")) == (1, LATE_REMOVAL)
    assert only_adds.ids("passed") == ROTATION - LATE_REMOVAL


def test_remedy_for_a_reload_that_only_adds_names_the_call(only_adds: Check) -> None:
    """A Python team reads what to do instead."""
    assert (
        "load_verify_locations on the context in use only adds" in only_adds.scenario("rotation/old-removed")["remedy"]
    )


def test_backend_that_dies_of_the_reload_signal_is_inconclusive(checks: Checks) -> None:
    """Who declares a reload that ends the server learns so, and nobody takes the silence for a refusal."""
    check = checks("--command", _python(), "--reload", "signal:HUP", "--scenario", "rotation/old-removed")
    assert (check.code, check.ids("inconclusive")) == (3, {"rotation/old-removed"})


def test_reason_says_that_the_backend_died_of_the_signal(checks: Checks) -> None:
    """The signal is named, so that the wrong --reload is found."""
    check = checks("--command", _python(), "--reload", "signal:HUP", "--scenario", "rotation/old-removed")
    assert "the command ended by SIGHUP" in check.scenario("rotation/old-removed")["reason"]


# --- the end


def test_nothing_is_left_behind(checks: Checks, go: str) -> None:
    """No process, no temporary file, no word on the error output."""
    check = checks("--command", go, "--reload", "signal:HUP")
    assert (check.left_behind, check.errors) == ((), "")
