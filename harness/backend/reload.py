"""How a backend is told that its truststore changed: restart, a signal, a command, or nothing at all."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field

from ..errors import BackendError, UsageError
from .contract import Material
from .process import BackendProcess, fill_in, run_beside, split_command

__all__ = ["RESTART", "ReloadWay", "Reloaded", "parse_reload"]

_COMMAND_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ReloadWay:
    """One of ``restart``, ``signal``, ``command``, ``watch``, with the signal's name or the command's words."""

    kind: str
    words: tuple[str, ...] = ()
    hung: list[str] = field(default_factory=list, compare=False, repr=False)
    """Why its command is not run any more: it did not return, and every other reload would wait as long in vain."""

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
            self._run(process, material)

    def _run(self, process: BackendProcess, material: Material) -> None:
        if self.hung:
            raise BackendError(self.hung[0])
        words = fill_in(self.words, material)
        name = f"reload command ({' '.join(self.words)})"
        try:
            code, said = run_beside(process, words, material, _COMMAND_SECONDS)
        except OSError as error:
            raise BackendError(
                f"reload command ({words[0]}): cannot be run: {error.strerror}. Check its name."
            ) from error
        if code is None:
            self.hung.append(
                f"{name}: expected it to end within {_COMMAND_SECONDS:.3g} s, and it did not. Give a command that returns."
            )
            raise BackendError(self.hung[0])
        if code:
            raise BackendError(f"{name}: expected exit code 0, saw {code}: {said or 'without a word'}. Run it by hand.")


RESTART = ReloadWay("restart")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did: whether it was seen to be in effect, and after how many milliseconds.

    ``without_service`` is for how many of them nobody was served: a restart, or a port that was closed for a moment. That is
    a cost, and no rejection. ``again``: the first one after a start was not heard at once, so it was carried out a second time.
    """

    in_effect: bool
    milliseconds: float
    by_restart: bool
    without_service: float = 0.0
    again: bool = False

    @property
    def how(self) -> str:
        """What it is called."""
        return "restart" if self.by_restart else "reload"

    def __str__(self) -> str:
        cost = f", {self.without_service:.0f} ms of them without service" if self.without_service else ""
        cost += "; told a second time, since the first, just after its start, was without effect" if self.again else ""
        if self.in_effect:
            return f"{self.how} in effect after {self.milliseconds:.0f} ms{cost}"
        return f"{self.how} not in effect within {self.milliseconds:.0f} ms{cost}"


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
