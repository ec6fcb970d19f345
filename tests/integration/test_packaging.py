"""The wheel installs one import package and nothing with a generic name; the checkout has the links."""

import os
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("harness", "fixtures", "scenarios")


def test_wheel_from_sdist_holds_every_source_file_once(tmp_path: Path) -> None:
    """Built as a release is: sdist, then wheel from the sdist."""
    subprocess.run([sys.executable, "-m", "build", "-n", "-o", tmp_path, ROOT], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    (sdist,) = tmp_path.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    with tarfile.open(sdist) as tar:
        shipped = [name.partition("/")[2] for name in tar.getnames()]

    assert {name.split("/")[0] for name in names} == {"pytest_mtls", f"pytest_mtls-{version('pytest-mtls')}.dist-info"}
    sources = {f.relative_to(ROOT).as_posix() for part in PARTS for f in (ROOT / part).rglob("*") if f.is_file()}
    sources = {name for name in sources if "__pycache__" not in name}
    assert sources <= set(shipped)
    assert not [name for name in shipped if name.startswith(tuple(f"src/pytest_mtls/{part}" for part in PARTS))]
    expected = {f"pytest_mtls/{name}" for name in sources} | {"pytest_mtls/__init__.py", "pytest_mtls/py.typed"}
    assert sorted(name for name in names if ".dist-info/" not in name) == sorted(expected)


@pytest.mark.parametrize("part", PARTS)
def test_each_folder_is_linked_relatively(part: str) -> None:
    """Editable installs and type checkers see the folders through src/pytest_mtls."""
    assert os.readlink(ROOT / "src/pytest_mtls" / part) == f"../../{part}"


@pytest.mark.parametrize("part", PARTS)
def test_a_folder_given_by_path_is_refused_with_advice(part: str) -> None:
    """By path the modules would be named scenarios.x, and relative imports fail."""
    run = subprocess.run([sys.executable, "-m", "pytest", part], cwd=ROOT, capture_output=True, text=True)

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"use pytest --pyargs pytest_mtls.{part}" in run.stderr
