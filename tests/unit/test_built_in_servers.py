"""Built-in servers as data: what they need, how old they may be, what a cure leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mtls.harness.backend.server import (
    Need,
    file_needed,
    in_quotes,
    newer_than,
    npm_package,
    program,
    python_package,
    version_by,
)
from pytest_mtls.harness.backend.servers import find_server, servers
from pytest_mtls.harness.errors import UsageError

ABSENT = [
    (program("no-such-program", "its-package"), "apt-get install its-package"),
    (file_needed("/no/such.jar", "libsuch-java"), "apt-get install libsuch-java"),
    (python_package("no_such_package"), "pip install no_such_package"),
    (npm_package("no-such-package"), "npm install no-such-package"),
]


@pytest.mark.parametrize(("need", "how"), ABSENT, ids=lambda one: one.what if isinstance(one, Need) else "")
def test_what_is_not_installed_says_how_to_get_it(need: Need, how: str) -> None:
    """In one sentence."""
    assert not need.is_there()
    assert need.get.endswith(f"{how}.")


def test_what_is_installed_is_found() -> None:
    """Whatever the tests run on has these."""
    assert program("sh", "dash").is_there() and file_needed("/", "base-files").is_there()
    assert python_package("aiohttp").is_there()


@pytest.mark.parametrize("by", ["NODE_PATH", "working directory"])
def test_npm_package_is_found_where_node_is_told_to_look(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder of NODE_PATH, or in ./node_modules."""
    (tmp_path / "node_modules" / "some-package").mkdir(parents=True)
    if by == "NODE_PATH":
        monkeypatch.setenv("NODE_PATH", f"/no/such:{tmp_path / 'node_modules'}")
    else:
        monkeypatch.delenv("NODE_PATH", raising=False)
        monkeypatch.chdir(tmp_path)

    assert npm_package("some-package").is_there()


def test_missing_npm_package_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package's name."""
    monkeypatch.setenv("NODE_PATH", "")
    monkeypatch.chdir(tmp_path)
    if not program("node", "nodejs").is_there():
        pytest.skip("needs node")

    with pytest.raises(
        UsageError, match=r"--server \(node-express\): expected the npm package 'express' .*npm install"
    ):
        find_server("node-express")


@pytest.mark.parametrize(
    ("version", "newer"),
    [("20.18.0", True), ("22.1.0", True), ("20.17.9", False), ("18.20.4", False), (None, False)],
)
def test_versions_are_compared_by_number(version: str | None, newer: bool) -> None:
    """20.9 is older than 20.18."""
    assert newer_than(version, (20, 18)) is newer


def test_version_of_what_is_not_installed_is_unknown() -> None:
    """Then reports say null."""
    assert version_by(("no-such-program", "--version")) is None


def test_quotes_and_backslashes_of_a_path_stay_in_it() -> None:
    """As nginx, Apache and Python read them."""
    assert in_quotes('a "b\\') == 'a \\"b\\\\'


@pytest.mark.parametrize("name", sorted(servers()))
def test_server_is_described_in_one_short_line_and_sources_are_there(name: str) -> None:
    """For listings; and a source that was renamed would fail at the first start only."""
    server = servers()[name]
    sources = Path(__file__).parents[2] / "harness" / "backend" / "servers" / "sources"

    assert "\n" not in server.about and len(server.about) < 100
    assert [one for one in server.copies if not (sources / one).is_file()] == []
    assert server.name == name and (not server.cures or server.cures in servers())
