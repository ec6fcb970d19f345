"""Runs of each result with their reports, each made once for all tests."""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_mtls.harness.backend.faulty import start_faulty
from pytest_mtls.harness.pki.gateway_certificate import control_credential

from .checks import once
from .runs import Run, Runs

__all__ = ["RUNS", "Reported", "reported_run"]

REPORTS = ("--json", "report.json", "--junit", "junit.xml")


@dataclass(frozen=True, slots=True)
class Reported:
    """A run and its reports."""

    run: Run
    junit: bytes

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report."""
        assert self.run.report is not None
        return self.run.report

    @property
    def result(self) -> str:
        """The summary's word."""
        return str(self.report["summary"]["result"])


def _conformant(runs: Runs) -> Run:
    return runs("check", *REPORTS, "--profile", "all")


def _nonconformant(runs: Runs) -> Run:
    faults = ("--fault", "dn-only", "--fault", "near-expiry-gateway")
    return runs(
        "check", "--server", "reference", *faults, "--scenario", "trust/*", "--scenario", "readiness/*", *REPORTS
    )


def _warned(runs: Runs) -> Run:
    return runs("check", "--fault", "near-expiry-gateway", "--scenario", "readiness/*", *REPORTS)


def _strictly_warned(runs: Runs) -> Run:
    return runs("check", "--fault", "near-expiry-gateway", "--scenario", "readiness/*", "--strict", *REPORTS)


def _partial(runs: Runs, *options: str) -> Run:
    good = control_credential()
    good.write(runs.folder, "client")
    with start_faulty(runs.folder / "server", (), good) as backend:
        client = ("--client-cert", "client.pem", "--client-key", "client.key")
        return runs("check", "--url", backend.url, *client, "--scenario", "trust/*", *options, *REPORTS)


def _strictly_partial(runs: Runs) -> Run:
    return _partial(runs, "--strict")


def _inconclusive(runs: Runs) -> Run:
    (runs.folder / "server.py").write_text(
        "import sys; sys.stdout.buffer.write(b'\\x1b[31mr\\x00e\\x08d <&> \\xff\\xfe\\xed\\xa0\\x80\\n'); sys.exit(1)"
    )
    return runs("check", "--command", f"{sys.executable} server.py", "--scenario", "p*/*", *REPORTS)


def _interrupted(runs: Runs) -> Run:
    process = runs.start("check", *REPORTS)
    assert process.stdout is not None
    for line in iter(process.stdout.readline, ""):
        if line.startswith("passed"):
            process.send_signal(signal.SIGTERM)
            break
    return runs.end(process)


RUNS: dict[str, tuple[Callable[[Runs], Run], str, int]] = {
    "conformant": (_conformant, "conformant", 0),
    "nonconformant": (_nonconformant, "nonconformant", 1),
    "warned": (_warned, "conformant", 0),
    "strictly warned": (_strictly_warned, "nonconformant", 1),
    "partial": (_partial, "partial", 0),
    "strictly partial": (_strictly_partial, "partial", 3),
    "inconclusive": (_inconclusive, "inconclusive", 3),
    "interrupted": (_interrupted, "inconclusive", 3),
}
"""By name: how it is made, the result that its report tells, and its exit code."""


def reported_run(root: Path, name: str) -> Reported:
    """The run of that *name* in ``RUNS``, made by the first test, of whichever worker, that asks for it below *root*."""

    def fill(folder: Path) -> None:
        runs = Runs(folder)
        run = RUNS[name][0](runs)
        (folder / "run").write_bytes(pickle.dumps(Reported(run, (runs.folder / "junit.xml").read_bytes())))

    folder = once(root, f"reported-{name.replace(' ', '-')}", fill)
    found: Reported = pickle.loads((folder / "run").read_bytes())
    return found
