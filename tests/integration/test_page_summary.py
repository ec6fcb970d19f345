"""The head of the page: how many servers are conformant, in which version, and the findings that belong together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_mtls.harness.report.html import to_html
from pytest_mtls.harness.report.matrix import Column, Matrix
from pytest_mtls.harness.report.page import page_of

from .made_reports import FAILED, PASSED, outcome, report
from .test_report_page import Parsed, page


def test_what_the_same_servers_fail_and_the_same_mends_is_one_finding() -> None:
    """With each remedy once; what only one of them fails is another."""

    def of(*failed: str, remedy: str = "Verify it.") -> dict[str, Any]:
        return report(*(outcome(FAILED, id=one, remedy=remedy) for one in failed)).to_json()

    both, other = of("trust/a", "trust/b"), of("trust/a", "trust/b", "trust/c", remedy="Do that.")
    columns = tuple(Column(name=name, report=one) for name, one in (("one", both), ("two", both), ("other", other)))
    found = page_of(Matrix(columns=columns)).findings
    assert [[row.id for row in one.rows] for one in found] == [["trust/a", "trust/b"], ["trust/c"]]
    assert [[cell.server for cell in one.cells] for one in found] == [["one", "two", "other"], ["other"]]
    assert [one.remedies for one in found] == [("Verify it.", "Do that."), ("Do that.",)]
    shown = Parsed(to_html(Matrix(columns=columns))).shown
    assert "3 of 3 servers" in shown and "What mends it Verify it. Do that." in shown


def test_the_page_begins_with_how_many_servers_are_conformant() -> None:
    """The worst first; and with the time of the run, unless nothing was run."""

    good, bad = report(outcome(PASSED)).to_json(), report(outcome(FAILED)).to_json()
    columns = [Column(name=name, report=one) for name, one in (("a", good), ("b", bad), ("c", good), ("d", None))]
    found = page_of(Matrix(columns=tuple(columns), seconds=3))
    assert found.results == (("nonconformant", 1), ("not-run", 1), ("conformant", 2))
    assert found.seconds == 3
    merged = Matrix(columns=(Column(name="a", report=good, source="a.json"),), seconds=3)
    assert page_of(merged).seconds is None


@pytest.mark.parametrize("servers", [1, 2, 9])
def test_the_version_of_a_server_stands_behind_its_name(servers: int) -> None:
    """In its card and at the head of its column; a report without one, as older ones are, has the name alone."""

    old = report(outcome(FAILED)).to_json()
    del old["target"]["version"]
    with_version = replace(report(outcome(FAILED)), version="1.22.1").to_json()
    found = page(*[with_version] * servers)
    assert found.shown.count("1.22.1") == (1 if servers == 1 else 2 * servers)
    assert "server 0 1.22.1" in found.shown
    assert "not so" in page(old, old).shown
