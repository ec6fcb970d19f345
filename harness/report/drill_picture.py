"""The picture of the rotation drill: what each kind of connection met while the five steps passed.

Time runs from left to right, and every step has the room that its events need: a reload takes a hundred times as long as a
connection, so a scale of milliseconds would show nothing but reloads. The moments stand in the marks' titles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .reading import Place

__all__ = ["Change", "DrillPicture", "Mark", "Step", "drill_picture"]

_LEFT, _TOP, _LANE, _MARK, _RELOAD, _MARGIN, _BOTTOM = 158, 42, 26, 12, 46, 9, 22
_COUNT = 22
"""The room of a number behind a mark."""
_STEP = re.compile(r"step (\d), (\w+): ")
_CALLS = re.compile(r"(.+: )(\d+) calls .*through the stage, (\d+) lost")
_CHANGE = re.compile(r"(?:reload|restart) (not )?in effect (?:after|within) (\d+) ms")
LANES = (
    ("old", "old certificate"),
    ("new", "new certificate"),
    ("turn", "both in turn"),
    ("kept-old", "kept connection, old"),
    ("kept-new", "kept connection, new"),
    ("session", "session of the old one"),
    ("outside", "no key, no certificate"),
    ("stage", "calls through the stage"),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One event. ``kind``: served, refused (as it must be), lost, intruder, unclear, or gone (recorded, not judged)."""

    x: int
    y: int
    kind: str
    text: str
    count: int = 1
    """So many of them: calls through a stage come in dozens, and stand as a number."""


@dataclass(frozen=True, slots=True)
class Change:
    """The time from a changed truststore until it was in effect."""

    x: int
    width: int
    text: str
    full: str


@dataclass(frozen=True, slots=True)
class Step:
    """The beginning of a step."""

    x: int
    number: str
    name: str
    moment: str
    text: str


@dataclass(frozen=True, slots=True)
class DrillPicture:
    """The drill, in CSS pixels."""

    width: int
    height: int
    top: int
    left: int
    lanes: tuple[tuple[int, str], ...]
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    marks: tuple[Mark, ...]
    lost: int
    intruders: int
    moment: str
    """When it ended."""


def drill_picture(scenario: Place) -> DrillPicture | None:
    """The picture of a scenario's ``timeline``; None when no step is in it."""
    events = [(one.number("milliseconds"), one.text("event")) for one in scenario.places("timeline")]
    if not any(_STEP.match(text) for _, text in events):
        return None
    outcomes = {_as_event(case): (case.text("outcome"), case.text("reason")) for case in scenario.places("cases")}
    lanes = {key: _TOP + number * _LANE + _LANE // 2 for number, (key, _) in enumerate(LANES)}
    steps: list[Step] = []
    changes: list[Change] = []
    marks: list[Mark] = []
    x = end = _LEFT
    for moment, text in events:
        step = _STEP.match(text)
        if step:
            x += _MARGIN
            steps.append(Step(x, step[1], step[2], _time(moment), text))
            x += _MARGIN
        elif steps and (change := _CHANGE.match(text)):
            changes.append(Change(x, _RELOAD, f"{'> ' if change[1] else ''}{change[2]} ms", text))
            x += _RELOAD + _MARGIN
        elif steps and (calls := _CALLS.match(text)):
            # alone in their lane, so that what comes next may stand above them
            for number, (kind, count) in enumerate(_calls(scenario, calls)):
                at = x + number * (_MARK + _COUNT)
                marks.append(Mark(at, lanes["stage"], kind, f"until {_time(moment)}: {text}", count))
                end = max(end, at + _MARK + _COUNT)
        elif steps and (lane := _lane(text)):
            marks.append(Mark(x, lanes[lane], _kind(*outcomes.get(text, ("", ""))), f"{_time(moment)}: {text}"))
            x += _MARK
    return DrillPicture(
        width=max(x, end) + _MARGIN,
        height=_TOP + len(LANES) * _LANE + _BOTTOM,
        top=_TOP,
        left=_LEFT,
        lanes=tuple((lanes[key], name) for key, name in LANES),
        steps=tuple(steps),
        changes=tuple(changes),
        marks=tuple(marks),
        lost=sum(mark.count for mark in marks if mark.kind == "lost"),
        intruders=sum(mark.kind == "intruder" for mark in marks),
        moment=_time(events[-1][0]),
    )


def _as_event(case: Place) -> str:
    """The text that the case has in the timeline."""
    tls = case.maybe("tls")
    return f"{case.text('what')}{f', TLS {tls}' if tls else ''}: {case.text('reason')}"


def _calls(scenario: Place, calls: re.Match[str]) -> list[tuple[str, int]]:
    """Kind and number of the calls in one step: what was answered, and what was lost."""
    what, lost = f"{calls[1]}calls through the stage", int(calls[3])
    outcome = next((case.text("outcome") for case in scenario.places("cases") if case.text("what") == what), "")
    # calls are lost also while a backend restarts, which its verdict leaves out
    kind = {"failed": "lost", "inconclusive": "unclear"}.get(outcome, "gone")
    return [(kind, count) for kind, count in (("served", int(calls[2]) - lost), (kind, lost)) if count > 0]


def _lane(text: str) -> str | None:
    """Which kind of connection an event is about; None for those that are about none."""
    what = text.partition(", TLS ")[0]
    if "without its key" in what or "no certificate" in what:
        return "outside"
    if "session of" in what:
        return "session"
    if "in turn" in what:
        return "turn"
    kept = "kept-" if "kept open" in what else ""
    which = re.search(r"\b(old|new) certificate\b", what)
    return f"{kept}{which[1]}" if which and ", TLS " in text else None


def _kind(outcome: str, reason: str) -> str:
    if outcome == "passed":
        return "refused" if reason.startswith("rejected") else "served"
    if outcome == "failed":
        return "intruder" if "expected rejected" in reason else "lost"
    return "unclear" if outcome else "gone"


def _time(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"
