"""Process groups: signals to all of one, and whether anybody still lives in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Process", "is_gone", "members", "seen", "signal_group"]


@dataclass(frozen=True, slots=True)
class Process:
    """A process as ``/proc/PID/stat`` shows it (proc(5))."""

    state: str
    group: int
    session: int
    began: str
    """When it was started, in clock ticks since the system was; with its number it names one process and no later one."""

    @property
    def lives(self) -> bool:
        """Whether it can still do anything: the dead stay in the list until they are reaped."""
        return self.state not in "ZX"


def seen(pid: int) -> Process | None:
    """The process *pid*; None where there is none, or no /proc to see it by."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        # the name comes before and may hold anything, also blanks and brackets
        fields = stat.rpartition(")")[2].split()
        return Process(fields[0], int(fields[2]), int(fields[3]), fields[19])
    except (OSError, ValueError, IndexError):
        return None


def members(group: int) -> Iterator[Process]:
    """Who is in a group, the dead included."""
    for entry in Path("/proc").glob("[0-9]*"):
        process = seen(int(entry.name))
        if process is not None and process.group == group:
            yield process


def signal_group(group: int, number: int) -> bool:
    """Send a signal to all of a group; false when there is nobody who takes it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def is_gone(group: int) -> bool:
    """Whether nobody lives in a group any more.

    The dead stay in it until they are reaped. That is the init process's task for orphans, and in a container there may
    be none that does it.
    """
    if not signal_group(group, 0):
        return True
    return os.path.exists("/proc/self/stat") and not any(process.lives for process in members(group))
