"""The page: what it shows of a report, that nothing in a report can be more than text in it, and that it stands alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.resources import files
from itertools import product
from typing import Any

import pytest

from pytest_mtls.harness.outcome import Result
from pytest_mtls.harness.pki.defects import DEFECTS
from pytest_mtls.harness.report.changes import Change
from pytest_mtls.harness.report.drill_picture import drill_picture
from pytest_mtls.harness.report.html import report_to_html, to_html
from pytest_mtls.harness.report.matrix import Column, Matrix
from pytest_mtls.harness.report.page import page_of
from pytest_mtls.harness.report.picture import _FACTS, picture
from pytest_mtls.harness.report.reading import Place

from .checks import SERVERS, Check, Checks
from .made_reports import FAILED, SKIPPED, outcome, report

VOID = {"meta", "link", "br", "input"}
EVIL = "</td></script><script>alert(1)</script><img src=x onerror=alert(2)>'\"{{ 7*7 }}"


@dataclass
class Parsed(HTMLParser):
    """A page, read as a browser would; raises AssertionError for tags that do not match."""

    text: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def shown(self) -> str:
        """All text, in one line."""
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Checks:
    """Carries out checks."""
    return Checks(tmp_path_factory)


@pytest.fixture(scope="module")
def faulty(checks: Checks) -> Check:
    """A run with findings, pictures and a drill."""
    return checks(
        "--fault", "dn-only", "--scenario", "trust/*", "--scenario", "rotation/drill", "--scenario", "vali*/e*"
    )


def page(*reports: dict[str, Any], **more: Any) -> Parsed:
    """The page of these reports."""
    columns = tuple(Column(name=f"server {number}", report=one) for number, one in enumerate(reports))
    return Parsed(to_html(Matrix(columns=columns), **more))


# --- it stands alone, and holds together


@pytest.mark.parametrize("servers", [1, 2, 9])
def test_every_link_leads_to_a_place_on_the_page_and_every_place_is_one(faulty: Check, servers: int) -> None:
    """The grid leads to the cells, the findings too; two places of one name would lead to the first."""

    found = page(*[faulty.report] * servers)
    ids = Counter(attributes["id"] for _, attributes in found.tags if "id" in attributes)
    links = {str(attributes["href"]) for tag, attributes in found.tags if tag in ("a", "use")}
    assert [name for name, times in ids.items() if times > 1] == []
    assert {link.removeprefix("#") for link in links} - {str(one) for one in ids} == set()
    assert len(found.all("details")) >= servers * len(faulty.report["scenarios"])


def test_nothing_is_fetched(faulty: Check) -> None:
    """No address but those on the page itself, none in the style sheet, and a policy that forbids the rest."""

    found = page(faulty.report)
    fetched = [
        value for _, one in found.tags for name, value in one.items() if name in ("src", "href", "action", "data")
    ]
    assert [value for value in fetched if not str(value).startswith(("#", "data:,"))] == []
    assert "url(" not in found.text
    assert "@import" not in found.text
    (policy,) = [one["content"] for one in found.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy).startswith("default-src 'none'; style-src 'sha256-")


def test_it_can_be_read_without_its_script(faulty: Check) -> None:
    """Everything is text and native details; the script is small and makes buttons."""

    found = page(faulty.report)
    assert not found.all("button")
    for one in faulty.report["scenarios"]:
        assert one["title"] in found.shown
    assert len(files("pytest_mtls.harness.report").joinpath("templates", "page.js").read_text("utf-8")) < 2_500


def test_the_grid_is_a_table_for_everybody(faulty: Check) -> None:
    """Caption, column, row and group headers, a word behind every symbol, and one heading of the first level."""

    found = page(faulty.report, faulty.report)
    scopes = Counter(one.get("scope") for one in found.all("th"))
    areas = {one["id"].partition("/")[0] for one in faulty.report["scenarios"]}
    assert scopes["row"] == len(faulty.report["scenarios"])
    assert scopes["rowgroup"] == len(areas)
    assert (len(found.all("caption")), len(found.all("h1"))) == (1, 1)
    assert [one for one in found.all("svg") if one.get("role") != "img" and one.get("aria-hidden") != "true"] == []
    assert [one for one in found.all("svg") if one.get("role") == "img" and not one.get("aria-label")] == []
    for link in re.findall(r'<a class="mark.*?</a>', found.text):
        assert re.search(r'<span class="hidden">(passed|failed|warned|skipped|inconclusive)', link)


# --- contrast (WCAG 2.2, 1.4.3: 4.5 to 1 for text)


def colours(scheme: str) -> dict[str, str]:
    """The variables of the light or the dark scheme."""
    style = files("pytest_mtls.harness.report").joinpath("templates", "page.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))


def luminance(colour: str) -> float:
    """Relative luminance, by WCAG's definition."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(scheme: str) -> None:
    """On each of the backgrounds that it stands on."""

    found = colours(scheme)
    pairs = [*product(("fg", "muted", "link", *Result), ("bg", "soft")), *((one, f"{one}-bg") for one in Result)]
    pairs += [("fg", "line")]
    ratios = {}
    for text, ground in pairs:
        darker, lighter = sorted((luminance(found[text]), luminance(found[ground])))
        ratios[text, ground] = round((lighter + 0.05) / (darker + 0.05), 2)
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


