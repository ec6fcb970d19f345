"""The examples of docs/fixtures.md, each run as it stands there, and once more without the line that cures the rotation trap."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from .checks import PROGRAM, finished, require

PAGE = Path(__file__).parents[2] / "docs" / "fixtures.md"
BLOCK = re.compile(r"^```[a-z]+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CURE = re.compile(r"^.*(?:#|//) the cure\n", re.MULTILINE)
TRAP = {"rotation/both-new-first", "rotation/both-old-first"}

NODE = "Node, by its command"
Repository = Callable[[str], Path]
EXAMPLES = {
    "FastAPI under uvicorn": ("fastapi", "uvicorn"),
    "Flask under gunicorn": ("flask", "gunicorn"),
    "Django under gunicorn": ("django", "gunicorn"),
    NODE: (),
}
"""The servers' headings, and the packages that they need."""
TESTS = {"A client and its tests": 7, "Revocation": 6}
"""The headings of tests, and how many pass."""


def examples() -> dict[str, dict[str, str]]:
    """Heading -> file name -> content."""
    sections = re.split(r"^##+ ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    found = {section.partition("\n")[0]: dict(BLOCK.findall(section)) for section in sections}
    return {heading: files for heading, files in found.items() if files}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Writes the files of a heading into a folder; skips the test where what they need is not installed."""

    def write(heading: str) -> Path:
        for package in EXAMPLES.get(heading, ("httpx", "requests")):
            if find_spec(package) is None:
                pytest.skip(f"needs the package '{package}', which is not installed")
        if heading == NODE:
            require("node")
        for name, content in examples()[heading].items():
            (tmp_path / name).write_text(content, "utf-8")
        return tmp_path

    return write


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command as a user types it in *folder*, with the programs of this environment on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    pycache = str(folder.parent / "pycache")  # kept between commands, as pytest's rewriting is slow
    return finished(folder, *words, PATH=path, PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=pycache)


def outcomes_of(folder: Path, patterns: tuple[str, ...], *words: str) -> dict[str, str]:
    """Scenario -> outcome, of a run of the chosen ones by pytest, or by other words."""
    prefix = "--" if words else "--mtls-"
    words = words or (sys.executable, "-m", "pytest", "--pyargs", "pytest_mtls.scenarios")
    done = run(folder, *words, *(f"{prefix}scenario={pattern}" for pattern in patterns), f"{prefix}json=report.json")
    report = folder / "report.json"
    assert report.exists(), done.stdout + done.stderr
    outcomes = {one["id"]: one["outcome"] for one in json.loads(report.read_text("utf-8"))["scenarios"]}
    assert "inconclusive" not in outcomes.values(), done.stdout + done.stderr
    return outcomes


def test_page_has_the_examples_that_are_run() -> None:
    """A new one has to be run too."""
    assert {*TESTS, *EXAMPLES} == set(examples())


def test_every_fixture_is_in_the_table() -> None:
    """But for those that only the catalogue uses."""
    from pytest_mtls.fixtures import kit

    table = set(re.findall(r"^\| `(mtls_\w+)", PAGE.read_text("utf-8"), re.MULTILINE))

    assert table == set(kit.__all__) - {"mtls_bench", "mtls_gateway_server", "mtls_profile", "mtls_trial"}


@pytest.mark.parametrize(("heading", "passed"), TESTS.items())
def test_example_of_tests_passes(heading: str, passed: int, repository: Repository) -> None:
    """httpx, requests, a probe and a verdict; lists and responders."""
    done = run(repository(heading), sys.executable, "-m", "pytest", "-W", "error")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout


@pytest.mark.parametrize("heading", EXAMPLES)
def test_server_passes_as_it_stands(heading: str, repository: Repository) -> None:
    """With the cure, both gateway certificates of a rotation are let in."""
    outcomes = outcomes_of(repository(heading), ("presence/*", *TRAP))

    assert len(outcomes) == 4
    assert set(outcomes.values()) == {"passed"}


@pytest.mark.parametrize("heading", ["FastAPI under uvicorn", "Flask under gunicorn", NODE])
def test_server_falls_into_the_rotation_trap_without_the_cure(heading: str, repository: Repository) -> None:
    """The page says which servers, and up to which version of Python; Node is run by the command line that it gives."""
    folder = repository(heading)
    for path in folder.iterdir():
        path.write_text(CURE.sub("", path.read_text("utf-8")), "utf-8")
    words = (PROGRAM, "check", "--command", "node server.js") if heading == NODE else ()
    outcomes = outcomes_of(folder, ("presence/no-certificate", *TRAP), *words)

    spared = "gunicorn" in heading and sys.version_info >= (3, 13)
    assert {name for name, outcome in outcomes.items() if outcome == "failed"} == (set() if spared else TRAP)
    assert outcomes["presence/no-certificate"] == "passed"
