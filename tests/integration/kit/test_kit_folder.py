"""The folder of the kit: modes, what it replaces, what is left of one that could not be finished."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_mtls.harness import kit as kit_module
from pytest_mtls.harness.errors import UsageError
from pytest_mtls.harness.kit import Kit, write_kit
from pytest_mtls.harness.kit_content import Kind
from pytest_mtls.harness.pki.credential import write_private


def test_modes_keep_others_out(kit: Kit) -> None:
    """Folders are open to their owner alone, and so are private keys."""
    folders = {path.stat().st_mode & 0o777 for path in (kit.folder, *kit.folder.rglob("*")) if path.is_dir()}
    keys = {path.stat().st_mode & 0o777 for path in kit.folder.rglob("*.key")}

    assert (folders, keys) == ({0o700}, {0o600})


def test_no_private_key_outside_the_key_files(kit: Kit) -> None:
    """Keys stand in files of their own, all of which are listed as keys."""
    holders = {path for path in kit.folder.rglob("*") if path.is_file() and "PRIVATE KEY" in path.read_text()}

    assert holders == {kit.folder / entry.path for entry in kit.entries if entry.kind is Kind.KEY}


def test_two_kits_share_no_key(tmp_path: Path, small: Kit) -> None:
    """Every kit is made afresh."""
    other = write_kit(tmp_path / "kit")

    assert {case.sha256 for case in other.cases}.isdisjoint(case.sha256 for case in small.cases)


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    """A folder that is there and empty becomes the kit, with nothing beside it."""
    (tmp_path / "kit").mkdir(mode=0o755)
    write_kit(tmp_path / "kit")

    assert ((tmp_path / "kit").stat().st_mode & 0o777, os.listdir(tmp_path)) == (0o700, ["kit"])


def test_link_to_an_empty_folder_stays_a_link(tmp_path: Path) -> None:
    """The kit goes where a symbolic link points."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    write_kit(tmp_path / "link")

    assert (tmp_path / "link").is_symlink() and (tmp_path / "there/kit.json").is_file()


def a_folder_with_a_file(root: Path) -> Path:
    (root / "kit").mkdir()
    (root / "kit/precious").write_text("mine")
    return root / "kit"


def a_file(root: Path) -> Path:
    (root / "kit").write_text("mine")
    return root / "kit"


def below_a_file(root: Path) -> Path:
    return a_file(root) / "kit"


def without_a_parent(root: Path) -> Path:
    return root / "nowhere" / "kit"


def a_name_too_long(root: Path) -> Path:
    return root / ("k" * 300)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (a_folder_with_a_file, r"kit folder \(.*kit\): expected a new or empty folder, saw files in it\. Give"),
        (a_file, r"kit folder \(.*kit\): expected a new or empty folder, saw a file\. Give"),
        (below_a_file, r"kit folder \(.*kit\): expected .* that can be written, saw: Not a directory\. Give"),
        (without_a_parent, r"kit folder \(.*kit\): expected .*, saw: No such file or directory\. Give .* make the fol"),
        (a_name_too_long, r"kit folder \(.*kkk\): expected .*, saw: File name too long\. Give"),
    ],
)
def test_folder_that_cannot_be_used_is_refused(tmp_path: Path, target: Callable[[Path], Path], message: str) -> None:
    """A target that is not new or empty, or cannot be made, is the user's mistake, and nothing changes."""
    folder = target(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=message):
        write_kit(folder)

    assert sorted(tmp_path.rglob("*")) == before


def test_working_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's working directory is replaced under his feet."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"kit folder \(\.\): expected a folder to be made, saw the working directory"):
        write_kit(Path("."))


def test_folder_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing permission is told as such (played, because root may write everywhere)."""

    def forbidden(path: str, mode: int = 0o777) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "mkdir", forbidden)
    with pytest.raises(UsageError, match=r"kit folder \(.*kit\): expected .*, saw: Permission denied\. Give another"):
        write_kit(tmp_path / "kit")


@pytest.mark.parametrize("depth", [0, 5])
def test_depth_out_of_range_is_refused(tmp_path: Path, depth: int) -> None:
    """API Gateway knows one to four CA certificates; nothing is written for another number."""
    with pytest.raises(UsageError, match=rf"depth \({depth}\): expected 1 to 4 CA certificates"):
        write_kit(tmp_path / "kit", depth=depth)

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left on device"), UsageError)],
    ids=["interrupt", "full disk"],
)
def test_kit_that_cannot_be_finished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: BaseException, raised: type[BaseException]
) -> None:
    """Neither an interrupt nor a full disk in the middle of the work leaves a file behind."""
    written: list[Path] = []

    def write(path: Path, content: bytes) -> None:
        if len(written) == 10:
            raise trouble
        write_private(path, content)
        written.append(path)

    monkeypatch.setattr(kit_module, "write_private", write)
    with pytest.raises(raised):
        write_kit(tmp_path / "kit")

    assert (len(written), os.listdir(tmp_path)) == (10, [])


def test_folder_that_is_filled_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """What somebody puts in the target's place while the kit is made is not replaced."""

    def clock() -> datetime:
        (tmp_path / "kit").mkdir(exist_ok=True)
        (tmp_path / "kit/theirs").touch()
        return datetime.now(UTC)

    with pytest.raises(UsageError, match="saw: Directory not empty"):
        write_kit(tmp_path / "kit", clock=clock)

    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["kit", "kit/theirs"]
