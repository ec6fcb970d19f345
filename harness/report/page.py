"""What the page shows, as data: made from reports as JSON, whether they were made just now or elsewhere.

Everything is plain text here; the template escapes it. Raises ``Malformed`` for a report that is not what it should be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ..outcome import Result
from .changes import Change
from .drill_picture import DrillPicture, drill_picture
from .matrix import Column, Matrix
from .picture import Picture, picture
from .reading import Malformed, Place
from .sight import sight_lines
from .words import came_back, shares

__all__ = ["Area", "Cell", "Finding", "Page", "Row", "Server", "page_of"]

_PICTURES = 6
"""So many different credentials of one scenario are drawn; the rest stands in the table of cases."""
_BODY = 160
_NOT_RUN = "not-run"
_WORST_FIRST = ("nonconformant", "not-judged", _NOT_RUN, "inconclusive", "partial", "conformant")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a connection took under one TLS version."""

    tls: str
    milliseconds: str
    handshake: float
    """Its share of the time, in thousandths."""
    rest: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """One case, under every TLS version in which it went alike: what was tried, and what the connection in question showed."""

    what: str
    tls: str
    outcome: str
    reason: str
    presented: str
    back: str
    body: str
    unasked: bool
    timings: tuple[Timing, ...] = ()

    @property
    def but_for_tls(self) -> CaseView:
        """The same without what belongs to one TLS version."""
        return replace(self, tls="", timings=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario on one server."""

    anchor: str
    server: str
    outcome: str
    reason: str
    remedy: str
    reproduce: str
    seconds: float
    notes: tuple[str, ...]
    cases: tuple[CaseView, ...]
    pictures: tuple[Picture, ...]
    undrawn: int
    drill: DrillPicture | None
    events: tuple[tuple[str, str], ...]
    change: str = ""
    """better, worse, or lost since the report that was compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One scenario in one profile, on every server; None where a server has no outcome for it."""

    id: str
    name: str
    profile: str
    anchor: str
    level: str
    title: str
    references: tuple[str, ...]
    cells: tuple[Cell | None, ...]

    @property
    def is_quiet(self) -> bool:
        """Whether nothing in it needs to be looked at."""
        return all(cell is None or cell.outcome in ("passed", "skipped") for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The scenarios of one area."""

    name: str
    rows: tuple[Row, ...]

    @property
    def is_quiet(self) -> bool:
        """Whether nothing in it needs to be looked at."""
        return all(row.is_quiet for row in self.rows)


@dataclass(frozen=True, slots=True)
class Finding:
    """Scenarios that the same servers fail, and the cells of the first one."""

    rows: tuple[Row, ...]
    cells: tuple[Cell, ...]

    @property
    def remedies(self) -> tuple[str, ...]:
        """What mends it, each text once."""
        return tuple(dict.fromkeys(cell.remedy for cell in self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One column."""

    name: str
    version: str
    """Of the server program; empty where nothing tells."""
    anchor: str
    result: str
    """The report's result; not-run without a report, not-judged where there is one that cannot be trusted."""
    trouble: str
    target: str
    source: str
    counts: tuple[tuple[str, int], ...]
    seconds: float
    started: str
    tool: str
    profiles: str
    sight: tuple[tuple[str, str], ...]

    @property
    def total(self) -> int:
        """How many scenarios it has."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole page."""

    title: str
    made: str
    tool: str
    seconds: float | None
    """How long the run took; None when all reports were made elsewhere."""
    servers: tuple[Server, ...]
    areas: tuple[Area, ...]
    several_profiles: bool
    outcomes: tuple[str, ...] = field(default=tuple(Result))
    compared: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What failed, and where, in the order of the grid; what the same servers fail, and the same mends, stands together."""
        found: dict[tuple[tuple[str, str], ...], list[tuple[Row, tuple[Cell, ...]]]] = {}
        for row in (row for area in self.areas for row in area.rows):
            cells = tuple(cell for cell in row.cells if cell and cell.outcome == "failed")
            if cells:
                found.setdefault(tuple((cell.server, cell.remedy) for cell in cells), []).append((row, cells))
        return tuple(Finding(tuple(row for row, _ in group), group[0][1]) for group in found.values())

    @property
    def results(self) -> tuple[tuple[str, int], ...]:
        """How many servers ended in which result, the worst first."""
        counted = Counter(server.result for server in self.servers)
        return tuple((word, counted[word]) for word in _WORST_FIRST if counted[word])


def page_of(matrix: Matrix, *, compared: str = "", changes: Sequence[Change] = ()) -> Page:
    """The page of *matrix*; *changes* since the report that is called *compared*."""
    columns = matrix.columns
    about = matrix.to_json()["tool"]
    marks = {(one.server, one.id, one.profile): one.kind for one in changes}
    areas = tuple(_areas(columns, marks))
    profiles = {row.profile for area in areas for row in area.rows}
    names = columns[0].name if len(columns) == 1 else f"{len(columns)} servers"
    return Page(
        title=f"mTLS: {names}",
        made=f"{matrix.started:%Y-%m-%d %H:%M} UTC",
        tool=f"{about['name']} {about['version']}",
        seconds=matrix.seconds if any(column.source is None for column in columns) else None,
        servers=tuple(_server(number, column) for number, column in enumerate(columns)),
        areas=areas,
        several_profiles=len(profiles) > 1,
        compared=compared,
        changes=tuple(changes),
    )


def _server(number: int, column: Column) -> Server:
    anchor, trouble = f"s{number}", column.trouble or ""
    if column.report is None:
        return Server(
            name=column.name, version="", anchor=anchor, result=_NOT_RUN, trouble=trouble, target="", source=column.source or "",
            counts=(), seconds=0.0, started="", tool="", profiles="", sight=(),
        )  # fmt: skip
    report = Place(column.report)
    target, tool, seen = report.required("target"), report.required("tool"), report.place("seen")
    counted = Counter(one.text("outcome") for one in report.places("scenarios"))
    kind = target.text("kind")
    return Server(
        name=column.name,
        version=target.maybe("version"),
        anchor=anchor,
        result="not-judged" if trouble else report.required("summary").text("result"),
        trouble=trouble,
        target="" if target.text("name") == column.name else target.text("name"),
        source=column.source or "",
        counts=tuple((result.value, counted[result.value]) for result in Result if counted[result.value]),
        seconds=report.number("seconds"),
        started=report.text("started")[:16].replace("T", " "),
        tool=f"pytest-mtls {tool.text('version')}, {tool.maybe('openssl')}",
        profiles=", ".join(target.texts("profile")),
        sight=() if seen is None else _sight(seen, kind),
    )


def _sight(seen: Place, kind: str) -> tuple[tuple[str, str], ...]:
    """The lines of ``seen``, read by type first: the report may have been made elsewhere."""
    data = {
        "versions": [
            {
                "tls": one.text("tls"),
                "negotiated": one.maybe("negotiated"),
                "certificate_requested": one.flag("certificate_requested"),
                "acceptable_issuers": one.texts("acceptable_issuers"),
                "session_ticket": one.flag("session_ticket"),
                "application_protocol": one.maybe("application_protocol"),
            }
            for one in seen.places("versions")
        ],
        "http": seen.maybe("http"),
        "server_header": seen.maybe("server_header"),
        "server_certificates": seen.texts("server_certificates"),
    }
    return tuple(sight_lines(data, kind))


# --- the grid


def _areas(columns: Sequence[Column], marks: dict[tuple[str, str, str], str]) -> Iterable[Area]:
    """By name, as the catalogue has them; within an area in the order of the first server that has a scenario."""
    found: dict[str, dict[tuple[str, str], dict[int, Place]]] = {}
    for number, column in enumerate(columns):
        for place in Place(column.report).places("scenarios") if column.report else ():
            key = place.text("id"), place.text("profile")
            found.setdefault(key[0].partition("/")[0], {}).setdefault(key, {})[number] = place
    index = 0
    for name in sorted(found):
        rows = []
        ids = list(dict.fromkeys(one for one, _ in found[name]))
        for (one, profile), places in sorted(found[name].items(), key=lambda item: ids.index(item[0][0])):
            rows.append(_row(index, one, profile, places, columns, marks))
            index += 1
        yield Area(name=name.replace("-", " ").capitalize(), rows=tuple(rows))


def _row(
    index: int,
    one: str,
    profile: str,
    places: dict[int, Place],
    columns: Sequence[Column],
    marks: dict[tuple[str, str, str], str],
) -> Row:
    first = next(iter(places.values()))
    cells = []
    for number, column in enumerate(columns):
        change = marks.get((column.name, one, profile), "")
        place = places.get(number)
        cells.append(None if place is None else _cell(f"c{index}-{number}", column, place, change))
    return Row(
        id=one,
        name=one.partition("/")[2],
        profile=profile,
        anchor=f"r{index}",
        level=first.text("level"),
        title=first.text("title"),
        references=first.texts("references"),
        cells=tuple(cells),
    )


def _cell(anchor: str, column: Column, place: Place, change: str) -> Cell:
    report = Place(column.report)
    begin = _moment(report)
    end = datetime.fromtimestamp(begin.timestamp() + report.number("seconds"), UTC)
    drawn: dict[str, Picture] = {}
    cases: list[CaseView] = []
    for case in place.places("cases"):
        probe = _probe(case)
        if probe is not None:
            presented = probe.place("presented")
            key = "" if presented is None else presented.text("name") + presented.text("sha256")
            if key not in drawn:
                drawn[key] = picture(presented, begin, end)
        view = _case(case, probe)
        if cases and cases[-1].but_for_tls == view.but_for_tls:
            both = cases.pop()
            view = replace(view, tls=f"{both.tls}, {view.tls}", timings=both.timings + view.timings)
        cases.append(view)
    pictures = tuple(drawn.values())
    return Cell(
        anchor=anchor,
        server=column.name,
        outcome=place.text("outcome", among=tuple(Result)),
        reason=place.text("reason"),
        remedy=place.text("remedy"),
        reproduce=place.text("reproduce"),
        seconds=place.number("seconds", 0.0),
        notes=place.texts("notes"),
        cases=tuple(cases),
        pictures=pictures[:_PICTURES],
        undrawn=len(pictures[_PICTURES:]),
        drill=drill_picture(place),
        events=tuple((f"{one.number('milliseconds'):.0f}", one.text("event")) for one in place.places("timeline")),
        change=change,
    )


def _probe(case: Place) -> Place | None:
    """The connection in question; where there was none beside the control, that."""
    seen = list(case.places("observations"))
    return next((one for one in seen if one.text("role") == "probe"), seen[-1] if seen else None)


def _case(case: Place, probe: Place | None) -> CaseView:
    outcome = case.text("outcome", among=tuple(Result))
    presented = None if probe is None else probe.place("presented")
    http = None if probe is None else probe.place("http")
    times = probe.required("milliseconds") if probe else None
    return CaseView(
        what=case.text("what"),
        tls=case.maybe("tls"),
        outcome=outcome,
        reason=case.text("reason"),
        presented="" if probe is None else "no certificate" if presented is None else presented.text("name"),
        back="" if probe is None else came_back(probe),
        body=http.maybe("body")[:_BODY].strip() if http is not None and outcome != "passed" else "",
        # a session that is resumed needs no CertificateRequest
        unasked=probe is not None and not probe.flag("certificate_requested") and not probe.flag("resumed"),
        timings=() if times is None else (_timing(case.maybe("tls"), times),),
    )


def _timing(tls: str, times: Place) -> Timing:
    return Timing(tls, f"{times.number('end'):.1f}", *shares(times))


def _moment(report: Place) -> datetime:
    text = report.text("started")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed(f"started: expected a time such as 2026-03-01T09:30:00Z, saw {text[:40]!r}") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
