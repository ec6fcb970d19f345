"""The five steps of AWS's rotation on one running server: nginx (by SIGHUP) and Node (by restart), and what is in the timeline."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .checks import Check, Checks, require

BY_RESTART = {"nginx": False, "node": True}
STEPS = ["step 1, generate", "step 2, add", "step 2, add", "step 3, switch", "step 4, remove", "step 5, delete"]


@pytest.fixture(params=sorted(BY_RESTART))
def server(request: pytest.FixtureRequest) -> str:
    """Each server in turn, where it is installed."""
    name: str = request.param
    require(name)
    return name


@pytest.fixture
def drill(checks: Checks, server: str) -> dict[str, Any]:
    """The drill in the report on the server."""
    return checks("--server", server, "--scenario", "rotation/drill").scenario("rotation/drill")


def events_of(drill: dict[str, Any]) -> list[str]:
    """The texts of the timeline, which has to be in order of time."""
    moments = [event["milliseconds"] for event in drill["timeline"]]
    assert moments == sorted(moments)
    return [event["event"] for event in drill["timeline"]]


def test_timeline_tells_the_five_steps_in_order(drill: dict[str, Any]) -> None:
    """One backend is started, and goes through all of them."""
    events = events_of(drill)
    assert [event.partition(":")[0] for event in events if event.startswith("step ")] == STEPS
    assert sum(event.startswith("backend started") for event in events) == 1


def test_every_change_of_the_truststore_says_how_it_came_into_effect(drill: dict[str, Any], server: str) -> None:
    """Old and new in both orders, and new alone; a restart says how long nobody was served."""
    taken = [event for event in events_of(drill) if " in effect after " in event]
    cost = r", \d+ ms of them without service"
    expected = rf"restart in effect after \d+ ms{cost}" if BY_RESTART[server] else r"reload in effect after \d+ ms"
    assert len(taken) == 3
    assert all(re.fullmatch(expected, event) for event in taken), taken


def test_only_what_is_second_in_the_truststore_is_refused(drill: dict[str, Any]) -> None:
    """The rotation trap on both servers: the new certificate behind the old one, then the old one behind the new one."""
    failed = {case["what"] for case in drill["cases"] if case["outcome"] == "failed" and " kept " not in case["what"]}
    assert {f"{name} certificate, second in the truststore" for name in ("new", "old")} <= failed
    assert not {what for what in failed if "first in the truststore" in what or what.startswith(("removed", "deleted"))}


def test_removal_holds_and_what_was_kept_is_recorded(drill: dict[str, Any]) -> None:
    """30 new connections, half of them under each TLS version; what was kept with the removed certificate is told of."""
    removed = [case for case in drill["cases"] if case["what"] == "removed: old certificate"]
    assert [(case["tls"], case["outcome"]) for case in removed] == [("1.2", "passed"), ("1.3", "passed")]
    assert all("(15 new connections)" in case["reason"] for case in removed)

    events = events_of(drill)
    after = events[next(number for number, event in enumerate(events) if event.startswith("step 4")) :]
    assert [event for event in after if event.startswith("connection kept open with the old certificate")] == [
        f"connection kept open with the old certificate, TLS {tls}: closed by the backend" for tls in ("1.2", "1.3")
    ]
    sessions = [event for event in after if event.startswith("session of the old certificate by ")]
    assert sessions
    assert all(": rejected: " in event for event in sessions)


def test_server_that_knows_both_certificates_passes_the_whole_drill(checks: Checks) -> None:
    """The embedded reference: connections and sessions of the old certificate go on until it is removed."""
    check: Check = checks("--scenario", "rotation/drill")
    drill = check.scenario("rotation/drill")
    kept = [case for case in drill["cases"] if "kept open with the old certificate" in case["what"]]
    sessions = [case for case in drill["cases"] if "session of the old certificate" in case["what"]]
    assert (check.code, drill["outcome"]) == (0, "passed")
    assert len(kept) == 2 * 3
    assert len(sessions) == 3 * 3
