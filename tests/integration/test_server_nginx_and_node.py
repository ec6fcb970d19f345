"""``check --server`` on nginx and Node in their stock configuration: right in everything but the rotation."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from pytest_mtls.harness.scenario import Profile, catalogue
from pytest_mtls.harness.wait import poll_until

from .checks import PROGRAM, Check, Checks, clean_environment, processes_of, require

TRAPPED = {"rotation/both-old-first": "new certificate", "rotation/both-new-first": "old certificate"}
"""What of the rotation fails, and which of the two certificates is refused: the second in the truststore."""

_SECONDS = 30

RELOADS = {"nginx": "reload", "node": "restart"}


@pytest.fixture(params=["nginx", "node"])
def server(request: pytest.FixtureRequest) -> str:
    """Each server in turn, where it is installed."""
    name: str = request.param
    require(name)
    return name


@pytest.fixture
def nginx(checks: Checks) -> Check:
    """nginx in profile gateway."""
    require("nginx")
    return checks("--server", "nginx")


@pytest.fixture
def node(checks: Checks) -> Check:
    """Node in profile gateway."""
    require("node")
    return checks("--server", "node")


@pytest.fixture
def gateway(checks: Checks, server: str) -> Check:
    """The server in profile gateway."""
    return checks("--server", server)


def _ids_of(profile: Profile) -> set[str]:
    return {one.id for one in catalogue().values() if profile in one.profiles}


# --- the verdict


def test_exit_code_and_summary_say_nonconformant(gateway: Check) -> None:
    """A MUST failed."""
    assert (gateway.code, gateway.summary["result"], gateway.summary["problems"]) == (1, "nonconformant", [])


def test_exactly_the_states_with_old_and_new_side_by_side_fail(gateway: Check) -> None:
    """The trap is the only finding: with both in the truststore, while the stage is switched, and so in the drill."""
    assert gateway.ids("failed") == {*TRAPPED, "rotation/drill", "rotation/switch"}


def test_sessions_that_outlive_their_certificate_are_the_only_warning(gateway: Check) -> None:
    """OpenSSL does not look at notAfter on resumption."""
    assert gateway.ids("warned") == {"resumption/after-expiry"}


def test_everything_else_of_the_profile_passes(gateway: Check) -> None:
    """Nothing is skipped, and nothing remains unclear."""
    others = _ids_of(Profile.GATEWAY) - gateway.ids("failed") - gateway.ids("warned")
    assert gateway.ids("passed") == others


def test_both_tls_versions_are_probed(gateway: Check) -> None:
    """These servers speak both, and every finding has a case for each."""
    assert gateway.report["target"]["tls"] == ["1.2", "1.3"]


@pytest.mark.parametrize("scenario", TRAPPED)
def test_first_of_two_certificates_is_accepted_and_second_refused(gateway: Check, scenario: str) -> None:
    """Order decides, not age."""
    by_place = {case["what"].partition(", ")[2]: case["outcome"] for case in gateway.scenario(scenario)["cases"]}
    assert by_place == {"first in the truststore": "passed", "second in the truststore": "failed"}


@pytest.mark.parametrize("scenario", TRAPPED)
def test_reason_names_the_refused_certificate(gateway: Check, scenario: str) -> None:
    """The reader learns which of the two it was."""
    reason = gateway.scenario(scenario)["reason"]
    assert reason.startswith(f"{TRAPPED[scenario]}, second in the truststore: expected accepted, saw rejected: ")


@pytest.mark.parametrize("scenario", TRAPPED)
def test_report_names_the_trap(gateway: Check, scenario: str) -> None:
    """It has a name to search for."""
    assert any("the rotation trap" in note for note in gateway.scenario(scenario)["notes"])


@pytest.mark.parametrize("scenario", TRAPPED)
def test_remedy_is_the_servers_own(gateway: Check, scenario: str, server: str) -> None:
    """nginx compares fingerprints, Node has a flag; each names the built-in server that shows it."""
    remedy = gateway.scenario(scenario)["remedy"]
    assert {"nginx": "$ssl_client_fingerprint", "node": "allowPartialTrustChain"}[server] in remedy
    assert f"--server {server}-pinned" in remedy


def test_terminal_shows_finding_note_and_remedy(gateway: Check) -> None:
    """Who reads only the terminal learns the same."""
    text = " ".join(gateway.output.split())
    for words in ("failed rotation/both-old-first (MUST)", "note the rotation trap", "-pinned shows it whole"):
        assert words in text


# --- evidence


@pytest.mark.parametrize(
    ("scenario", "what"), [("presence/no-certificate", None), ("trust/self-signed-stranger", "stranger")]
)
def test_nginx_rejects_by_http_400_after_a_complete_handshake(nginx: Check, scenario: str, what: str | None) -> None:
    """nginx shakes hands with everybody."""
    seen = {tls: (probe["http"]["status"], probe["alert"]) for tls, probe in nginx.probes(scenario, what).items()}
    assert seen == {"1.2": (400, None), "1.3": (400, None)}


def test_node_rejects_a_missing_certificate_by_alert(node: Check) -> None:
    """handshake_failure in TLS 1.2, certificate_required in TLS 1.3."""
    probes = node.probes("presence/no-certificate")
    assert {tls: probe["alert"]["number"] for tls, probe in probes.items()} == {"1.2": 40, "1.3": 116}


def test_node_closes_on_a_stranger_without_alert_or_answer(node: Check) -> None:
    """No reason is given on the wire, and none is made up."""
    probes = node.probes("trust/other-customer-same-name")
    assert {tls: (probe["alert"], probe["http"]) for tls, probe in probes.items()} == {
        "1.2": (None, None),
        "1.3": (None, None),
    }


def test_weaker_evidence_is_called_weaker(node: Check) -> None:
    """A close may also be a crash."""
    reason = node.scenario("trust/other-customer-same-name")["reason"]
    assert reason == "rejected: closed without alert or answer (weaker evidence)"


# --- reload


def test_note_says_how_the_truststore_was_taken_over(gateway: Check, server: str) -> None:
    """nginx by SIGHUP, Node by a restart."""
    notes = gateway.scenario("reload/replacement-takes-effect")["notes"]
    cost = ", N ms of them without service" if RELOADS[server] == "restart" else ""
    assert [re.sub(r"\d+ ms", "N ms", note) for note in notes] == [f"{RELOADS[server]} in effect after N ms{cost}"]


def test_timeline_tells_the_rotation_step_by_step(gateway: Check, server: str) -> None:
    """Start, the old one alone, the change, what it cost, then who is let in and who is not."""
    timeline = gateway.scenario("rotation/old-removed")["timeline"]
    steps = [event["event"].partition(":")[0].partition(" in effect")[0] for event in timeline]
    moments = [event["milliseconds"] for event in timeline]
    each = [", TLS 1.2", ", TLS 1.3"]
    assert steps == [
        "backend started with 2 certificates in its truststore",
        *(f"old certificate, before its removal{version}" for version in each),
        "truststore replaced by 1 certificate",
        RELOADS[server],
        *(f"old certificate{version}" for version in each),
        *(f"new certificate{version}" for version in each),
    ]
    assert moments == sorted(moments)


def test_only_a_server_that_stays_up_has_live_reload(gateway: Check, server: str) -> None:
    """The capabilities follow from how the server takes over a truststore."""
    live = "live-reload" in gateway.report["target"]["capabilities"]
    assert live is (RELOADS[server] == "reload")


# --- the other profiles


def test_node_is_conformant_with_a_private_ca(checks: Checks) -> None:
    """With a private CA there is no trap; that sessions outlive their certificate is a warning."""
    require("node")
    check = checks("--server", "node", "--profile", "private-ca")
    assert (check.code, check.summary["result"]) == (0, "conformant")
    assert check.ids("warned") == {"resumption/after-expiry"}
    assert check.ids("passed") == _ids_of(Profile.PRIVATE_CA) - check.ids("warned")


def test_nginx_takes_one_intermediate_at_its_default_depth(checks: Checks) -> None:
    """ssl_verify_depth is 1 unless it is set; what has no twin at that depth cannot be judged."""
    require("nginx")
    check = checks("--server", "nginx", "--profile", "private-ca")
    assert check.ids("failed") == {"chain/depth-3", "chain/depth-4", "trust/bundle-with-intermediates"}
    assert check.ids("inconclusive") == {"chain/path-length"}
    assert "ssl_verify_depth" in check.scenario("chain/depth-3", "private-ca")["remedy"]


def test_profile_all_is_the_sum_of_the_profiles(checks: Checks, nginx: Check) -> None:
    """One run over all finds what the runs of their own find."""
    apart = nginx.outcomes() | checks("--server", "nginx", "--profile", "private-ca").outcomes()
    together = checks("--server", "nginx", "--profile", "all", "--scenario=[trv]*/[abe]*")
    expected = {key: outcome for key, outcome in apart.items() if re.match("[trv].*/[abe]", key[0])}
    assert {profile for _, profile in expected} == {"gateway", "private-ca"}
    assert (together.code, together.outcomes()) == (1, expected)


# --- the end


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT,), (signal.SIGHUP,), (signal.SIGTERM, signal.SIGTERM)],
    ids=["Ctrl-C", "closed terminal", "timeout(1), which signals twice"],
)
def test_check_that_is_ended_leaves_nothing_behind(signals: tuple[signal.Signals, ...], tmp_path: Path) -> None:
    """Exit code 3, no process, no temporary file."""
    require("nginx")
    if any(signal.getsignal(number) is signal.SIG_IGN for number in signals):
        pytest.skip("these tests run in the background, where this signal is ignored")
    output, temporary = tmp_path / "output", tmp_path / "temporary"
    temporary.mkdir()
    with output.open("wb") as file:
        process = subprocess.Popen(
            [PROGRAM, "check", "--server", "nginx"],
            stdout=file,
            stderr=file,
            env=clean_environment() | {"TMPDIR": str(temporary)},
        )
    assert poll_until(lambda: b"passed" in output.read_bytes(), _SECONDS)
    for number in signals:
        process.send_signal(number)
    assert process.wait(timeout=_SECONDS) == 3
    assert [*temporary.iterdir(), *processes_of(temporary)] == []


def test_nothing_is_left_behind(gateway: Check) -> None:
    """No process, no temporary file, no word on the error output."""
    assert (gateway.left_behind, gateway.errors) == ((), "")
