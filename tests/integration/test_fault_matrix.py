"""Every scenario can fail, every fault is caught, and no fault fails a scenario that has nothing to do with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_mtls.harness.backend.embedded import reference_target
from pytest_mtls.harness.backend.faults import FAULTS
from pytest_mtls.harness.backend.reference import Behaviour
from pytest_mtls.harness.backend.target import Target
from pytest_mtls.harness.bench import Bench
from pytest_mtls.harness.outcome import Outcome, Result
from pytest_mtls.harness.scenario import Level, catalogue
from pytest_mtls.harness.trial import run_all

from .fault_matrix import EXPECTED, LETTERS, page

# Faults that refuse a good credential, so that some other scenarios have no twin and cannot be judged.
DEAF = "reload-ignored"
"""It never gets to see the broken truststore."""
BLINDING = {"depth-limit-1", "depth-limit-2", "first-anchor-only", "pinned-only", "require-extensions"}

# Scenarios that wait for a clock run only against their own faults.
WAITING = {
    "reload/needs-restart": {"watches-file"},
    "resumption/after-expiry": {"resumes-expired"},
    "validity/expires-while-running": {"caches-verdict", "no-expiry-check"},
}


def outcomes_of(target: Target, fault: str | None = None) -> list[Outcome]:
    """What the catalogue says of *target*; of what waits for a clock, only what *fault* concerns (None: all)."""
    chosen = [
        (one, profile)
        for one in catalogue().values()
        for profile in one.profiles
        if fault is None or not one.waits or fault in WAITING[one.id]
    ]
    # the reference's reload is done when the call returns
    with Bench(replace(target, reload_within=0.3)) as bench:
        return list(run_all(chosen, bench))


def by_letters(outcomes: list[Outcome], *results: Result) -> dict[str, str]:
    """The scenarios with one of these results, and the letters of the profiles in which they have it."""
    found: dict[str, str] = {}
    for outcome in outcomes:
        if outcome.outcome in results:
            found[outcome.id] = found.get(outcome.id, "") + LETTERS[outcome.profile]
    return found


def notes_of(outcomes: list[Outcome], scenario_id: str) -> str:
    """What the scenario remarked."""
    return " ".join(note for outcome in outcomes if outcome.id == scenario_id for note in outcome.notes)


@pytest.mark.parametrize("alerts", [True, False], ids=["by-alert", "by-http-status"])
def test_correct_backend_passes_everything_however_it_refuses(alerts: bool) -> None:
    """A refusal by alert and one by status are both refusals."""
    outcomes = outcomes_of(reference_target(behaviour=Behaviour(alerts=alerts)))

    assert [f"{one.id}: {one.reason}" for one in outcomes if one.outcome is not Result.PASSED] == []
    assert "not by itself" in notes_of(outcomes, "reload/needs-restart")


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_fault_fails_the_scenarios_that_it_concerns_and_no_other(fault: str) -> None:
    """The expected matrix, row by row; but for what refuses a good credential, all can still be judged."""
    outcomes = outcomes_of(reference_target([fault]), fault)
    unclear = {} if fault in BLINDING else by_letters(outcomes, Result.INCONCLUSIVE)
    proves_nothing = {DEAF: {"reload/broken-bundle-fails-closed": "GP"}}.get(fault, {})

    assert (by_letters(outcomes, Result.FAILED, Result.WARNED), unclear) == (EXPECTED[fault], proves_nothing)


def test_variant_changes_what_is_reported() -> None:
    """An INFO never fails; its fault changes its remark."""
    outcomes = outcomes_of(reference_target(["watches-file"]), "watches-file")

    assert "notices a changed truststore by itself" in notes_of(outcomes, "reload/needs-restart")


def test_every_scenario_is_failed_by_some_fault_in_every_profile() -> None:
    """A scenario that no fault fails proves nothing."""
    caught = {(one, letter) for row in EXPECTED.values() for one, letters in row.items() for letter in letters}
    wanted = {
        (one.id, LETTERS[profile])
        for one in catalogue().values()
        for profile in one.profiles
        if one.level is not Level.INFO
    }

    assert wanted - caught == set()


def test_every_fault_is_caught() -> None:
    """The matrix has a row, and not an empty one, for each fault but the variants that are no error."""
    assert {name for name, row in EXPECTED.items() if row} == set(FAULTS) - {"watches-file"}


def test_page_shows_the_matrix() -> None:
    """docs/faults.md is made by ``python -m tests.integration.fault_matrix``."""
    assert (Path(__file__).parents[2] / "docs" / "faults.md").read_text("utf-8") == page()
