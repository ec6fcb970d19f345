"""The page on revocation shows the samples as they are, and a test that passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..checks import PYTEST, finished
from .authorizers import SAMPLES

BLOCK = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((SAMPLES.parent / "revocation.md").read_text("utf-8"))
SHOWN = [(name, lines) for name, lines in BLOCKS if name.startswith("samples/")]


def test_page_shows_lines_of_both_samples() -> None:
    assert {name for name, _ in SHOWN} == {"samples/crl_authorizer.py", "samples/ocsp_authorizer.py"}


@pytest.mark.parametrize(("name", "lines"), SHOWN)
def test_lines_on_the_page_are_those_of_the_sample(name: str, lines: str) -> None:
    assert lines in (SAMPLES.parent / name).read_text("utf-8")


def test_test_on_the_page_passes(tmp_path: Path) -> None:
    """As it stands there, with the samples on the path."""
    (content,) = (lines for name, lines in BLOCKS if name == "test_authorizer.py")
    (tmp_path / "test_authorizer.py").write_text(content, "utf-8")
    done = finished(tmp_path, *PYTEST, "-q", "-W", "error", within=60, PYTHONPATH=str(SAMPLES))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
