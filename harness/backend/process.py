"""Backends that are processes of their own: started in a new process group, ended with all that they started."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import BackendError, StartError, UsageError
from ..groups import is_gone, signal_group
from ..interrupt import held
from ..leftovers import GRACE, strike
from ..pki.credential import write_private
from ..wait import poll_until
from .contract import Material
from .launch import find_program, launch

__all__ = [
    "BackendProcess",
    "check_placeholders",
    "fill_in",
    "find_program",
    "leave_start_script",
    "run_beside",
    "running",
    "split_command",
]

_TAIL_LINES, _SAID_LINES, _TAIL_COLUMNS = 12, 3, 240
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_-]+)\}")
_NAMES = ("host", "port", "server_cert", "server_key", "truststore", "crl")


def split_command(command: str, option: str) -> list[str]:
    """The words of *command* as a POSIX shell splits them; no shell runs. Raises UsageError, naming *option*.

    The known placeholders are ``{host} {port} {server_cert} {server_key} {truststore} {crl}``. Other braces are left
    alone (they may be the command's own), unless they look like one of these misspelt.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{option} ({command}): expected a command line, saw {error}. Check the quotes.") from error
    if not words:
        raise UsageError(f"{option}: expected a command line, saw nothing. Give the command that starts the server.")
    check_placeholders(command, option)
    return words


def check_placeholders(text: str, option: str) -> None:
    """Raise UsageError, naming *option*, for a placeholder in *text* that looks like a known one misspelt."""
    for name in _PLACEHOLDER.findall(text):
        close = difflib.get_close_matches(name.lower().replace("-", "_"), _NAMES, n=1, cutoff=0.75)
        if name not in _NAMES and close:
            known = " ".join(f"{{{known}}}" for known in _NAMES)
            raise UsageError(
                f"{option}: unknown placeholder {{{name}}}: expected one of {known}. Did you mean {{{close[0]}}}?"
            )


def fill_in(words: Sequence[str], material: Material, extra: dict[str, str] | None = None) -> list[str]:
    """*words* with the placeholders replaced by the material's values (and *extra*'s)."""
    values = material.placeholders | (extra or {})
    return [_PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), word) for word in words]


class BackendProcess:
    """A started server. Its output goes to a log file, of which the end is shown when it dies."""

    def __init__(self, words: Sequence[str], material: Material, *, folder: Path, cwd: Path | None) -> None:
        self._material, self._log, self._words = material, folder / "output.log", list(words)
        self._others: list[subprocess.Popen[bytes]] = []
        self.cwd = cwd
        with self._log.open("ab") as log:
            self._log_begin = log.tell()  # what stands before is of an earlier start
            try:
                self._process = launch(words, stdout=log, stderr=subprocess.STDOUT, env=_environment(material), cwd=cwd)
            except OSError as error:
                raise StartError(
                    f"command ({words[0]}): expected a program that can be run, saw: {error.strerror}. "
                    "Check the name, or give its full path."
                ) from error

    @property
    def url(self) -> str:
        """Where it is expected to answer."""
        return f"https://localhost:{self._material.port}/"

    def trouble(self) -> str | None:
        """Why it cannot answer any more: its exit and last lines; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        return f"the command {how}{self.last_lines()}"

    def last_lines(self) -> str:
        """The end of its output, for a message; empty when it has written nothing."""
        try:
            written = self._log.read_bytes()[self._log_begin :]
        except OSError:
            return ""
        lines = _tail(written, _TAIL_LINES)
        # mostly a server that gives up root's rights, or is another user from the start; the material has mode 0600
        hint = " (only the user who runs the check may read the material: run the server as that user)"
        denied = re.search(r"permission denied|EACCES", lines, re.IGNORECASE)
        return f"; its last lines: {lines}{hint if denied else ''}" if lines else ""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started (not to its group: a master tells its workers)."""
        if self._process.poll() is not None:
            raise BackendError(f"reload by {number.name}: {self.trouble()}. It has to run to be reloaded.")
        self._process.send_signal(number)

    def adopt(self, other: subprocess.Popen[bytes]) -> None:
        """Let the group of *other*, which belongs to this server, end with it."""
        self._others.append(other)

    def end(self) -> None:
        """End the whole process group, and those adopted: TERM, then, after five seconds, KILL."""
        for process in (self._process, *self._others):
            _end_group(process)


