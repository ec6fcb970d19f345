"""The moment a stage's certificate changes: what it shows, what it presents, and since when."""

from __future__ import annotations

import time
from dataclasses import replace

from .model import Stage
from .state import State

__all__ = ["attached", "brought_into_force"]


def attached(state: State, stage: Stage, certificate: str | None) -> Stage:
    """*stage* showing *certificate*, and presenting it unless ``redeploy_required`` holds that back."""
    if certificate == stage.client_certificate:
        return stage
    shown = replace(stage, client_certificate=certificate)
    return shown if state.settings.redeploy_required else brought_into_force(state, shown)


def brought_into_force(state: State, stage: Stage) -> Stage:
    """*stage* presenting what it shows; what it presented until now goes on for ``propagation_ms``."""
    if stage.in_force == stage.client_certificate:
        return stage
    former = state.presented(stage)
    arrives = time.monotonic() + state.settings.propagation_ms / 1000
    return replace(stage, former=former, in_force=stage.client_certificate, arrives=arrives)
