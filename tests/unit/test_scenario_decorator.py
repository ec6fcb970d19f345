"""The scenario decorator, and what it made of the catalogue."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from pytest_mtls import scenarios as scenarios_package
from pytest_mtls.harness.backend.contract import Capability
from pytest_mtls.harness.scenario import INFO, PRIVATE_CA, SHOULD, Scenario, catalogue

CATALOGUE = tuple(catalogue().values())
_each = pytest.mark.parametrize("one", CATALOGUE, ids=lambda one: one.id)

_GOOD = """
from pytest_mtls.harness.scenario import {level}, PRIVATE_CA, scenario


@scenario(
    level={level}, profiles={profiles}, references={references}, remedy={remedy}, needs={needs}
)
def {name}(mtls_trial):
    {docstring}
"""

_DEFAULTS = {
    "level": "MUST",
    "profiles": "(PRIVATE_CA,)",
    "references": "('RFC 5280 6.1',)",
    "remedy": "'Do\\n    this.'",
    "needs": "()",
    "name": "some_thing",
    "docstring": '''"""Somebody
    MUST be refused.

    What is done
    to provoke it.
    """''',
}


def _source(**changes: str) -> str:
    return _GOOD.format(**(_DEFAULTS | changes))


class Modules:
    """Imports modules of scenarios from files, with a register of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def write(self, source: str, area: str = "some_area") -> Path:
        """A module file for this *area*, in a folder of its own."""
        self._count += 1
        path = self._folder / str(self._count) / f"{area}.py"
        path.parent.mkdir()
        path.write_text(source)
        return path

    def load(self, path: Path) -> ModuleType:
        """Import that file as a module of a package of scenarios."""
        spec = spec_from_file_location(f"anybodys.scenarios.{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def scenario(self, source: str, area: str = "some_area", name: str = "some_thing") -> Scenario:
        """The scenario that a module of this *source* registers."""
        found: Scenario = getattr(self.load(self.write(source, area)), name).__mtls_scenario__
        return found


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Modules:
    """A place for modules; what they register is forgotten afterwards."""
    monkeypatch.setattr("pytest_mtls.harness.scenario._registered", {})
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Modules(tmp_path)


# --- what a scenario is


def test_the_id_is_made_of_module_and_function(modules: Modules) -> None:
    """Underscores become hyphens, on both sides of the slash."""

    one = modules.scenario(_source(name="other_customer_2"), "forwarded_header", "other_customer_2")
    assert (one.id, one.area) == ("forwarded-header/other-customer-2", "forwarded-header")


def test_the_first_paragraph_is_the_requirement(modules: Modules) -> None:
    """In one line, whatever the docstring's line ends."""

    assert modules.scenario(_source()).requirement == "Somebody MUST be refused."


def test_the_rest_of_the_docstring_is_what_provokes_it(modules: Modules) -> None:
    """In one line too."""

    assert modules.scenario(_source()).provoked_by == "What is done to provoke it."


def test_the_remedy_is_one_line(modules: Modules) -> None:
    """It is written over several for the width of the page only."""

    assert modules.scenario(_source()).remedy == "Do this."


def test_what_was_declared_is_kept(modules: Modules) -> None:
    """Level, profiles and references are as they stand in the source."""

    one = modules.scenario(_source(level="SHOULD"))
    assert (one.level, one.profiles, one.references) == (SHOULD, (PRIVATE_CA,), ("RFC 5280 6.1",))


@pytest.mark.parametrize("capability", Capability)
def test_every_capability_can_be_needed(modules: Modules, capability: Capability) -> None:
    """By its published word; it becomes a member."""

    assert modules.scenario(_source(needs=f"({capability.value!r},)")).needs == (capability,)


def test_the_function_stays_itself(modules: Modules) -> None:
    """The decorator registers and changes nothing, so that a scenario can be called."""

    module = modules.load(modules.write(_source()))
    assert module.some_thing.__mtls_scenario__.function is module.some_thing


# --- what fails at import


@pytest.mark.parametrize(
    "changes",
    [
        {"docstring": "pass"},
        {"docstring": '""""""'},
        {"references": "()"},
        {"remedy": "''"},
        {"profiles": "()"},
    ],
    ids=["no docstring", "empty docstring", "no references", "no remedy", "no profiles"],
)
def test_what_is_missing_fails_at_import(modules: Modules, changes: dict[str, str]) -> None:
    """The message names the scenario and its place, and lists what it takes."""

    message = r"^scenario some-area/some-thing \(.*some_area\.py:\d+\): needs a docstring, profiles, references and a"
    with pytest.raises(ValueError, match=message):
        modules.load(modules.write(_source(**changes)))


def test_an_unknown_capability_fails_at_import(modules: Modules) -> None:
    """A misspelt one would skip the scenario for ever; the message lists the known ones."""

    message = r"^scenario some-area/some-thing \(.*some_area\.py:\d+\): unknown capability 'relaod'; known: start, "
    with pytest.raises(ValueError, match=message):
        modules.load(modules.write(_source(needs="('start', 'relaod')")))


def test_a_duplicate_in_another_file_fails_at_import(modules: Modules) -> None:
    """The message names both places."""

    modules.load(modules.write(_source()))
    message = r"^duplicate scenario some-area/some-thing: in .*1/some_area\.py:\d+ and in .*2/some_area\.py:\d+$"
    with pytest.raises(ValueError, match=message):
        modules.load(modules.write(_source()))


def test_a_duplicate_in_the_same_file_fails_at_import(modules: Modules) -> None:
    """Python itself would silently keep the second function."""

    message = r"^duplicate scenario some-area/some-thing: in .*some_area\.py:5 and in .*some_area\.py:\d\d$"
    with pytest.raises(ValueError, match=message):
        modules.load(modules.write(_source() + _source()))


def test_a_file_may_be_imported_twice(modules: Modules) -> None:
    """pytest may import a module anew; it is the same scenario in the same place."""

    path = modules.write(_source())
    first, second = modules.load(path), modules.load(path)
    assert first.some_thing.__mtls_scenario__.id == second.some_thing.__mtls_scenario__.id


def test_one_name_in_two_areas_is_no_duplicate(modules: Modules) -> None:
    """The area is part of the id."""

    ids = {modules.scenario(_source(), area).id for area in ("trust", "chain")}
    assert ids == {"trust/some-thing", "chain/some-thing"}


# --- the catalogue


def test_the_catalogue_is_not_empty() -> None:
    """Nothing below would be examined otherwise."""

    assert len(CATALOGUE) >= 20


def test_the_catalogue_is_known_by_id() -> None:
    """Each scenario stands under its own id."""

    assert [one.id for one in CATALOGUE] == list(catalogue())


@_each
def test_an_id_is_area_and_kebab_name(one: Scenario) -> None:
    """Reports and scripts rely on the form."""

    assert re.fullmatch(r"[a-z-]+/[a-z0-9-]+", one.id)


@_each
def test_an_id_is_where_its_module_says(one: Scenario) -> None:
    """The area is the module, so that a scenario is found by its id."""

    assert one.area == one.function.__module__.rpartition(".")[2].replace("_", "-")


@_each
def test_a_requirement_says_its_level(one: Scenario) -> None:
    """MUST or SHOULD stands in the sentence, and is the level that is declared; INFO requires nothing."""

    words = set(re.findall(r"\b(?:MUST|SHOULD)\b", one.requirement))
    assert words == (set() if one.level is INFO else {one.level.value})


@_each
def test_a_requirement_is_a_sentence(one: Scenario) -> None:
    """It is the title in every report."""

    assert one.requirement.endswith(".") and len(one.requirement) <= 160


@_each
def test_a_scenario_tells_how_it_is_provoked(one: Scenario) -> None:
    """Who reads a failure wants to know what was sent."""

    assert len(one.provoked_by.split()) >= 3


@_each
def test_a_scenario_cites_something(one: Scenario) -> None:
    """An RFC with its section, a CVE, an issue, or the documentation of API Gateway or CloudSploit."""

    known = re.compile(r"RFC \d{3,4} [A-Z\d]|CVE-\d{4}-\d{4,}$|[a-z]+ issue \d+$|(API Gateway|CloudSploit): \S")
    assert one.references
    assert [reference for reference in one.references if not known.match(reference)] == []


@_each
def test_a_remedy_is_one_line(one: Scenario) -> None:
    """It says what to do, in whole sentences."""

    assert re.fullmatch(r"[^\n]{40,}\.", one.remedy)


@_each
def test_a_scenario_names_no_profile_twice(one: Scenario) -> None:
    """It would run twice and count double."""

    assert len(set(one.profiles)) == len(one.profiles)


def test_each_id_stands_in_one_place() -> None:
    """Read from the source: as many decorated functions as ids, none of them twice, none left out."""

    (folder,) = scenarios_package.__path__
    ids = Counter(
        f"{path.stem}/{name}".replace("_", "-")
        for path in sorted(Path(folder).glob("*.py"))
        for name in _decorated(ast.parse(path.read_text("utf-8")), "scenario")
    )
    assert ids == Counter(list(catalogue()))


def _decorated(tree: ast.Module, decorator: str) -> Iterator[str]:
    """The names of all functions of a module that are decorated so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(_is_call_of(one, decorator) for one in node.decorator_list):
            yield node.name


def _is_call_of(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


# --- capabilities


@pytest.mark.parametrize(
    ("capability", "implied"),
    [
        (Capability.START, {"start"}),
        (Capability.RELOAD, {"start", "reload"}),
        (Capability.LIVE_RELOAD, {"start", "reload", "live-reload"}),
        (Capability.WITNESS, {"witness"}),
    ],
)
def test_a_capability_implies_the_lesser_ones(capability: Capability, implied: set[str]) -> None:
    """Who reloads was started; the others stand alone."""

    assert capability.implied == implied


def test_start_and_reload_are_the_core() -> None:
    """A MUST that is skipped for want of another changes nothing."""

    assert {one for one in Capability if one.core} == {Capability.START, Capability.RELOAD}
