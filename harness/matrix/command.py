"""``pytest-mtls matrix``, from its options to its exit code."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import UsageError
from ..pki.truststore import same_file
from ..report.changes import Comparison, compare
from ..report.html import to_html
from ..report.matrix import Column, Matrix, columns_of, unique
from ..report.page import page_of
from ..report.reading import Place, load
from ..report.recorder import write
from ..settings_values import number, report_files
from .plan import ReadOptions, installed, jobs_of
from .progress import Progress
from .runner import Run

__all__ = ["Options", "run_matrix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of a matrix, as text. ``common`` are the words that every check gets."""

    servers: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    at_once: str | None = None
    within: str | None = None
    compare: str | None = None
    json: str | None = None
    html: str | None = None


def run_matrix(options: Options, read: ReadOptions) -> int:
    """Run, merge, compare, write; returns the exit code.

    1: a scenario got worse since ``--compare``. 3: a server was not judged, or what was proved then is not any more, or
    the run was interrupted. 0: neither, whatever was found. Raises UsageError before anything runs for what cannot be used.
    """
    began, started = time.monotonic(), datetime.now(UTC)
    files = report_files({"json": options.json, "html": options.html}, "json", "html")
    outputs = {name: path for name, path in files.items() if path is not None}
    _require_other_files(outputs, options)
    at_once, within = _at_once(options.at_once), number({"within": options.within}, "within", 600.0)
    merged = [column for one in options.files for column in _read_file(one)]
    before = None if options.compare is None else _read(options.compare, "--compare", None)
    runs_none = merged and not options.servers and not options.checks
    names = () if runs_none else options.servers or (() if options.checks else tuple(installed()))
    jobs = jobs_of(names, options.checks, options.common, read)
    _require_common_ground(before, [job.name for job in jobs], merged, options.compare)

    progress = Progress([*(job.name for job in jobs), *(column.name for column in merged)])
    run = Run(jobs, at_once=at_once, within=within, tell=progress.tell)
    made = run.carry_out() if jobs else []
    columns = unique([*made, *merged])
    progress.rest(columns)
    matrix = Matrix(columns=columns, started=started, seconds=time.monotonic() - began)
    found = None if before is None else compare(before, columns)
    if found is not None:
        progress.changes(found, str(options.compare))
    _write(outputs, matrix, found, options.compare)
    progress.end(columns, matrix.seconds)
    return _exit_code(columns, found, run.interrupted)


def _exit_code(columns: Sequence[Column], found: Comparison | None, interrupted: bool) -> int:
    if found is not None and found.of("worse"):
        return 1
    unproved = found is not None and bool(found.of("lost"))
    return 3 if interrupted or unproved or any(column.trouble for column in columns) else 0


# --- files


def _require_other_files(outputs: dict[str, Path], options: Options) -> None:
    """Raise UsageError when a file to be written is one of those that are read."""
    inputs = [("--from", _named_file(one)[1]) for one in options.files]
    if options.compare is not None:
        inputs.append(("--compare", options.compare))
    for name, path in outputs.items():
        for option, file in inputs:
            if same_file(path, Path(file)):
                raise UsageError(
                    f"--{name} ({path}): expected a file of its own, saw that of {option}. Name another one."
                )


def _named_file(text: str) -> tuple[str | None, str]:
    """``FILE``, or ``NAME=FILE`` where there is no file of that whole name: the name and the file."""
    name, equals, file = text.partition("=")
    return (name, file) if equals and not Path(text).exists() else (None, text)


def _read_file(text: str) -> tuple[Column, ...]:
    name, file = _named_file(text)
    return _read(file, "--from", name)


def _read(file: str, option: str, name: str | None) -> tuple[Column, ...]:
    if not file:
        raise UsageError(f"{option}: expected FILE, saw an empty value. Give one, or leave it out.")
    path = Path(file)
    return load(path, option, lambda place: _checked(place, path, name))


def _checked(place: Place, path: Path, name: str | None) -> tuple[Column, ...]:
    """The columns, made ready for the page once: what it cannot show is told now, and not after an hour of checks."""
    columns = unique(columns_of(place, path, name))
    page_of(Matrix(columns=columns))
    return columns


def _write(outputs: dict[str, Path], matrix: Matrix, found: Comparison | None, earlier: str | None) -> None:
    """Raises UsageError when a file cannot be written; the other one is written all the same."""
    trouble: list[str] = []
    name = Path(earlier).name if earlier else ""
    if "json" in outputs:
        document = matrix.to_json() | {"compared": None if found is None else found.to_json(name)}
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        trouble += write("--json", outputs["json"], text.encode("utf-8", "replace"))
    if "html" in outputs:
        page = to_html(matrix, compared=name, changes=() if found is None else found.changes)
        trouble += write("--html", outputs["html"], page.encode("utf-8", "replace"))
    if trouble:
        raise UsageError(" ".join(trouble))


# --- values


def _at_once(text: str | None) -> int:
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 999:
        raise UsageError(f"-n ({text}): expected a number of servers at once, 1 at least. Leave it out for one a core.")
    return int(text)


def _require_common_ground(
    before: Sequence[Column] | None, jobs: Sequence[str], merged: Sequence[Column], file: str | None
) -> None:
    """Raise UsageError when no server of the earlier report will be in this one."""
    if before is None:
        return
    now = [*jobs, *(column.name for column in merged)]
    then = [column.name for column in before]
    if not set(now) & set(then) and not len(now) == len(then) == 1:
        raise UsageError(
            f"--compare ({file}): expected one of {', '.join(now)}, saw {', '.join(then)}. Compare the same servers."
        )
