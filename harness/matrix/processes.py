"""A check as a process: started in a group of its own, ended in order, and if that fails, with all that it left.

A check ends its backends itself when it is told to end (SIGTERM). One that is killed cannot: what it started is then found
by the folder for temporary files that only this check had, in the environment, the command line or as working directory.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..interrupt import held
from ..wait import poll_until
from .plan import Job

__all__ = ["CheckProcess"]

_GRACE = 20.0
"""Seconds for a check to end its backends, each of which has five."""
_SWEEP = 5.0
_START = "import sys; from pytest_mtls.harness.cli import main; sys.exit(main())"
_OUTCOME = re.compile(rb"^(?:passed|failed|warned|skipped|inconclusive) +\S+/\S+", re.MULTILINE)
_FOREIGN = re.compile(r"MTLS_|PYTEST_|COLUMNS$|LINES$")


class CheckProcess:
    """One check under way. *folder* is empty, and its own."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job, self._folder = job, folder
        self.report = folder / "report.json"
        self._temporary = folder / "t"
        self._temporary.mkdir()
        self._out, self._err = folder / "out", folder / "err"
        words = [sys.executable, "-P", "-c", _START, "check", *job.words, "--json", str(self.report)]
        environment = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
        with held(), self._out.open("wb") as out, self._err.open("wb") as err:  # never a process without an owner
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment | {"TMPDIR": str(self._temporary)},
                start_new_session=True,
            )
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.began

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    @property
    def done(self) -> int:
        """How many scenarios have an outcome by now."""
        return len(_OUTCOME.findall(self._out.read_bytes()))

    def said(self) -> str:
        """The last line that it wrote to stderr, without the program's name; empty without one."""
        lines = [line.strip() for line in self._err.read_text("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1].removeprefix("pytest-mtls: ") if lines else ""

    def end(self) -> None:
        """End it with all that it started; returns when nothing of it is left."""
        with held():
            if self.code is None:
                self._process.send_signal(signal.SIGTERM)
                poll_until(lambda: self.code is not None, _GRACE)
            if self.code is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(_SWEEP)
            poll_until(lambda: not self._kill_rest(), _SWEEP)

    def _kill_rest(self) -> bool:
        """Kill what bears the mark of this check, its folder; returns whether there was anything."""
        mark, found = os.fsencode(self._temporary), False
        for process in Path("/proc").glob("[0-9]*"):
            try:
                traces = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                traces += os.fsencode(os.readlink(process / "cwd"))
            except OSError:
                continue  # it has ended, or is somebody else's
            if mark in traces and int(process.name) != os.getpid():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(int(process.name), signal.SIGKILL)
                    found = True
        return found
