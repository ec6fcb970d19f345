"""Calls through a stage in the picture of the rotation drill: as numbers, and as losses where they are judged as such."""

from __future__ import annotations

import pytest

from pytest_mtls.harness.report.drill_picture import DrillPicture, drill_picture
from pytest_mtls.harness.report.reading import Place


def drill(calls: str, outcome: str) -> DrillPicture:
    """The picture of a drill with one step, in which these *calls* were made and judged so."""
    timeline = [
        {"milliseconds": 1.0, "event": "step 2, add: the new certificate is added behind the old one"},
        {"milliseconds": 300.0, "event": f"added: {calls}"},
        {"milliseconds": 300.0, "event": "added: calls through the stage: as it was judged"},
    ]
    case = {"what": "added: calls through the stage", "tls": None, "outcome": outcome, "reason": "as it was judged"}
    found = drill_picture(Place({"timeline": timeline, "cases": [case]}))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("calls", "outcome", "marks", "lost"),
    [
        ("7 calls (7 by the old certificate) through the stage, 0 lost", "passed", [("served", 7)], 0),
        ("6 calls (6 by the old certificate) through the stage, 4 lost", "failed", [("served", 2), ("lost", 4)], 4),
        ("17 calls (3 by the old certificate) through the stage, 14 lost", "passed", [("served", 3), ("gone", 14)], 0),
        ("16 calls (none with a certificate) through the stage, 16 lost", "inconclusive", [("unclear", 16)], 0),
    ],
)
def test_calls_stand_as_numbers_in_a_lane_of_their_own(
    calls: str, outcome: str, marks: list[tuple[str, int]], lost: int
) -> None:
    """What was lost while the backend restarted was not judged, and is no loss."""
    found = drill(calls, outcome)

    assert [(mark.kind, mark.count) for mark in found.marks] == marks
    assert {mark.y for mark in found.marks} == {y for y, name in found.lanes if name == "calls through the stage"}
    assert found.lost == lost
    assert all(calls in mark.text and mark.text.startswith("until 300 ms: added") for mark in found.marks)
    assert max(mark.x for mark in found.marks) < found.width - 30


def test_lines_that_are_no_counts_are_no_marks() -> None:
    """The verdict on the calls is another event of the same name."""
    assert drill("no calls through the stage: no server", "passed").marks == ()
