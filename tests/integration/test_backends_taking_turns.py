"""Servers that take turns behind one address: whoever is let in by one of them is let in."""

from __future__ import annotations

import sys

import pytest

from .checks import SERVERS
from .runs import Runs

NOBODY = "presence/no-certificate"


def taking_turns(*options: str) -> tuple[str, ...]:
    """The options for two servers that take turns, and for one scenario."""
    command = " ".join([sys.executable, str(SERVERS / "taking_turns.py"), *options])
    return "--command", command, "--scenario", NOBODY, "--json", "report.json"


@pytest.mark.parametrize("at", ["0", "1"])
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_one_open_server_of_two_is_found_whoever_takes_the_first_connection(runs: Runs, at: str, tls: str) -> None:
    """The negatives and their controls must not take turns in the same step."""
    run = runs("check", *taking_turns("--one", "open", "--rest", "strict", "--at", at), "--tls", tls)
    assert (run.code, run.outcomes) == (1, {NOBODY: "failed"})


@pytest.mark.parametrize("at", ["0", "1", "2"])
def test_an_alert_before_the_server_hello_is_no_judgement_of_a_certificate(runs: Runs, at: str) -> None:
    """Everybody else gets in without one."""
    run = runs("check", *taking_turns("--one", "alert", "--rest", "open", "--every", "3", "--at", at), "--tls", "1.2")
    assert run.code in (1, 3)
    assert run.outcomes[NOBODY] in ("failed", "inconclusive")


@pytest.mark.parametrize("at", ["0", "1"])
def test_a_version_that_one_of_two_servers_speaks_is_judged(runs: Runs, at: str) -> None:
    """The older one refuses TLS 1.3 by an alert, and is strict; the other one is open."""
    run = runs("check", *taking_turns("--one", "older", "--rest", "open", "--at", at))
    assert (run.code, run.outcomes) == (1, {NOBODY: "failed"})


def test_two_strict_servers_pass(runs: Runs) -> None:
    """What makes the others fail is the one that is not."""
    run = runs("check", *taking_turns("--one", "strict", "--rest", "strict"))
    assert (run.code, run.outcomes) == (0, {NOBODY: "passed"})
