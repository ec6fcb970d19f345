"""How a backend is told that its truststore changed: restart, a signal, a command, or nothing at all."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass

from ..errors import BackendError, UsageError
from .contract import Material
from .process import BackendProcess, fill_in, split_command

__all__ = ["RESTART", "ReloadWay", "Reloaded", "parse_reload"]

_COMMAND_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ReloadWay:
    """One of ``restart``, ``signal``, ``command``, ``watch``, with the signal's name or the command's words."""

    kind: str
    words: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        """Whether the backend stays up."""
        return self.kind != "restart"

    def __str__(self) -> str:
        return f"{self.kind}:{' '.join(self.words)}" if self.words else self.kind

    def carry_out(self, process: BackendProcess, material: Material) -> None:
        """Tell a running *process*; raises BackendError when that fails. Not for ``restart``."""
        if self.kind == "signal":
            process.signal(signal.Signals[f"SIG{self.words[0]}"])
        elif self.kind == "command":
            _run(fill_in(self.words, material))


RESTART = ReloadWay("restart")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did: whether it was seen to be in effect, and after how many milliseconds.

    ``without_service`` is for how many of them nobody was served: a restart, or a port that was closed for a moment. That is
    a cost, and no rejection.
    """

    in_effect: bool
    milliseconds: float
    by_restart: bool
    without_service: float = 0.0

    def __str__(self) -> str:
        how = "restart" if self.by_restart else "reload"
        cost = f", {self.without_service:.0f} ms of them without service" if self.without_service else ""
        if self.in_effect:
            return f"{how} in effect after {self.milliseconds:.0f} ms{cost}"
        return f"{how} not in effect within {self.milliseconds:.0f} ms{cost}"


def parse_reload(text: str) -> ReloadWay:
    """The way that ``--reload`` names: restart | signal:HUP | command:CMD | watch. Raises UsageError for any other."""
    kind, _, rest = text.partition(":")
    if kind in ("restart", "watch") and not rest:
        return ReloadWay(kind)
    if kind == "signal":
        name = rest.upper().removeprefix("SIG")
        if f"SIG{name}" in signal.Signals.__members__:
            return ReloadWay(kind, (name,))
        raise UsageError(
            f"--reload ({text}): expected a signal's name as in signal:HUP, saw {rest or 'none'}. See 'kill -l'."
        )
    if kind == "command":
        return ReloadWay(kind, tuple(split_command(rest, "--reload command")))
    raise UsageError(f"--reload ({text}): expected restart, signal:NAME, command:CMD or watch. Choose one of these.")


def _run(words: list[str]) -> None:
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
        )
    except OSError as error:
        raise BackendError(f"reload command ({words[0]}): cannot be run: {error.strerror}. Check its name.") from error
    except subprocess.TimeoutExpired as error:
        raise BackendError(
            f"reload command ({' '.join(words)}): expected it to end within {_COMMAND_SECONDS:.0f} s, and it did not. "
            "Give a command that returns."
        ) from error
    if done.returncode:
        said = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:]) or "without a word"
        raise BackendError(
            f"reload command ({' '.join(words)}): expected exit code 0, saw {done.returncode}: {said}. Run it by hand."
        )