Reloader = Callable[[BackendProcess, Material], None]


class _LiveProcess(BackendProcess):
    """A process that takes over a changed truststore without a restart."""

    reloader: Reloader

    def reload(self) -> None:
        """Ask it to read the truststore again."""
        self.reloader(self, self._material)


@contextmanager
def running(
    words: Sequence[str], material: Material, *, folder: Path, cwd: Path | None = None, reloader: Reloader | None = None
) -> Iterator[BackendProcess]:
    """Start *words*; end the whole process group when the block ends, however it ends.

    The material's ``start_script`` does the same by hand.
    """
    leave_start_script(material, words, cwd)
    process: BackendProcess | None = None
    try:
        with held():  # neither a process without an owner
            process = (BackendProcess if reloader is None else _LiveProcess)(words, material, folder=folder, cwd=cwd)
        if isinstance(process, _LiveProcess) and reloader is not None:
            process.reloader = reloader
        yield process
    finally:
        if process is not None:
            with held():  # nor one that was told to end, and is not made to
                process.end()


def leave_start_script(material: Material, words: Sequence[str], cwd: Path | None = None) -> None:
    """Write the material's ``start_script``: *words*, with the same material and on the same port."""
    lines = [
        "#!/bin/sh",
        "# Starts this backend again as the check did: the same material, the same port. Ctrl-C ends it.",
        *(f"export {name}={shlex.quote(value)}" for name, value in _environment(material).items()),
        f"cd {shlex.quote(str(cwd or Path.cwd()))} || exit",
        f"exec {shlex.join([find_program(words[0]) or words[0], *words[1:]])}",
        "",
    ]
    write_private(material.start_script, os.fsencode("\n".join(lines)))
    material.start_script.chmod(0o700)


def _environment(material: Material) -> dict[str, str]:
    return {f"MTLS_{name.upper()}": value for name, value in material.placeholders.items()}


def run_beside(
    backend: BackendProcess, words: Sequence[str], material: Material, seconds: float
) -> tuple[int | None, str]:
    """Run a command about *backend* to its end; returns its exit code and the last lines of what it said.

    The code is None when it has not ended after so many *seconds*. A command that fails or hangs is ended with all that it
    started. What a successful one leaves running is part of the backend, and ends with it. Raises OSError when the command
    cannot be run.
    """
    process: subprocess.Popen[bytes] | None = None
    # files and no pipes: a child in the background that keeps a pipe open would be waited for
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            with held():
                process = launch(words, stdout=out, stderr=err, env=_environment(material), cwd=backend.cwd)
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process is not None and process.poll() == 0 and not _group_is_gone(process):
                backend.adopt(process)
            elif process is not None:
                with held():
                    _end_group(process)
        for file in (err, out):
            file.seek(0)
            said = _tail(file.read(), _SAID_LINES)
            if said:
                return code, said
    return code, ""


def _tail(written: bytes, count: int) -> str:
    """The last *count* lines as one, without colours and other control characters: they play tricks on terminals, and
    XML does not take them. The lines of ^ and ~ that Python and compilers put below a place mean nothing in one line."""
    text = _CONTROL.sub("", written.decode("utf-8", "replace"))
    lines = [line.strip()[:_TAIL_COLUMNS] for line in text.splitlines() if line.strip(" \t^~")]
    return " | ".join(lines[-count:])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not signal_group(process.pid, number) or poll_until(lambda: _group_is_gone(process), GRACE):
            break
    poll_until(lambda: process.poll() is not None, GRACE)  # Popen.wait sleeps, which faketime breaks
    strike(process.pid)


def _group_is_gone(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # reap the leader, or its group never goes
    return is_gone(process.pid)
