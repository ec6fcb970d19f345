"""Every scenario can fail, every fault is caught, and no fault fails a scenario that has nothing to do with it."""

from __future__ import annotations

import pytest

from pytest_mtls.harness.backend.contract import Capability
from pytest_mtls.harness.backend.faults import FAULTS, behaviour_with
from pytest_mtls.harness.backend.reference import Behaviour, embedded
from pytest_mtls.harness.backend.target import Target
from pytest_mtls.harness.bench import Bench
from pytest_mtls.harness.outcome import Outcome, Result
from pytest_mtls.harness.scenario import catalogue
from pytest_mtls.harness.trial import run

# G: fails in profile gateway, P: in private-ca. A scenario that is not named does not fail.
EXPECTED = {
    "accept-any": {
        "chain/tampered": "G",  # in private-ca a bad signature is still seen
        "reload/replacement-takes-effect": "GP",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "trust/copied-serial-and-dates": "G",
        "trust/other-customer-same-name": "G",
        "trust/pinned-certificate-in-chain": "GP",
        "trust/self-signed-stranger": "GP",
        "vhost/no-server-name": "GP",
    },
    "any-in-chain": {"trust/pinned-certificate-in-chain": "GP"},
    "dn-only": {
        "chain/tampered": "G",  # a changed signature leaves the name as it is
        "reload/replacement-takes-effect": "G",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "trust/copied-serial-and-dates": "G",
        "trust/other-customer-same-name": "G",
    },
    "empty-truststore-open": {"trust/empty-truststore": "GP"},
    "first-same-name-only": {"rotation/both-new-first": "G", "rotation/both-old-first": "G"},
    "missing-truststore-open": {"trust/missing-truststore": "GP"},
    "no-expiry-check": {"validity/expired": "GP"},
    "no-request": {
        "chain/tampered": "GP",
        "forwarded-header/forged-on-direct-connection": "GP",
        "possession/copied-certificate": "GP",
        "presence/certificate-requested": "GP",
        "presence/no-certificate": "GP",
        "reload/replacement-takes-effect": "GP",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "trust/copied-serial-and-dates": "G",
        "trust/other-customer-same-name": "G",
        "trust/pinned-certificate-in-chain": "GP",
        "trust/self-signed-stranger": "GP",
        "validity/expired": "GP",
        "validity/not-yet-valid": "GP",
        "vhost/no-server-name": "GP",
    },
    "no-signature-check": {"chain/tampered": "GP"},
    "no-start-check": {"validity/not-yet-valid": "GP"},
    "open-without-server-name": {"vhost/no-server-name": "GP"},
    "optional-unchecked": {
        "forwarded-header/forged-on-direct-connection": "GP",
        "presence/no-certificate": "GP",
        "vhost/no-server-name": "GP",
    },
    "reload-adds-only": {"reload/replacement-takes-effect": "GP", "rotation/old-removed": "G"},
    "reload-ignored": {
        "reload/replacement-takes-effect": "GP",
        "rotation/both-new-first": "G",
        "rotation/both-old-first": "G",
        "rotation/old-removed": "G",
    },
    "require-extensions": {
        "reload/replacement-takes-effect": "G",
        "rotation/both-new-first": "G",
        "rotation/both-old-first": "G",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "trust/gateway-certificate": "G",
    },
    "serial-and-name-only": {"chain/tampered": "G", "trust/copied-serial-and-dates": "G"},
    "server-wrong-name": {"server-identity/name-matches": "GP"},
    "tls13-only": {"server-identity/tls12-offered": "GP"},
    "trusts-header": {"forwarded-header/forged-on-direct-connection": "GP"},
}

LETTERS = {"gateway": "G", "private-ca": "P"}


def outcomes_of(behaviour: Behaviour) -> list[Outcome]:
    """What the whole catalogue says of a reference backend that behaves so."""
    target = Target(
        kind="embedded",
        name="reference",
        factory=lambda material: embedded(material, behaviour),
        capabilities=frozenset({Capability.LIVE_RELOAD}),
        reload_within=0.3,  # its reload is done when the call returns
    )
    with Bench(target) as bench:
        return [run(one, profile, bench) for one in catalogue().values() for profile in one.profiles]


def by_letters(outcomes: list[Outcome], result: Result) -> dict[str, str]:
    """The scenarios with this result, and the letters of the profiles in which they have it."""
    found: dict[str, str] = {}
    for outcome in outcomes:
        if outcome.outcome is result:
            found[outcome.id] = found.get(outcome.id, "") + LETTERS[outcome.profile]
    return found


@pytest.mark.parametrize("alerts", [True, False], ids=["by-alert", "by-http-status"])
def test_correct_backend_passes_everything_however_it_refuses(alerts: bool) -> None:
    """A refusal by alert and one by status are both refusals."""
    outcomes = outcomes_of(Behaviour(alerts=alerts))

    assert [f"{one.id}: {one.reason}" for one in outcomes if one.outcome is not Result.PASSED] == []


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_fault_fails_the_scenarios_that_it_concerns_and_no_other(fault: str) -> None:
    """The expected matrix, row by row; but for what refuses the good credential, all can still be judged."""
    outcomes = outcomes_of(behaviour_with([fault]))
    unclear = {} if fault == "require-extensions" else by_letters(outcomes, Result.INCONCLUSIVE)

    assert (by_letters(outcomes, Result.FAILED), unclear) == (EXPECTED[fault], {})


def test_every_scenario_is_failed_by_some_fault_in_every_profile() -> None:
    """A scenario that no fault fails proves nothing."""
    caught = {(one, letter) for row in EXPECTED.values() for one, letters in row.items() for letter in letters}
    wanted = {(one.id, LETTERS[profile]) for one in catalogue().values() for profile in one.profiles}

    assert wanted - caught == set()


def test_every_fault_is_caught() -> None:
    """The matrix has a row, and not an empty one, for each fault."""
    assert {name for name, row in EXPECTED.items() if row} == set(FAULTS)
