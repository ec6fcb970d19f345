"""What is seen of a backend before anything is judged, and that seeing it changes nothing of what is judged."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_mtls.harness.backend.faulty import start_faulty
from pytest_mtls.harness.pki.gateway_certificate import control_credential
from pytest_mtls.harness.report.sight import sight_lines

from .checks import Check, Checks, require
from .runs import UNRULY, Runs

ASKED = ("--scenario", "presence/certificate-requested")


def told(check: Check) -> dict[str, str]:
    """The lines on what was seen."""
    return dict(sight_lines(check.report["seen"], check.report["target"]["kind"]))


def test_http2_is_offered_in_the_survey_alone(tmp_path: Path) -> None:
    """Once for each TLS version; on all other connections there is no ALPN, so the server chooses nothing."""

    log = tmp_path / "alpn"
    runs = Runs(tmp_path)
    run = runs("check", "--command", f"{sys.executable} {UNRULY} --alpn-log {log}", *ASKED, "--json", "report.json")
    assert run.report is not None
    assert [one["application_protocol"] for one in run.report["seen"]["versions"]] == ["h2", "h2"]
    chosen = log.read_text().split()
    assert chosen.count("h2") == 2
    assert set(chosen) == {"h2", "None"}
    assert "  HTTP       1.1; chooses HTTP/2 by ALPN\n" in run.out


def test_tickets_are_told_by_version(checks: Checks) -> None:
    """Python's ssl gives tickets in TLS 1.2 whatever num_tickets says, which is about 1.3."""

    check = checks("--command", f"{sys.executable} {UNRULY}", *ASKED)
    assert {one["tls"]: one["session_ticket"] for one in check.report["seen"]["versions"]} == {
        "1.2": True,
        "1.3": False,
    }
    assert told(check)["sessions"] == "gives tickets (TLS 1.2 only)"
    assert told(check)["server"] == "no Server header"


def test_a_backend_that_asks_for_nothing_is_seen_to(checks: Checks) -> None:
    """The first thing that anybody wants to know."""

    check = checks("--fault", "no-request", *ASKED)
    assert told(check)["asks for"] == "no client certificate"


def test_one_version_alone_is_seen_when_one_was_selected(checks: Checks) -> None:
    """What was not tried is not told."""

    check = checks("--tls", "1.2", *ASKED)
    assert [one["tls"] for one in check.report["seen"]["versions"]] == ["1.2"]
    assert told(check)["TLS"].startswith("1.2 (ECDHE-")


def test_level_info_shows_a_running_backend_and_judges_nothing(tmp_path: Path) -> None:
    """Though all that is left needs a start: what is seen needs none. Its own certificate is news then."""

    good, runs = control_credential(), Runs(tmp_path)
    good.write(runs.folder, "client")
    with start_faulty(tmp_path / "server", (), good) as backend:
        options = ("--url", backend.url, "--client-cert", "client.pem", "--client-key", "client.key")
        run = runs("check", *options, "--level", "info", "--json", "report.json")
    assert run.report is not None
    assert run.code == 0
    assert set(run.report["summary"]) >= {"skipped"}
    assert run.report["seen"]["versions"][0]["certificate_requested"] is True
    assert "\nwhat I see\n" in run.out
    assert "  presents   CN=localhost" in run.out


def test_a_backend_that_was_never_reached_was_not_seen(checks: Checks) -> None:
    """Null, and no block."""

    check = checks("--command", f"{sys.executable} {UNRULY} --other-port", "--start-within", "1", *ASKED)
    assert check.report["seen"] is None
    assert "what I see" not in check.output


def test_nginx_is_seen_by_its_name(checks: Checks) -> None:
    """By the header that it sends, and the protocol that it chooses."""

    require("nginx")
    lines = told(checks("--server", "nginx", *ASKED))
    assert lines["server"].startswith("nginx/")
    assert lines["HTTP"] == "1.1; no HTTP/2: chooses http/1.1 by ALPN"


def test_many_issuers_are_told_in_a_few_words() -> None:
    """A truststore may have hundreds of names."""

    version = {
        "tls": "1.3",
        "negotiated": None,
        "certificate_requested": True,
        "acceptable_issuers": [f"CN={number}" for number in range(50)],
        "session_ticket": False,
        "application_protocol": None,
    }
    seen = {"versions": [version], "http": None, "server_header": None, "server_certificates": []}
    assert dict(sight_lines(seen, "command")) == {
        "TLS": "1.3",
        "asks for": "a client certificate, of CN=0, or CN=1, or CN=2 and 47 more",
        "HTTP": "no answer; no HTTP/2: chooses nothing by ALPN",
        "sessions": "gives no tickets",
        "server": "no Server header",
    }
    assert sight_lines(seen | {"versions": []}, "url") == [("TLS", "none of the versions selected")]
