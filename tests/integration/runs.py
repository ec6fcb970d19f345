"""Runs of ``pytest-mtls`` that go wrong or are broken off: what they say, how they end, what they leave behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checks import PROGRAM, SERVERS, clean_environment, processes_of

__all__ = ["UNRULY", "Run", "Runs", "unruly"]

UNRULY = SERVERS / "unruly.py"

# Whoever starts us in the background of a shell makes us ignore Ctrl-C, and our children too.
_WITH_DEFAULT_SIGNALS = (
    "import os, signal, sys; "
    "[signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGTERM)]; "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def unruly(*options: str) -> tuple[str, str]:
    """The ``--command`` that starts the unruly server, with options of its own."""
    return "--command", " ".join([sys.executable, str(UNRULY), *options])


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one."""

    code: int
    out: str
    err: str
    seconds: float
    left: tuple[str, ...]
    """Temporary files and processes that outlived it."""
    report: dict[str, Any] | None
    """What ``--json report.json`` wrote, if anything."""

    @property
    def said(self) -> str:
        """Both streams with every run of white space as one blank, for what is wrapped to a width."""
        return " ".join((self.out + self.err).split())

    @property
    def outcomes(self) -> dict[str, str]:
        """How each scenario ended."""
        assert self.report is not None
        return {one["id"]: one["outcome"] for one in self.report["scenarios"]}

    @property
    def reasons(self) -> set[str]:
        """Why scenarios were inconclusive."""
        assert self.report is not None
        return {one["reason"] for one in self.report["scenarios"] if one["outcome"] == "inconclusive"}

    @property
    def explanations(self) -> list[str]:
        """The explanations of what was inconclusive that the terminal shows."""
        return re.findall(r"^  why +(.*)$|^run inconclusive: (.*)$", self.out, re.MULTILINE)

    @property
    def is_clean(self) -> bool:
        """Whether nobody sees a traceback, and nothing is left."""
        return not self.left and "Traceback" not in self.out + self.err


class Runs:
    """Starts the program in an empty folder, with an empty folder for temporary files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.temporary = folder / "work", folder / "temporary"
        self.folder.mkdir()
        self.temporary.mkdir()

    def __call__(self, *arguments: str, within: float = 60, **environment: str) -> Run:
        """Run it to its end."""
        return self.end(self.start(*arguments, **environment), within=within)

    def start(self, *arguments: str, words: Sequence[str] = (PROGRAM,), **environment: str) -> subprocess.Popen[str]:
        """Start it (or *words*), and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WITH_DEFAULT_SIGNALS, *words, *arguments],
            cwd=self.folder,
            env=clean_environment() | {"TMPDIR": str(self.temporary)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self, process: subprocess.Popen[str], *, within: float = 60) -> Run:
        """Wait for its end; kills it, and fails, when that does not come *within* so many seconds."""
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        seconds = time.monotonic() - began
        left = (*(one.name for one in self.temporary.iterdir()), *processes_of(self.temporary))
        report = self.folder / "report.json"
        found = json.loads(report.read_text("utf-8")) if report.exists() else None
        return Run(code=process.returncode, out=out, err=err, seconds=seconds, left=left, report=found)

    def processes(self, word: str) -> list[str]:
        """The command lines of processes of a run that hold *word*."""
        return [command for command in processes_of(self.temporary) if word in command]
