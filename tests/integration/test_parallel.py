"""``check -n 2``: other processes, the same verdicts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from pytest_mtls.harness.scenario import Profile, catalogue

from .checks import PYTEST, SERVERS, Checks, finished

SLOW = f"{sys.executable} {SERVERS / 'python_server.py'} --start-seconds 0.1 --handshake-seconds 0.01"
WAITING = [one.id for one in catalogue().values() if one.waits]
AT_ONCE = ["presence/no-certificate", "trust/self-signed-stranger", "chain/tampered", "possession/copied-certificate"]


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(("--fault", "caches-verdict", "--fault", "trusts-header"), id="embedded, with faults"),
        pytest.param(("--command", SLOW, "--profile", "gateway"), id="slow"),
    ],
)
def test_workers_change_no_verdict(checks: Checks, target: tuple[str, ...]) -> None:
    """The same scenarios, profiles and outcomes, the same exit code, and nothing left behind."""
    alone, shared = (checks("--profile", "all", *target, "-n", number) for number in ("0", "2"))

    reasons = [
        one["reason"] for check in (alone, shared) for one in check.report["scenarios"] if one["outcome"] != "passed"
    ]
    assert shared.outcomes() == alone.outcomes(), reasons
    assert set(alone.outcomes().values()) > {"passed"}
    assert (shared.code, shared.left_behind) == (alone.code, ())


def workers_of(folder: Path, *scenarios: str, distribution: str = "loadgroup") -> dict[tuple[str, str], str]:
    """The worker that ran each scenario, by its function's name and profile."""
    arguments = ["-v", "-n", "2", "--dist", distribution, "--pyargs", "pytest_mtls.scenarios", "--mtls-profile=all"]
    arguments += [f"--mtls-scenario={one}" for one in scenarios]
    done = finished(folder, *PYTEST, *arguments, within=60)
    assert done.returncode == 0, done.stdout
    return {
        (name, profile): worker
        for worker, name, profile in re.findall(
            r"^\[(gw\d)\].* PASSED \S*::(\w+)\[([\w-]+)\]", done.stdout, re.MULTILINE
        )
    }


def function_of(scenario: str) -> str:
    """The name of a scenario's function."""
    return scenario.partition("/")[2].replace("-", "_")


def test_what_waits_for_a_clock_comes_to_one_worker_with_what_fills_its_wait(tmp_path: Path) -> None:
    """In each profile: else every worker would wait by itself, for moments that it could have shared."""
    workers = workers_of(tmp_path, *WAITING, *AT_ONCE)
    wanted = {(function_of(one), str(profile)) for one in (*WAITING, *AT_ONCE) for profile in catalogue()[one].profiles}

    assert set(workers) == wanted
    for profile in (Profile.GATEWAY, Profile.PRIVATE_CA):
        assert len({worker for (_, of), worker in workers.items() if of == profile}) == 1
    assert set(workers.values()) == {"gw0", "gw1"}


def test_without_waits_the_scenarios_go_to_whoever_is_free(tmp_path: Path) -> None:
    """A group of what has nothing to wait with would leave the other worker without work."""
    workers = workers_of(tmp_path, *AT_ONCE)

    assert {worker for (_, profile), worker in workers.items() if profile == Profile.GATEWAY} == {"gw0", "gw1"}


def test_other_distributions_run_everything_once(tmp_path: Path) -> None:
    """``--dist load`` is what pytest-xdist does unasked."""
    workers = workers_of(tmp_path, *WAITING, *AT_ONCE, distribution="load")

    assert len(workers) == sum(len(catalogue()[one].profiles) for one in (*WAITING, *AT_ONCE))


def test_groups_of_other_tests_are_left_alone(pytester: pytest.Pytester) -> None:
    """In a run of ``--dist loadgroup`` that has nothing to do with the catalogue."""
    pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.parametrize("way", ["gateway", "private-ca", "other"])
        def test(way):
            assert os.environ["PYTEST_XDIST_WORKER"]
        """
    )
    pytester.runpytest_subprocess("-n", "2", "--dist", "loadgroup").assert_outcomes(passed=3)
