"""The start of a program in a session of its own; where leftovers are recorded, it waits until it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..leftovers import folder, record

__all__ = ["find_program", "launch"]

# A process that is killed between the start of another and its record would leave it for ever, and on a busy machine the
# start takes long. So what is started first waits for a word, and ends if that cannot come any more. Then it becomes the
# program: the same number, the same moment of start. No shell does it, which would drop variables with dots in their
# names; Python ignores two signals, which would be inherited.
_GATE = """
import os, signal, sys
if not os.read(0, 1):
    sys.exit(1)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error.strerror}")
"""


def find_program(name: str) -> str | None:
    """The path of a program: on PATH, or where Debian keeps servers, which is not on every user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


def launch(
    words: Sequence[str], *, stdout: IO[bytes], stderr: IO[bytes] | int, env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start *words* as the leader of a new session, so that all that it starts can be ended; its input is empty.

    Raises OSError when the program cannot be run.
    """
    program = find_program(words[0])
    gated = folder() is not None and program is not None
    process = subprocess.Popen(
        [*([sys.executable, "-I", "-S", "-c", _GATE] if gated else []), program or words[0], *words[1:]],
        bufsize=0,
        stdin=subprocess.PIPE if gated else subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=os.environ | dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    record(process.pid)
    if process.stdin is not None:
        with suppress(BrokenPipeError):  # somebody has ended it already
            process.stdin.write(b"\n")
        process.stdin.close()
    return process
