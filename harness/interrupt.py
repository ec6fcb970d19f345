"""Ctrl-C, SIGTERM and a closed terminal end a run in order: backends and temporary files go, and reports are written.

Python raises KeyboardInterrupt wherever it happens to be. Inside a callback of OpenSSL, where a probe spends much of its
time, it would be lost, because the caller is C; there the signal is only noted, and ``check`` raises it at the end of
every connection.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

__all__ = ["check", "held", "in_order", "is_noted"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_UNDISTURBED = 10.0
"""Seconds after the first signal in which others do not keep us from ending backends; then somebody means it."""


@dataclass(slots=True)
class _State:
    """Whether the run was interrupted: a process has one answer for all its threads, as it has one set of handlers."""

    noted: float | None = None
    """When it was."""
    pending: bool = False
    """It was noted, and nothing raised yet."""
    holds: int = 0


_state = _State()


@contextmanager
def in_order() -> Iterator[None]:
    """Within the block these signals raise KeyboardInterrupt, once; unless somebody else handles or ignores them."""
    mine = []
    if _in_main_thread():
        defaults = (signal.SIG_DFL, signal.default_int_handler)
        mine = [one for one in _SIGNALS if signal.getsignal(one) in defaults]
    before = [(one, signal.signal(one, _interrupt)) for one in mine]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if before:
            _state.noted, _state.pending = None, False


@contextmanager
def held() -> Iterator[None]:
    """For steps that must not be done by halves: a signal within the block raises at its end."""
    mine = _in_main_thread()
    _state.holds += mine
    try:
        yield
    finally:
        _state.holds -= mine
        if mine and not _state.holds and _state.pending:
            _state.pending = False
            raise KeyboardInterrupt


def check() -> None:
    """Raise KeyboardInterrupt if the run was interrupted."""
    if _state.noted is not None:
        _state.pending = False
        raise KeyboardInterrupt


def is_noted() -> bool:
    """Whether the run was interrupted, and is ending."""
    return _state.noted is not None


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interrupt(_: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    if _state.noted is None or now - _state.noted > _UNDISTURBED:
        _state.noted = now
        if _state.holds or _is_in_callback(frame):
            _state.pending = True
        else:
            raise KeyboardInterrupt


def _is_in_callback(frame: FrameType | None) -> bool:
    """Whether *frame* was called from OpenSSL: pyOpenSSL's callbacks are all functions called ``wrapper``."""
    while frame is not None:
        if frame.f_code.co_name == "wrapper" and frame.f_globals.get("__name__") == "OpenSSL.SSL":
            return True
        frame = frame.f_back
    return False
