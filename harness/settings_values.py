"""Single option values, from text to a number, a path, a list; what cannot be used is one UsageError that names the option."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .errors import UsageError
from .options import OPTIONS, Values

__all__ = [
    "check_temporary_folder",
    "folder_to_make",
    "many",
    "number",
    "path_of",
    "refuse_empty",
    "report_file",
    "report_files",
    "shown",
    "status_list",
    "text",
]


def shown(name: str) -> str:
    """The option as the user writes it."""
    return f"--{name.replace('_', '-')}"


def refuse_empty(values: Values) -> None:
    """An empty value is mostly a variable that was not set; to go on without it would judge something else."""
    for option in OPTIONS:
        value = values.get(option.key)
        if value == "" or (isinstance(value, tuple) and "" in value):
            raise UsageError(
                f"--{option.name}: expected {option.metavar}, saw an empty value. Give one, or leave it out."
            )


def text(values: Values, name: str) -> str | None:
    """A text, if it was given."""
    value = values.get(name)
    return value if isinstance(value, str) and value else None


def many(values: Values, name: str) -> tuple[str, ...]:
    """The values of a repeatable option."""
    value = values.get(name)
    return value if isinstance(value, tuple) else ()


def path_of(values: Values, name: str) -> Path | None:
    """A path, if it was given."""
    value = text(values, name)
    return None if value is None else Path(value)


def number(values: Values, name: str, default: float) -> float:
    """A number of seconds."""
    value = text(values, name)
    if value is None:
        return default
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 3600:
        raise UsageError(f"{shown(name)} ({value}): expected seconds, more than 0 and at most 3600. Give a number.")
    return seconds


def status_list(values: Values, name: str) -> frozenset[int] | None:
    """HTTP statuses, separated by commas."""
    value = text(values, name)
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isascii() and part.isdigit() and 100 <= int(part) <= 599 for part in parts):
        raise UsageError(f"{shown(name)} ({value}): expected HTTP statuses such as 401,403. Separate them by commas.")
    return frozenset(int(part) for part in parts)


def report_file(values: Values, name: str) -> Path | None:
    """A file to be written at the end, as far as that can be known at the beginning."""
    path = path_of(values, name)
    if path is None:
        return None
    if not path.parent.is_dir():
        raise UsageError(f"--{name} ({path}): expected a folder that exists, saw none: {path.parent}. Make it first.")
    if path.is_dir():
        raise UsageError(f"--{name} ({path}): expected a file, saw a folder. Give a file name in it.")
    saw = _refuses_writing(path if path.exists() else path.parent)
    if saw:
        raise UsageError(f"--{name} ({path}): expected a file that can be written, saw: {saw}. Give another path.")
    return path


def report_files(values: Values, *names: str) -> dict[str, Path | None]:
    """Files to be written at the end, no two of them the same."""
    files = {name: report_file(values, name) for name in names}
    taken: dict[Path, str] = {}
    for name, file in files.items():
        first = name if file is None else taken.setdefault(file.absolute(), name)
        if first != name:
            raise UsageError(
                f"--{first} and --{name} ({file}): expected two files, saw one. Give another name to one of them."
            )
    return files


def folder_to_make(values: Values, name: str) -> Path | None:
    """A folder that is there, or that can be made."""
    path = path_of(values, name)
    if path is None:
        return None
    nearest = next(Path(one) for one in (path.absolute(), *path.absolute().parents) if os.path.lexists(one))
    if not nearest.is_dir():
        raise UsageError(f"--{name} ({path}): expected a folder, saw a file at {nearest}. Give another path.")
    saw = _refuses_writing(nearest)
    if saw:
        raise UsageError(f"--{name} ({path}): expected a folder to write to, saw: {saw} at {nearest}. Give another.")
    return path


def check_temporary_folder() -> None:
    """Material lies in a folder for temporary files; raises UsageError when none can be written to."""
    try:
        saw = _refuses_writing(Path(tempfile.gettempdir()))
    except OSError as error:
        saw = error.strerror or str(error)
    if saw:
        raise UsageError(
            f"TMPDIR ({os.environ.get('TMPDIR', 'not set')}): expected a folder for temporary files that can be written to, "
            f"saw: {saw}. Set it to another, or give --keep DIR."
        )


def _refuses_writing(path: Path) -> str | None:
    """Why nothing can be written to a file that is there, or into a folder; found out by trying.

    Permissions do not tell it: the administrator has all of them, on a read-only file system too. Pipes and devices are
    not opened, as somebody on the other side would notice.
    """
    if not os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0)):
        return "no permission"
    try:
        if path.is_dir():
            tempfile.TemporaryFile(dir=path).close()
        elif path.is_file():
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    except OSError as error:
        return error.strerror or str(error)
    return None
