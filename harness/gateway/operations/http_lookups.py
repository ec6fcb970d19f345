"""Parts of an HTTP or WebSocket API, found or refused in v2's words, and put back changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from ..errors import not_found
from ..ids import SHORT, new_id
from ..model import HttpApi, HttpDeployment, HttpStage
from ..state import State

__all__ = ["deployed", "part_of", "redeployed", "with_stage"]

T = TypeVar("T")

_WORDS = {"Stage": "stage"}


def part_of(parts: Mapping[str, T], name: str, kind: str) -> T:
    """The part *name* of an API; raises NotFoundException with ``resourceType`` *kind*."""
    try:
        return parts[name]
    except KeyError:
        raise not_found(f"Invalid {_WORDS.get(kind, kind)} identifier specified", resource_type=kind) from None


def with_stage(api: HttpApi, one: HttpStage) -> HttpApi:
    """*api* with this stage added or replaced."""
    return replace(api, stages={**api.stages, one.name: one})


def deployed(
    state: State, api: HttpApi, *, description: str | None = None, auto: bool = False
) -> tuple[HttpApi, HttpDeployment]:
    """*api* with a new deployment of its routes as they are now."""
    one = HttpDeployment(
        id=new_id(SHORT, api.deployments),
        created=state.now(),
        routes=tuple(api.routes.values()),
        integrations=dict(api.integrations),
        authorizers=dict(api.authorizers),
        description=description,
        auto=auto,
    )
    return replace(api, deployments={**api.deployments, one.id: one}), one


def redeployed(state: State, api: HttpApi) -> HttpApi:
    """*api* with its auto-deployed stages on a new deployment; the same where there are none.

    For use after a change of routes, integrations or authorizers.
    """
    stages = [stage for stage in api.stages.values() if stage.auto_deploy]
    if not stages:
        return api
    api, deployment = deployed(
        state, api, description="Automatic deployment triggered by changes to the Api configuration", auto=True
    )
    for stage in stages:
        api = with_stage(api, replace(stage, deployment_id=deployment.id, updated=state.now()))
    return api
