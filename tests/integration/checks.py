"""Runs of ``pytest-mtls`` in processes of their own, and the servers that they are pointed at.

A check takes seconds, so one run serves many tests: the first test that wants it carries it out and writes down what
came of it, and a lock keeps the other workers of pytest-xdist waiting for that.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_mtls.harness.backend.ports import free_port
from pytest_mtls.harness.backend.process import find_program
from pytest_mtls.harness.backend.server import Server
from pytest_mtls.harness.backend.servers import servers
from pytest_mtls.harness.wait import poll_until

__all__ = [
    "PROGRAM",
    "PYTEST",
    "SERVERS",
    "Check",
    "Checks",
    "Served",
    "clean_environment",
    "finished",
    "once",
    "processes_of",
    "require",
    "require_server",
    "serve",
    "shared_folder",
]

PROGRAM = str(Path(sysconfig.get_path("scripts"), "pytest-mtls"))
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
"""pytest, which writes nothing beside the tests."""
SERVERS = Path(__file__).parent.parent / "servers"
"""Sources of servers as teams would write them."""

_CHECK_SECONDS = 240
_START_SECONDS = 20


def require(program: str) -> str:
    """The path of *program*; skips the test where it is not installed."""
    path = find_program(program)
    if path is None:
        pytest.skip(f"needs the program '{program}', which is not installed")
    return path


def require_server(name: str) -> Server:
    """The built-in server called *name*; skips the test where something that it needs is not installed."""
    server = servers()[name]
    if server.missing is not None:
        pytest.skip(f"{name} needs {server.missing.what}. {server.missing.get}")
    return server


# --- checks


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What came of one run."""

    code: int
    output: str
    errors: str
    report: dict[str, Any]
    left_behind: tuple[str, ...]
    """Temporary files and processes that outlived it."""

    @property
    def summary(self) -> dict[str, Any]:
        """The report's summary."""
        summary: dict[str, Any] = self.report["summary"]
        return summary

    def ids(self, outcome: str) -> set[str]:
        """The scenarios that ended so."""
        return {one["id"] for one in self.report["scenarios"] if one["outcome"] == outcome}

    def outcomes(self) -> dict[tuple[str, str], str]:
        """All outcomes by id and profile."""
        return {(one["id"], one["profile"]): one["outcome"] for one in self.report["scenarios"]}

    def scenario(self, name: str, profile: str = "gateway") -> dict[str, Any]:
        """What the report says of one scenario."""
        (found,) = (one for one in self.report["scenarios"] if (one["id"], one["profile"]) == (name, profile))
        return dict(found)

    def probes(self, name: str, what: str | None = None, profile: str = "gateway") -> dict[str, dict[str, Any]]:
        """The probe of the scenario's case *what* (its only one) by TLS version, controls left out."""
        cases = [case for case in self.scenario(name, profile)["cases"] if what in (None, case["what"])]
        assert len({case["what"] for case in cases}) == 1, cases
        return {
            case["tls"]: observation
            for case in cases
            for observation in case["observations"]
            if observation["role"] == "probe"
        }


class Checks:
    """Carries out ``pytest-mtls check``, each command line once in a test run."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self.folder = shared_folder(factory)

    def __call__(self, *arguments: str) -> Check:
        """The run with these arguments."""
        name = hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:16]
        folder = once(self.folder, f"check-{name}", lambda folder: _check(arguments, folder))
        report = folder / "report.json"
        result = json.loads((folder / "result.json").read_text())
        return Check(
            **{**result, "left_behind": tuple(result["left_behind"])},
            report=json.loads(report.read_text()) if report.exists() else {},
        )


def _check(arguments: Sequence[str], folder: Path) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    words = (PROGRAM, "check", *arguments, "--json", str(folder / "report.json"))
    done = finished(folder, *words, within=_CHECK_SECONDS, TMPDIR=str(temporary))
    left = [*(one.name for one in temporary.iterdir()), *processes_of(temporary)]
    result = {"code": done.returncode, "output": done.stdout, "errors": done.stderr, "left_behind": left}
    (folder / "result.json").write_text(json.dumps(result))


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder of this test run, which all workers of pytest-xdist share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def once(root: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """The folder *name* in *root*, filled by whichever worker comes first."""
    folder = root / name
    folder.mkdir(exist_ok=True)
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "filled").exists():
            fill(folder)
            (folder / "filled").touch()
    return folder


def finished(folder: Path, *words: str, within: float = 100, **environment: str) -> subprocess.CompletedProcess[str]:
    """The end of the command *words* in *folder*, with *environment* added to a clean one; within so many seconds."""
    return subprocess.run(
        words,
        cwd=folder,
        env=clean_environment() | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """Our environment without what would change a check or a server."""
    return {name: value for name, value in os.environ.items() if not re.match("MTLS_|PYTEST|COV_", name)}


def processes_of(folder: Path) -> list[str]:
    """The command lines of processes that name *folder* in their command line or environment, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            traces = command + (process / "environ").read_bytes() + os.fsencode((process / "cwd").readlink())
        except OSError:
            continue  # it has ended, or is somebody else's
        if os.fsencode(folder) in traces and int(process.name) != os.getpid():
            found.append(command.replace(b"\0", b" ").decode("utf-8", "replace").strip())
    return found


# --- servers that run already


@dataclass(frozen=True, slots=True)
class Served:
    """A server that a test has started by hand."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://localhost:{self.port}/"


@contextmanager
def serve(
    words: Sequence[str],
    environment: Mapping[str, str | Path] = {},
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
) -> Iterator[Served]:
    """Start *words*, with MTLS_HOST, MTLS_PORT and *environment* in the environment; end it with the block."""
    port = port or free_port()
    own = {"MTLS_HOST": host, "MTLS_PORT": str(port)} | {name: str(value) for name, value in environment.items()}
    process = subprocess.Popen(
        words, env=clean_environment() | own, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=None
    )
    try:
        assert poll_until(lambda: process.poll() is not None or _listens(host, port), _START_SECONDS), (
            "it does not listen"
        )
        assert process.poll() is None, f"it ended by itself: {process.returncode}"
        yield Served(port, process)
    finally:
        process.terminate()
        process.wait(timeout=_START_SECONDS)


def _listens(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as candidate:
        candidate.settimeout(1)
        return candidate.connect_ex((host, port)) == 0