# --- nothing in a report is more than text


def everywhere(data: Any, change: Callable[[str], str], member: str = "") -> Any:
    """*data* with *change* made to every text but those that have to be known words."""
    if isinstance(data, dict):
        return {name: everywhere(value, change, name) for name, value in data.items()}
    if isinstance(data, list):
        return [everywhere(one, change, member) for one in data]
    known = ("schema", "outcome", "started", "role", "kind")
    return change(data) if isinstance(data, str) and member not in known else data


def test_no_text_of_a_report_becomes_markup(faulty: Check) -> None:
    """Names, reasons, headers, bodies, subjects, commands, notes, events: each with a script at its end."""

    plain = page(faulty.report, faulty.report)
    change = Change(server=EVIL, id=EVIL, profile=EVIL, before="passed", after="failed", kind="worse", reason=EVIL)
    report = everywhere(faulty.report, lambda text: text + EVIL)
    columns = (Column(name=EVIL, report=report), Column(name=f"b{EVIL}", report=report, problem=EVIL, source=EVIL))
    found = Parsed(to_html(Matrix(columns=columns), compared=EVIL, changes=[change]))
    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in plain.tags}
    assert len(found.all("script")) == 1
    assert not [name for _, one in found.tags for name in one if name.startswith("on") or name == "src"]
    assert "alert(1)" in found.shown
    assert "{{ 7*7 }}" in found.shown


def test_a_server_cannot_write_into_the_page(checks: Checks) -> None:
    """By its Server header, which a real one sent."""

    command = f"python3 {SERVERS / 'unruly.py'} --name '<script>alert(1)</script>'"
    run = checks("--command", command, "--scenario", "presence/certificate-requested")
    assert run.report["seen"]["server_header"] == "<script>alert(1)</script>"
    found = page(run.report)
    assert len(found.all("script")) == 1
    assert "<script>alert(1)</script>" in found.shown


# --- what it shows


def test_a_finding_has_evidence_remedy_and_command(faulty: Check) -> None:
    """All that the terminal tells, and what was presented."""

    shown = page(faulty.report).shown
    finding = faulty.scenario("trust/other-customer-same-name")
    for text in (finding["remedy"], finding["reproduce"], "its own, not the trusted one", "HTTP 200"):
        assert text in shown
    assert "a client certificate, of CN=ApiGateway,L=Seattle,C=US" in shown  # what I see


def test_the_page_needs_no_cases() -> None:
    """A run that was broken off, one that never reached its target, and one without any scenario."""

    interrupted = report(outcome(SKIPPED), problems=("interrupted",))
    assert "interrupted" in Parsed(report_to_html(interrupted)).shown
    assert "was never reached" in Parsed(report_to_html(report())).shown
    nothing = Matrix(columns=(Column(name="gone", report=None, problem="not done within 3 s"),))
    assert "Not judged: not done within 3 s" in re.sub(r"\s+", " ", Parsed(to_html(nothing)).shown)


def test_cases_that_went_alike_under_both_versions_are_one_line(faulty: Check) -> None:
    """Twice the lines would say nothing more; each keeps its time."""

    (row,) = [
        row
        for area in page_of(Matrix(columns=(Column(name="one", report=faulty.report),))).areas
        for row in area.rows
        if row.id == "trust/other-customer-same-name"
    ]
    assert row.cells[0] is not None
    (case,) = row.cells[0].cases
    assert (case.tls, [one.tls for one in case.timings]) == ("1.2, 1.3", ["1.2", "1.3"])


def test_a_row_has_a_gap_where_a_server_did_not_run_a_scenario() -> None:
    """Reports of different selections can stand side by side."""

    first, second = report(outcome(FAILED, id="trust/a")).to_json(), report(outcome(FAILED, id="trust/b")).to_json()
    columns = (Column(name="one", report=first), Column(name="two", report=second))
    rows = [row for area in page_of(Matrix(columns=columns)).areas for row in area.rows]
    assert [[cell is not None for cell in row.cells] for row in rows] == [[True, False], [False, True]]


# --- pictures

PRESENTED = {
    "name": "good",
    "subject": "CN=leaf",
    "issuer": "CN=root",
    "serial": "1f",
    "not_before": "2026-01-01T00:00:00+00:00",
    "not_after": "2027-01-01T00:00:00+00:00",
    "sha256": "ab" * 32,
    "chain": [],
}


def drawn(**changes: Any) -> Any:
    """The picture of such a credential, in a run of June 2026."""
    began = report().started.replace(month=6)
    return picture(Place(PRESENTED | changes), began, began.replace(minute=40))


