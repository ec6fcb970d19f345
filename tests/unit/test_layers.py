"""Imports run downward only, and the house keeps its sizes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("harness", "fixtures", "scenarios")

# A module may import from its own room and from those further down in this list.
ROOMS = (
    "scenarios",
    "fixtures",
    "harness.cli",
    "harness.matrix",
    "harness.audit",
    "harness.report",
    "harness.settings",
    "harness.kit",
    "harness.trial",
    "harness.drill",
    "harness.remedies",
    "harness.subject",
    "harness.expectation",
    "harness.case_log",
    "harness.kept",
    "harness.reproduce",
    "harness.bench",
    "harness.survey",
    "harness.sanity",
    "harness.scenario",
    "harness.gateway",
    "harness.revocation",
    "harness.backend",
    "harness.verdict",
    "harness.outcome",
    "harness.tls",
    "harness.pki",
    "harness.leftovers",
    "harness.groups",
    "harness.wait",
    "harness.interrupt",
    "harness.clock",
    "harness.options",
    "harness.errors",
)
FILES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path != ROOT / package / "__init__.py"
)


def module_of(path: Path) -> str:
    """The dotted name of a file, without ``pytest_mtls``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    """The room that a module belongs to; None for the packages' own ``__init__``."""
    return next((room for room in ROOMS if module == room or module.startswith((f"{room}.", f"{room}_"))), None)


def imports_of(path: Path) -> set[str]:
    """The modules of ours that a file imports, also inside functions, but not for type checkers alone."""
    package = module_of(path).split(".") if path.name == "__init__.py" else module_of(path).split(".")[:-1]
    found = set()
    for node in ast.walk(without_type_checking(ast.parse(path.read_text("utf-8")))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {".".join([*base, name]) for name in names}
    return found


def without_type_checking(tree: ast.Module) -> ast.Module:
    """The tree without its ``if TYPE_CHECKING`` blocks."""

    class Remover(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)

    cleaned = Remover().visit(tree)
    assert isinstance(cleaned, ast.Module)
    return cleaned


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_module_imports_from_its_own_room_or_from_below(path: Path) -> None:
    """scenarios -> fixtures -> harness, and within the harness down to pki."""
    own = room_of(module_of(path))
    assert own is not None, "a new module needs a room: put it into ROOMS on purpose"
    above = ROOMS[: ROOMS.index(own)]

    assert {name for name in imports_of(path) if room_of(name) in above} == set()


@pytest.mark.parametrize("path", [path for path in FILES if "harness" in path.parts], ids=module_of)
def test_engine_imports_pytest_in_the_command_line_only(path: Path) -> None:
    """The engine knows nothing of pytest; ``cli`` alone starts it."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}

    assert "pytest" not in imported or path.name == "cli.py"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_module_has_one_job_and_fits(path: Path) -> None:
    """A module of more than 400 lines has two jobs."""
    assert len(path.read_text("utf-8").splitlines()) <= 400
