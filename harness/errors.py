"""Everything that can go wrong, in two trees: our or the user's fault, and the backend's.

* MtlsError               ours or the user's; never says anything about the backend's mTLS
  - UsageError            an option, file or value that cannot be used          (exit code 2)
  - BackendError          the backend could not be reloaded or judged           (exit code 3)
    + StartError          it could not be started or reached at all
* Finding                 the backend does not hold what a scenario requires    (exit code 1)
* Inconclusive            nothing was proved either way                         (exit code 3)
* NotApplicable           the scenario has no meaning for this target           (skipped)

Messages read ``<what> (<value>): expected X, saw Y. <what to do>`` and fit one line.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "BackendError",
    "Finding",
    "Inconclusive",
    "MtlsError",
    "NotApplicable",
    "StartError",
    "UsageError",
    "describe",
    "did_you_mean",
]


class MtlsError(Exception):
    """Ours or the user's fault, never the backend's."""


class UsageError(MtlsError):
    """An option, a file or a value that cannot be used; the message says which, and what to do."""


class BackendError(MtlsError):
    """The backend could not be started, reached, reloaded or judged."""


class StartError(BackendError):
    """The backend could not be started, or nobody speaks TLS where it should: nothing can be judged.

    *listening*: something does listen there, so it cannot be said that it did not start.
    """

    def __init__(self, message: str, *, listening: bool = False) -> None:
        super().__init__(message)
        self.listening = listening


class Finding(AssertionError):
    """The backend does not hold what a scenario requires."""


class Inconclusive(Exception):
    """Nothing was proved either way; never a pass."""


class NotApplicable(Exception):
    """The scenario has no meaning for this target, or needs what it did not declare."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence with the word of *known* that is most like *word*, to be put behind a message; empty without one."""
    close = difflib.get_close_matches(word, [str(one) for one in known], n=1)
    return f" Did you mean {close[0]}?" if close else ""


def describe(error: Exception) -> str:
    """An error that nobody expected, in one line, with the place in the source where it came from."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})"
