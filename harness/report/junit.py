"""JUnit XML: a MUST that failed is a failure, what was not proved is an error, a warning is told in the output."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from ..outcome import Outcome, Result
from .model import Report

__all__ = ["to_junit"]

_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


def to_junit(report: Report) -> bytes:
    """The report as one test suite, UTF-8."""
    suite = ElementTree.Element(
        "testsuite",
        name="pytest-mtls",
        tests=str(len(report.outcomes) + len(report.problems)),
        failures=str(report.count(Result.FAILED)),
        errors=str(report.count(Result.INCONCLUSIVE) + len(report.problems)),
        skipped=str(report.count(Result.SKIPPED)),
        time=f"{report.seconds:.3f}",
        timestamp=report.started.isoformat(),
    )
    properties = ElementTree.SubElement(suite, "properties")
    about = (("target", report.name), ("version", report.version or ""))
    for name, value in (*about, ("result", report.result.value), ("url", report.url or "")):
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    for outcome in report.outcomes:
        suite.append(_case(outcome))
    for problem in report.problems:
        case = ElementTree.SubElement(suite, "testcase", classname="pytest-mtls", name="run", time="0")
        ElementTree.SubElement(case, "error", message=_clean(problem)).text = _clean(problem)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _case(outcome: Outcome) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=f"mtls.{outcome.id.partition('/')[0]}",
        name=f"{outcome.id} [{outcome.profile}]",
        time=f"{outcome.seconds:.3f}",
    )
    text = _clean(_details(outcome))
    message = _clean(outcome.reason)
    if outcome.outcome is Result.FAILED:
        ElementTree.SubElement(case, "failure", message=message, type=outcome.level).text = text
    elif outcome.outcome is Result.INCONCLUSIVE:
        ElementTree.SubElement(case, "error", message=message, type="inconclusive").text = text
    elif outcome.outcome is Result.SKIPPED:
        ElementTree.SubElement(case, "skipped", message=message)
    elif outcome.outcome is Result.WARNED:
        ElementTree.SubElement(case, "system-out").text = f"warned: {text}"
    return case


def _details(outcome: Outcome) -> str:
    lines = [outcome.title, ""]
    lines += [f"{'TLS ' + case.tls if case.tls else 'start'}  {case.what}: {case.reason}" for case in outcome.cases]
    lines += ["", *(f"note: {note}" for note in outcome.notes)]
    lines += [
        f"remedy: {outcome.remedy}",
        f"source: {'; '.join(outcome.references)}",
        f"reproduce: {outcome.reproduce}",
    ]
    return "\n".join(lines)


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold; a server's log may have any."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
