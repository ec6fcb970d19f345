"""The JUnit reports of real runs: the same story as the JSON report, readable by CI servers."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

from .reported import Reported


def test_junit_tells_the_same_story(each_report: Reported) -> None:
    """One test case a scenario, with the element that its outcome asks for, and one a problem of the run."""

    elements = {"failed": "failure", "inconclusive": "error", "skipped": "skipped", "warned": "system-out"}
    suite = ElementTree.fromstring(each_report.junit)[0]
    told = [(case.get("name"), [child.tag for child in case]) for case in suite.iter("testcase")]
    expected = [
        (f"{one['id']} [{one['profile']}]", [elements[one["outcome"]]] if one["outcome"] in elements else [])
        for one in each_report.report["scenarios"]
    ]
    assert told == expected + [("run", ["error"])] * len(each_report.report["summary"]["problems"])


def test_junit_counts_what_it_tells(each_report: Reported) -> None:
    """CI servers believe the attributes."""

    suite = ElementTree.fromstring(each_report.junit)[0]
    counted = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    assert {name: int(suite.get(name, "")) for name in counted} == {
        name: len(suite.findall(f".//{tag}")) for name, tag in counted.items()
    }


def test_junit_has_a_finding_with_its_remedy(reported: Callable[[str], Reported]) -> None:
    """Message, level, evidence, remedy, sources and how to repeat it."""

    suite = ElementTree.fromstring(reported("nonconformant").junit)[0]
    (failure,) = suite.findall(".//testcase[@name='trust/other-customer-same-name [gateway]']/failure")
    assert failure.get("type") == "MUST"
    assert "other-customer: expected rejected, saw accepted: HTTP 200" in failure.get("message", "")
    assert failure.text is not None
    for line in (
        "TLS 1.3  other-customer: expected rejected",
        "remedy: ",
        "source: RFC 5280",
        "reproduce: pytest-mtls ",
    ):
        assert f"\n{line}" in failure.text


def test_junit_can_be_read_whatever_a_log_has(reported: Callable[[str], Reported]) -> None:
    """Control characters, broken UTF-8 and half a surrogate pair are in this one."""

    error = ElementTree.fromstring(reported("inconclusive").junit).find(".//error")
    assert error is not None
    assert re.search(r"its last lines: r.?e.?d <&> .*\. It has to keep running", error.get("message", ""))
