"""Parts of a REST API, found in AWS's words or refused in them, and put back changed."""

from __future__ import annotations

import re
from dataclasses import replace

from ..errors import bad_request, not_found
from ..model import Authorizer, Deployment, Integration, Method, Resource, RestApi, Stage

__all__ = [
    "VERBS",
    "authorizer_of",
    "check_custom",
    "check_status_code",
    "check_verb",
    "deployment_for_stage",
    "deployment_of",
    "integration_of",
    "method_of",
    "resource_of",
    "stage_of",
    "with_method",
    "with_resource",
    "with_stage",
]

VERBS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")
"""What a method or an integration may be called with; ANY stands for all."""


def resource_of(api: RestApi, resource_id: str) -> Resource:
    """The API's resource; raises NotFoundException."""
    try:
        return api.resources[resource_id]
    except KeyError:
        raise not_found("Invalid Resource identifier specified") from None


def method_of(resource: Resource, verb: str) -> Method:
    """The resource's method; raises NotFoundException."""
    try:
        return resource.methods[verb]
    except KeyError:
        raise not_found("Invalid Method identifier specified") from None


def integration_of(method: Method) -> Integration:
    """The method's integration; raises NotFoundException."""
    if method.integration is None:
        raise not_found("Invalid Integration identifier specified")
    return method.integration


def deployment_of(api: RestApi, deployment_id: str) -> Deployment:
    """The API's deployment; raises NotFoundException."""
    try:
        return api.deployments[deployment_id]
    except KeyError:
        raise not_found("Invalid Deployment identifier specified") from None


def deployment_for_stage(api: RestApi, deployment_id: str) -> Deployment:
    """The deployment that a stage is to run; raises BadRequestException, as AWS does here."""
    try:
        return api.deployments[deployment_id]
    except KeyError:
        raise bad_request("Deployment id does not exist") from None


def stage_of(api: RestApi, name: str) -> Stage:
    """The API's stage; raises NotFoundException."""
    try:
        return api.stages[name]
    except KeyError:
        raise not_found("Invalid stage identifier specified") from None


def authorizer_of(api: RestApi, authorizer_id: str) -> Authorizer:
    """The API's authorizer; raises NotFoundException."""
    try:
        return api.authorizers[authorizer_id]
    except KeyError:
        raise not_found("Invalid Authorizer identifier specified") from None


def check_custom(known: bool) -> None:
    """Raises BadRequestException unless the authorizer that CUSTOM needs is *known*."""
    if not known:
        raise bad_request(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires "
            "a valid authorizer."
        )


def check_verb(verb: str) -> None:
    """Raises BadRequestException unless *verb* is one of VERBS."""
    if verb not in VERBS:
        raise bad_request(f"Invalid HttpMethod specified. Valid options are {','.join(VERBS)}")


def check_status_code(code: str) -> None:
    """Raises BadRequestException unless *code* is a status from 100 to 599."""
    if not re.fullmatch(r"[1-5][0-9][0-9]", code):
        raise bad_request(f"Invalid status code specified: {code}")


def with_resource(api: RestApi, one: Resource) -> RestApi:
    """*api* with this resource added or replaced."""
    return replace(api, resources={**api.resources, one.id: one})


def with_method(api: RestApi, resource: Resource, one: Method) -> RestApi:
    """*api* with this method of *resource* added or replaced."""
    return with_resource(api, replace(resource, methods={**resource.methods, one.http_method: one}))


def with_stage(api: RestApi, one: Stage) -> RestApi:
    """*api* with this stage added or replaced; a change of stages brings ``disableExecuteApiEndpoint`` into force."""
    return replace(api, stages={**api.stages, one.name: one}, disabled_in_force=api.disabled)
