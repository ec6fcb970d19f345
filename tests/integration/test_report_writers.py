"""The writers on outcomes that no run has at hand: which result comes first, and what is shown of it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from pytest_mtls.harness.errors import UsageError
from pytest_mtls.harness.outcome import Result
from pytest_mtls.harness.report.junit import to_junit
from pytest_mtls.harness.report.markdown import to_markdown
from pytest_mtls.harness.report.model import Report, Summary
from pytest_mtls.harness.report.recorder import Recorder
from pytest_mtls.harness.report.terminal import Terminal
from pytest_mtls.harness.settings import parse

from .made_reports import FAILED, FAILS, INCONCLUSIVE, PASSED, SKIPPED, WARNED, outcome, report

LEFT_OUT = outcome(SKIPPED, missing=("start",))
NOT_ASSESSED = outcome(SKIPPED, id="vhost/skipped", missing=("vhosts",))


def shown(made: Report, **options: Any) -> str:
    """What the terminal shows of a run."""
    out = io.StringIO()
    terminal = Terminal(out, **options)
    terminal.begin(made.name, made.version, made.profiles)
    for one in made.outcomes:
        terminal.scenario(one)
    terminal.end(made)
    return out.getvalue()


# --- the result


@pytest.mark.parametrize(
    ("made", "result", "code", "strict_code"),
    [
        (report(outcome(PASSED)), "conformant", 0, 0),
        (report(outcome(PASSED), outcome(WARNED)), "conformant", 0, 0),
        (report(outcome(PASSED), NOT_ASSESSED), "conformant", 0, 0),
        (report(outcome(PASSED), outcome(SKIPPED)), "conformant", 0, 0),
        (report(outcome(PASSED), LEFT_OUT), "partial", 0, 3),
        (report(outcome(PASSED), replace(LEFT_OUT, level="SHOULD")), "conformant", 0, 0),
        (report(outcome(PASSED), LEFT_OUT, outcome(INCONCLUSIVE)), "inconclusive", 3, 3),
        (report(outcome(PASSED), LEFT_OUT, outcome(FAILED)), "nonconformant", 1, 1),
        (report(outcome(PASSED), outcome(INCONCLUSIVE), outcome(FAILED)), "nonconformant", 1, 1),
        (report(outcome(PASSED), outcome(FAILED), problems=("lost",)), "inconclusive", 3, 3),
        (report(outcome(PASSED), problems=("lost",)), "inconclusive", 3, 3),
        (report(), "inconclusive", 3, 3),
        (report(problems=("interrupted",)), "inconclusive", 3, 3),
    ],
    ids=lambda value: (
        "+".join([*(one.outcome for one in value.outcomes), *value.problems]) if isinstance(value, Report) else ""
    ),
)
def test_the_result_that_matters_most_comes_first(made: Report, result: str, code: int, strict_code: int) -> None:
    """A run that cannot be trusted, a finding, something unclear, something left out, and only then success."""

    assert (made.result, made.exit_code, replace(made, strict=True).exit_code) == (result, code, strict_code)


def test_the_url_is_the_first_that_was_reached() -> None:
    """Scenarios that were skipped before do not know it."""

    made = report(
        outcome(SKIPPED, target={"url": None, "tls": []}),
        outcome(PASSED, target={"url": "https://localhost:1/", "tls": ["1.3"]}),
        outcome(FAILED, target={"url": "https://localhost:2/", "tls": ["1.2", "1.3"]}),
    )
    assert (made.url, made.tls) == ("https://localhost:1/", ("1.2", "1.3"))


# --- JSON


@pytest.mark.parametrize("made", [report(), report(*(outcome(one) for one in Result), LEFT_OUT, problems=("lost",))])
def test_every_outcome_is_valid_by_the_schema(made: Report) -> None:
    """Warned and skipped ones too, and none at all."""

    schema = json.loads(files("pytest_mtls.harness.report").joinpath("report.schema.json").read_text("utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(json.loads(json.dumps(made.to_json())))) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(more=1),
        lambda data: data.pop("tool"),
        lambda data: data["summary"].update(result="fine"),
        lambda data: data["scenarios"][0].update(outcome="xfailed"),
        lambda data: data["scenarios"][0].update(level="SHOULD", outcome="warned", title=""),
        lambda data: data["scenarios"][0].update(outcome="warned"),
        lambda data: data["scenarios"][0].update(cases=[]),
        lambda data: data["scenarios"][0]["cases"][0].update(tls="1.1"),
        lambda data: data.update(started="2026-03-01T09:30:00+00:00"),
    ],
)
def test_the_schema_refuses_what_is_no_report(spoil: Any) -> None:
    """An unknown member or word, a missing one, a MUST that warns, a pass without a case."""

    schema = json.loads(files("pytest_mtls.harness.report").joinpath("report.schema.json").read_text("utf-8"))
    data = json.loads(json.dumps(report(outcome(PASSED)).to_json()))
    spoil(data)
    assert not Draft202012Validator(schema).is_valid(data)


def test_half_a_character_spoils_no_report(tmp_path: Path) -> None:
    """A command line may have octets that are no UTF-8; Python keeps them as lone surrogates."""

    settings = parse({"json": str(tmp_path / "report.json"), "junit": str(tmp_path / "junit.xml")})
    recorder = Recorder(settings)
    recorder.add(outcome(INCONCLUSIVE, reason="gr\udcfcn"))
    recorder.finish()
    assert json.loads((tmp_path / "report.json").read_bytes())["scenarios"][0]["reason"] == "gr?n"
    assert (
        ElementTree.parse(tmp_path / "junit.xml").findall(".//error")[0].get("message")
        == "gr\N{REPLACEMENT CHARACTER}n"
    )


def test_one_report_that_cannot_be_written_does_not_keep_the_other_from_it(tmp_path: Path) -> None:
    """The one that can is written, and both mishaps are told."""

    gone = tmp_path / "gone"
    gone.mkdir()
    recorder = Recorder(parse({"json": str(gone / "a"), "junit": str(tmp_path / "b")}))
    recorder.add(outcome(PASSED))
    gone.rmdir()
    with pytest.raises(
        UsageError, match=r"^--json \(.*/gone/a\): expected a file that can be written, saw: No such file"
    ):
        recorder.finish()
    assert ElementTree.parse(tmp_path / "b").getroot()[0].get("tests") == "1"


def test_the_version_of_a_built_in_server_stands_in_every_report() -> None:
    """Null where nothing tells it; the terminal then has no word about it."""

    made = replace(report(outcome(PASSED)), version="1.22.1")
    assert (made.to_json()["target"]["version"], report().to_json()["target"]["version"]) == ("1.22.1", None)
    assert ": ./server (version 1.22.1), profile gateway\n" in shown(made)
    assert ": ./server, profile gateway\n" in shown(report(outcome(PASSED)))
    assert "./server (version 1.22.1): 1 passed" in to_markdown(made)
    properties = ElementTree.fromstring(to_junit(made))[0].iter("property")
    assert {one.get("name"): one.get("value") for one in properties}["version"] == "1.22.1"


# --- JUnit


def test_junit_has_an_element_for_each_outcome() -> None:
    """What failed fails, what was not proved is an error, what warns passes and says so."""

    made = report(*(outcome(one) for one in Result), problems=("lost",))
    suite = ElementTree.fromstring(to_junit(made))[0]
    assert [[child.tag for child in case] for case in suite.iter("testcase")] == [
        [],
        ["failure"],
        ["system-out"],
        ["skipped"],
        ["error"],
        ["error"],
    ]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "1",
        "errors": "2",
        "skipped": "1",
    }
    assert (suite.findtext(".//system-out") or "").startswith("warned: A stranger MUST be refused.")


def test_junit_takes_any_character() -> None:
    """Also those that XML has no way to write."""

    everything = "".join(map(chr, [*range(0x100), 0x2028, 0xD800, 0xFFFE, 0xFFFF, 0x1F600]))
    made = report(outcome(FAILED, reason=everything, notes=(everything,)), problems=(everything,))
    suite = ElementTree.fromstring(to_junit(replace(made, name=everything)))[0]
    assert "\N{GRINNING FACE}" in suite.findall(".//failure")[0].get("message", "")


# --- the terminal


def test_what_is_inconclusive_for_one_reason_is_explained_once() -> None:
    """And a problem of the run that says the same is not repeated."""

    lost = [outcome(INCONCLUSIVE, id=f"trust/number-{number}", reason="it was lost") for number in range(50)]
    text = shown(report(outcome(PASSED), *lost, problems=("it was lost", "another thing")))
    assert text.count("it was lost") == 1
    assert "\ninconclusive 50 scenarios\n  why        it was lost\n  which      trust/number-0, trust/number-1," in text
    assert "\nrun inconclusive: another thing\n" in text


def test_all_is_enough_where_all_are_inconclusive() -> None:
    """Nobody reads a list of everything."""

    lost = [outcome(INCONCLUSIVE, id=f"trust/number-{number}", reason="it was lost") for number in range(5)]
    assert "  which      all\n" in shown(report(*lost))


def test_what_was_left_out_is_loud_and_what_was_not_declared_is_not() -> None:
    """The first makes the result partial, the second changes nothing."""

    text = shown(report(outcome(PASSED), LEFT_OUT, NOT_ASSESSED, outcome(SKIPPED)))
    assert (
        "\nPARTIAL: 1 MUST scenario was not run, because the target lacks: start\n  which      trust/skipped\n" in text
    )
    assert "\nnot assessed: 1 for want of vhosts\n" in text
    assert text.endswith("\npartial: 1 passed, 3 skipped in 1.2 s\n")


def test_several_profiles_are_told_apart() -> None:
    """Behind each id."""

    made = report(outcome(FAILED), outcome(FAILED, profile="private-ca"))
    text = shown(made, several_profiles=True)
    assert re.search(r"^failed +trust/failed \[gateway\] +because", text, re.MULTILINE)
    assert "\nfailed trust/failed [private-ca] (MUST)\n" in text


def test_quiet_shows_what_did_not_pass() -> None:
    """Findings and warnings as they come, and the explanations at the end."""

    text = shown(report(*(outcome(one) for one in Result)), verbosity=-1)
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[: lines.index("")]] == ["failed", "warned"]
    assert "\ninconclusive 1 scenario\n" in text


def test_verbose_shows_every_case() -> None:
    """And why something is inconclusive where it happens."""

    text = shown(report(outcome(FAILED), outcome(INCONCLUSIVE)), verbosity=1)
    assert "\n               TLS 1.3  stranger: expected rejected, saw accepted: HTTP 200\n" in text
    assert re.search(r"^inconclusive trust/inconclusive +because it inconclusive$", text, re.MULTILINE)


@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_no_character_of_a_server_reaches_the_terminal_as_a_command(verbosity: int) -> None:
    """Escape sequences in a certificate's name or a log could rewrite what was shown before."""

    evil = "\x1b[2J\x1b]0;owned\x07 \r\b\x9b31m two\nlines"
    case = replace(FAILS, what=evil, reason=evil)
    made = report(
        outcome(FAILED, reason=evil, cases=(case,), notes=(evil,)), outcome(INCONCLUSIVE, reason=evil), problems=(evil,)
    )
    text = shown(made, verbosity=verbosity)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert [line for line in text.splitlines() if line.startswith("lines")] == []


def test_a_command_to_repeat_is_shown_as_it_is() -> None:
    """Blanks in it may matter, and it is to be copied."""

    command = "pytest-mtls check --command 'sh -c \"a  b\"' " + "x" * 200
    assert f"  reproduce  {command}\n" in shown(report(outcome(FAILED, reproduce=command)))


def test_nothing_at_all_is_said_to_be_nothing() -> None:
    """An empty run is no success."""

    text = shown(report(problems=("interrupted",)))
    assert text.endswith("\nrun inconclusive: interrupted\n\ninconclusive: no scenario ran in 1.2 s\n")
    assert report(problems=("interrupted",)).result is Summary.INCONCLUSIVE
