"""Places that are refused before a run: for reports, for material to keep, for a kit."""

from __future__ import annotations

import os
import re

import pytest

from .refusals import Refuse, table


@pytest.mark.parametrize("option", ["json", "junit"])
@table(
    ("path", "message"),
    ("none/report", r"expected a folder that exists, saw none: none\. Make it first\."),
    ("notes.txt/report", r"expected a folder that exists, saw none: notes\.txt\. Make it first\."),
    ("folder", r"expected a file, saw a folder\. Give a file name in it\."),
)
def test_a_report_that_will_not_be_writable_is_refused_at_once(
    refuse: Refuse, option: str, path: str, message: str
) -> None:
    """Nobody wants to hear of it when the run is over."""

    assert re.fullmatch(rf"--{option} \({path}\): {message}", refuse(f"check --{option} {path}"))


@pytest.mark.parametrize("path", ["notes.txt", "notes.txt/deep/down"])
def test_a_folder_to_keep_that_cannot_be_made_is_refused(refuse: Refuse, path: str) -> None:
    """A file in its place, or above it, is named."""

    assert re.fullmatch(
        rf"--keep \({path}\): expected a folder, saw a file at \S+/notes\.txt\. Give another path\.",
        refuse(f"check --keep {path}"),
    )


@table(
    ("command", "message"),
    (
        "check --json report",
        r"--json \(report\): expected a file that can be written, saw: no permission\. Give .*",
    ),
    (
        "check --keep new/folder",
        r"--keep \(new/folder\): expected a folder to write to, saw: no permission at \S+\. .*",
    ),
)
def test_a_place_without_permission_is_refused(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch, command: str, message: str
) -> None:
    """The administrator, who runs tests in containers, may write anywhere; so the answer is put into the system's mouth."""

    monkeypatch.setattr(os, "access", lambda *_: False)
    assert re.fullmatch(message, refuse(command))


@table(
    ("command", "message"),
    ("kit folder", r"kit folder \(folder\): expected a new or empty folder, saw files in it\. Give another path\."),
    (
        "kit notes.txt",
        r"kit folder \(notes\.txt\): expected a new or empty folder, saw a file\. Give another path\.",
    ),
    (
        "kit none/deep",
        r"kit folder \(none/deep\): expected a new or empty folder .*, saw: No such file .*\. Give .*",
    ),
    ("kit new --depth 5", r"depth \(5\): expected 1 to 4 CA certificates\. API Gateway allows no more\."),
    (
        "kit new --depth x",
        r"Invalid value for '--depth': 'x' is not a valid integer\. See 'pytest-mtls kit --help'\.",
    ),
    ("kit", r"Missing argument 'DIR'\. See 'pytest-mtls kit --help'\."),
)
def test_a_kit_is_written_to_a_new_folder_only(refuse: Refuse, command: str, message: str) -> None:
    """What is there already stays as it is."""

    assert re.fullmatch(message, refuse(command))
