"""What more than one of the modules beside this file judges, and the program that judges it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .defect_samples import Kit
from .openssl import Verify


@pytest.fixture(scope="session")
def kit() -> Kit:
    """All samples and defects, each made once."""
    return Kit()


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """The program ``openssl verify``; skips where there is none."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl program is not installed")
    return Verify(program, tmp_path)
