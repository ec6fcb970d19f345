"""The JSON reports of real runs: valid by the published schema, which is complete and explained."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pytest_mtls.harness.backend.contract import Capability
from pytest_mtls.harness.outcome import Result
from pytest_mtls.harness.report.model import Summary
from pytest_mtls.harness.scenario import Level, Profile
from pytest_mtls.harness.tls.observation import Closing, Phase, TlsVersion, Trouble

from .reported import RUNS, Reported

SCHEMA: dict[str, Any] = json.loads(
    files("pytest_mtls.harness.report").joinpath("report.schema.json").read_text("utf-8")
)
DOCUMENT = Path(__file__).parents[2] / "docs" / "report.md"


# --- exit codes


@pytest.mark.parametrize("name", RUNS)
def test_the_exit_code_follows_the_result(reported: Callable[[str], Reported], name: str) -> None:
    """0, 1 and 3 say what the report says; --strict takes neither a warning nor a partial result for success."""

    _, result, code = RUNS[name]
    found = reported(name)
    assert (found.result, found.run.code, found.run.err, found.run.left) == (result, code, "", ())


# --- JSON


def test_every_report_is_valid(each_report: Reported) -> None:
    """By the schema that is installed with the tool."""

    errors = [f"{one.json_path}: {one.message}" for one in Draft202012Validator(SCHEMA).iter_errors(each_report.report)]
    assert errors == []


def test_the_summary_counts_the_scenarios(each_report: Reported) -> None:
    """What no schema can say."""

    outcomes = [one["outcome"] for one in each_report.report["scenarios"]]
    assert {word: each_report.report["summary"][word] for word in Result} == {
        word: outcomes.count(word) for word in Result
    }
    assert len({(one["id"], one["profile"]) for one in each_report.report["scenarios"]}) == len(outcomes)


def test_no_private_key_is_in_a_report(each_report: Reported) -> None:
    """Reports are passed around."""

    assert "PRIVATE KEY" not in json.dumps(each_report.report) + each_report.junit.decode() + each_report.run.out


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in the schema that has members."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)


def members() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every member of every object, with its schema."""
    for one in objects(SCHEMA):
        yield from one["properties"].items()


def test_the_schema_is_one() -> None:
    """By its own schema."""

    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("schema", list(objects(SCHEMA)), ids=lambda schema: schema["description"])
def test_the_schema_leaves_nothing_open(schema: dict[str, Any]) -> None:
    """All members are named; but for the times of phases that were not reached, all are always there."""

    assert schema["additionalProperties"] is False
    assert set(schema["required"]) in ({*schema["properties"]}, {"end"})


@pytest.mark.parametrize(("name", "schema"), list(members()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_member_is_described_in_a_sentence(name: str, schema: dict[str, Any]) -> None:
    """The schema is documentation too."""

    assert re.fullmatch(r"[A-Z][^\n]+\.", schema["description"]), name


def test_the_words_of_the_schema_are_those_of_the_code() -> None:
    """A new word is added in both."""

    definitions = SCHEMA["$defs"]
    scenario, observation = definitions["scenario"]["properties"], definitions["observation"]["properties"]
    assert SCHEMA["properties"]["summary"]["properties"]["result"]["enum"] == list(Summary)
    assert scenario["outcome"]["enum"] == list(Result)
    assert scenario["level"]["enum"] == list(Level)
    assert definitions["profile"]["enum"] == list(Profile)
    assert definitions["capability"]["enum"] == list(Capability)
    assert definitions["tls"]["enum"] == list(TlsVersion)
    assert definitions["phase"]["enum"] == [phase.word for phase in Phase]
    assert definitions["trouble"]["properties"]["kind"]["enum"] == list(Trouble)
    assert observation["close"]["enum"] == [*Closing, None]
    assert list(observation["milliseconds"]["properties"]) == [*(one.word for one in list(Phase)[1:]), "end"]


# --- the document


def test_the_document_names_every_member_and_word() -> None:
    """What is in a report is explained; nothing else is needed to read one."""

    text = re.sub(r"```.*?```", "", DOCUMENT.read_text("utf-8"), flags=re.DOTALL)
    named = {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"[\w-]+", code)}
    wanted = {name for name, _ in members()}
    wanted |= {
        word for schema in (SCHEMA["properties"], SCHEMA["$defs"]) for word in _words(schema, {"capability", "kind"})
    }
    assert wanted - named == set()


def _words(schema: Any, without: set[str]) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (word for word in schema.get("enum", ()) if word and not re.match(r"\d", word))
        for name, value in schema.items():
            if name not in without:
                yield from _words(value, without)


def test_the_example_of_the_document_is_valid() -> None:
    """It would be copied into somebody's test."""

    (example,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert list(Draft202012Validator(SCHEMA).iter_errors(json.loads(example))) == []