def marked(one: Any) -> list[tuple[str, str]]:
    """Labels and texts of the marked lines."""
    return [(line.label, line.full) for box in one.boxes for line in box.lines if line.marked]


def test_a_picture_shows_what_was_sent_and_what_was_not() -> None:
    """The issuer that is not sent stands in a box of its own; a self-signed certificate has none."""

    assert [box.kind for box in drawn().boxes] == ["leaf", "unsent"]
    assert [box.kind for box in drawn(chain=["CN=root"]).boxes] == ["leaf", "authority"]
    assert [box.kind for box in drawn(subject="CN=root").boxes] == ["leaf"]
    assert marked(drawn()) == []


def test_a_link_that_is_none_is_broken() -> None:
    """The certificate behind the leaf is not the one that signed it."""

    assert [link.broken for link in drawn(chain=["CN=root", "CN=top"]).links] == [False, False]
    assert [link.broken for link in drawn(chain=["CN=other"]).links] == [True]


@pytest.mark.parametrize(
    ("changes", "text", "words"),
    [
        ({"not_after": "2026-05-01T00:00:00+00:00"}, "2026-01-01 to 2026-05-01", "expired"),
        ({"not_before": "2026-07-01T00:00:00+00:00"}, "2026-07-01 to 2027-01-01", "not valid yet"),
        ({"not_after": "2026-06-01T09:35:00+00:00"}, "2026-01-01 to 2026-06-01", "they end while it is tried"),
    ],
)
def test_dates_are_marked_whatever_the_credential_is_called(changes: dict[str, str], text: str, words: str) -> None:
    """Compared with the time of the run."""

    assert marked(drawn(**changes)) == [("valid", text), ("dates", words)]


@pytest.mark.parametrize("name", DEFECTS)
def test_every_defect_is_marked_and_explained(name: str) -> None:
    """Somewhere in the picture, in one line of its own or on what is there."""

    one = drawn(name=name, chain=["CN=root"])
    assert marked(one) or any(link.broken for link in one.links), "say in _FACTS what of this defect is marked"
    assert one.why == DEFECTS[name].why


def test_marks_are_of_defects_that_there_are() -> None:
    """A defect that was renamed would lose its mark silently."""

    assert set(_FACTS) - set(DEFECTS) == set()


def test_long_texts_are_cut_and_kept() -> None:
    """A box has its width; the whole stands in the title and in the picture's words."""

    subject = "CN=" + "x" * 200
    one = drawn(subject=subject)
    line = one.boxes[0].lines[0]
    assert (len(line.text), line.full) == (34, subject)
    assert subject in one.alternative


def drill(*events: str, failed: str = "") -> Any:
    """The picture of a drill with these events; the case *failed* failed, the others held."""
    timeline = [{"milliseconds": 10.0 * number, "event": text} for number, text in enumerate(events)]
    cases = [
        {"what": what, "tls": "1.3", "reason": reason, "outcome": "failed" if text == failed else "passed"}
        for text in events
        if ", TLS 1.3: " in text
        for what, _, reason in [text.partition(", TLS 1.3: ")]
    ]
    return drill_picture(Place({"timeline": timeline, "cases": cases}))


def test_the_drill_has_its_steps_changes_and_losses() -> None:
    """Steps as lines, the time until a change was in effect, and each event where it belongs."""

    lost = "new certificate, second in the truststore, TLS 1.3: expected accepted, saw rejected: HTTP 400"
    found = drill(
        "backend started with 2 certificates in its truststore",
        "step 1, generate: the new certificate exists",
        "generated: old certificate, TLS 1.3: accepted: HTTP 200",
        "generated: new certificate, not yet added, TLS 1.3: rejected: HTTP 400",
        "step 2, add: the new certificate is added behind the old one",
        "truststore replaced by 2 certificates",
        "reload in effect after 231 ms",
        lost,
        "session of the old certificate by PSK, TLS 1.3: accepted: HTTP 200",
        "restart not in effect within 5000 ms",
        failed=lost,
    )
    assert [(step.number, step.name) for step in found.steps] == [("1", "generate"), ("2", "add")]
    assert [change.text for change in found.changes] == ["231 ms", "> 5000 ms"]
    assert [mark.kind for mark in found.marks] == ["served", "refused", "lost", "served"]
    assert len({mark.y for mark in found.marks}) == 3
    assert [one.x for one in found.marks] == sorted(one.x for one in found.marks)
    assert (found.lost, found.intruders) == (1, 0)


def test_whoever_gets_in_wrongly_is_no_loss() -> None:
    """The opposite mistake has a mark of its own."""

    wrong = "removed: old certificate, TLS 1.3: expected rejected, saw accepted: HTTP 200"
    found = drill("step 4, remove: only the new one", wrong, failed=wrong)
    assert ([mark.kind for mark in found.marks], found.lost, found.intruders) == (["intruder"], 0, 1)


def test_other_scenarios_have_no_such_picture() -> None:
    """Their timelines are lists."""

    assert drill("backend started with 2 certificates in its truststore") is None
