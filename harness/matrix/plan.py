"""Which checks a matrix runs: a column for each server, all of them looked at before the first one starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..backend.process import split_command
from ..backend.servers import find_server, servers
from ..errors import UsageError
from ..options import Values
from ..scenario import catalogue
from ..settings import REFERENCE, Settings, parse
from ..settings_values import shown

__all__ = ["Job", "ReadOptions", "installed", "jobs_of"]

ReadOptions = Callable[[Sequence[str]], Values]
"""From the words of a check's command line to option values; raises UsageError, or what the command line raises."""

_NOT_IN_A_COLUMN = ("json", "junit", "html", "summary_markdown")


@dataclass(frozen=True, slots=True)
class Job:
    """One check to run: its column's name, the words behind ``pytest-mtls check``, and how many outcomes it will have."""

    name: str
    words: tuple[str, ...]
    expected: int


def installed() -> list[str]:
    """The built-in servers whose programs are there; the reference, which is always there, comes first."""
    found = [REFERENCE]
    for name in sorted(servers()):
        try:
            find_server(name)
        except UsageError:
            continue
        found.append(name)
    return found


def jobs_of(names: Sequence[str], own: Sequence[str], common: Sequence[str], read: ReadOptions) -> list[Job]:
    """A job for each built-in server of *names* and each ``NAME=OPTIONS`` of *own*, all with the words *common* first.

    Raises UsageError for whatever a check of its own would refuse.
    """
    found: dict[str, Job] = {}
    for name in dict.fromkeys(names):
        found[name] = _job(name, ["--server", name], common, read)
    for one in own:
        name, equals, options = one.partition("=")
        if not name.strip() or not equals:
            raise UsageError(
                f"--check ({one}): expected NAME=OPTIONS, such as \"mine=--command './server' --path /health\"."
            )
        if name in found:
            raise UsageError(f"--check ({name}): expected a name of its own, saw one that is taken. Give another.")
        words = split_command(options, f"--check ({name})") if options.strip() else []
        try:
            found[name] = _job(name, words, common, read)
        except UsageError as error:
            raise UsageError(f"--check ({name}): {error}") from error
    return list(found.values())


def _job(name: str, words: Sequence[str], common: Sequence[str], read: ReadOptions) -> Job:
    both = (*common, *words)
    values = read(both)
    wrong = next((option for option in _NOT_IN_A_COLUMN if values.get(option)), None)
    if wrong is not None:
        raise UsageError(f"{shown(wrong)}: expected it of the matrix, not of one column. Leave it out there.")
    return Job(name, both, _expected(parse(values)))


def _expected(settings: Settings) -> int:
    takes = settings.selection.takes
    return sum(takes(one, profile) for one in catalogue().values() for profile in one.profiles)
