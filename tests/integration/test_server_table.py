"""docs/servers.md: in step with the servers that there are, with their remedies, and with what is recorded of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_mtls.harness.backend.servers import servers

from .made_reports import PASSED, outcome, report
from .server_table import NOT_PASSED, WHY, measured, measured_of, page
from .test_known_findings import CURED, CURES, KNOWN, PYTHON_SERVERS, SESSIONS, STOCK, TRAP

ROOT = Path(__file__).parents[2]
MEASURED = measured()


def found(name: str, outcome: str) -> set[str]:
    """What ended so at a server, with its profile unless it is gateway."""
    profiles: dict[str, dict[str, Any]] = MEASURED["servers"][name]["outcomes"]
    return {
        one if profile == "gateway" else f"{one} ({profile})"
        for profile, outcomes in profiles.items()
        for one in outcomes.get(outcome, ())
    }


def test_page_is_the_one_that_is_generated() -> None:
    """docs/servers.md is made by ``python -m tests.integration.server_table``."""
    assert (ROOT / "docs" / "servers.md").read_text("utf-8") == page(MEASURED)


def test_every_server_was_measured_and_each_in_a_version() -> None:
    """A new server, or one that was renamed, needs a new matrix."""
    assert sorted(MEASURED["servers"]) == sorted(servers())
    assert [name for name, one in MEASURED["servers"].items() if not one["version"]] == []


@pytest.mark.parametrize("name", STOCK)
def test_what_was_measured_is_what_is_recorded(name: str) -> None:
    """The page and the tests tell the same findings, in both profiles where a test runs both."""
    known = KNOWN[name]
    trap = (
        TRAP if name in PYTHON_SERVERS and sys.version_info >= (3, 13) else frozenset[str]()
    )  # measured on an older one
    recorded = {
        "failed": known.failed | trap,
        "warned": known.warned,
        "inconclusive": known.inconclusive,
        "skipped": set(),
    }
    assert {one: found(name, one) for one in NOT_PASSED} == recorded


@pytest.mark.parametrize("name", CURES)
def test_what_mends_a_server_was_measured_to_be_conformant(name: str) -> None:
    """In profile gateway, the rotation included."""
    outcomes = MEASURED["servers"][name]["outcomes"]["gateway"]
    assert outcomes["passed"] > 30
    assert {one: set(outcomes.get(one, ())) for one in NOT_PASSED} == {
        **{one: set() for one in NOT_PASSED},
        "warned": set(CURED.get(name, SESSIONS)),
    }


def test_what_could_not_be_judged_is_explained() -> None:
    """On the page, server by server; and no word too many."""
    assert set(WHY) == {name for name in STOCK if found(name, "inconclusive")}


def test_page_names_no_path_of_the_machine_that_measured() -> None:
    """It is for everybody."""
    assert re.findall(r"(?<![\w.])/(?:tmp|root|home|usr|var|opt|etc|work)\b.*", page(MEASURED)) == []


def test_matrix_without_all_servers_makes_no_page() -> None:
    """Nor one in which a server was broken off."""
    one = {"name": "nginx", "source": None, "problem": "it hung", "report": report(outcome(PASSED)).to_json()}
    with pytest.raises(ValueError, match=r"missing: \['aiohttp', .*\], broken off: \['nginx'\]"):
        measured_of({"servers": [one]})
