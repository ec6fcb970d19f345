"""Which API, stage, resource and method a caller's request means.

Paths are compared as they came, percent-encoding untouched; a variable's value is handed on the same way. The tree of a
deployment is made once, when its first request comes, and kept while the deployment is the same object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import unquote

from . import answers
from .answers import Refused
from .mapping import Plan, http_plan, rest_plan
from .model import (
    Authorizer,
    Deployment,
    HttpApi,
    HttpAuthorizer,
    HttpDeployment,
    HttpIntegration,
    HttpRoute,
    HttpStage,
    Resource,
    RestApi,
    Stage,
)
from .state import State

__all__ = ["DEFAULT_STAGE", "PATH_FORM", "Address", "Endpoint", "Route", "Router", "Tree", "addressed"]

PATH_FORM = "/_aws/execute-api/"
"""Where the plain port serves default endpoints without a Host of their own."""
DEFAULT_STAGE = "$default"
_ANY = "ANY"
_REMEMBERED = 500
_HOST = re.compile(r"([a-z0-9-]+)\.execute-api\.(?:([a-z0-9-]+)\.amazonaws\.com|localhost)", re.IGNORECASE)

_T = TypeVar("_T")


# --- the default endpoint


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a request to a default endpoint is for; the stage is still in the path when it came by Host."""

    api_id: str
    stage: str | None
    path: str
    """The rest of the path, raw: empty or with a leading slash."""
    called: str | None = None
    """The caller's whole path where it came to a custom domain, which stays when the default endpoint is disabled."""


def addressed(host: str, path: str, region: str, *, by_path: bool = True) -> Address | None:
    """Whom a request with this ``Host`` (a port may follow) and raw *path* is for; None if for no default endpoint.

    The name of another region is some default endpoint too, but none of ours: the API is unknown then. *by_path* says
    whether the path form counts.
    """
    if by_path and path.startswith(PATH_FORM):
        api_id, _, rest = path[len(PATH_FORM) :].partition("/")
        stage, slash, rest = rest.partition("/")
        return Address(api_id, unquote(stage), slash + rest)
    if ".execute-api." not in host.lower():
        return None
    named = _HOST.fullmatch(host.partition(":")[0].rstrip("."))
    if named is None:
        return None
    ours = named[2] is None or named[2].lower() == region
    return Address(named[1].lower() if ours else "", None, path)


# --- the tree of a deployment


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a path and a verb lead to: a method of a REST API or a route of an HTTP API, ready to be carried out."""

    resource_id: str
    resource_path: str
    verb: str
    """As configured, ``ANY`` too; empty for the ``$default`` route."""
    authorization_type: str
    authorizer_id: str | None
    plan: Plan | None
    """The integration; None when there is none."""

    @property
    def route_key(self) -> str:
        """As an HTTP API has it: ``GET /pets/{id}``, or ``$default``."""
        return f"{self.verb} {self.resource_path}" if self.verb else self.resource_path


class _Node(Generic[_T]):
    """One segment of a path."""

    __slots__ = ("greedy", "static", "variable", "verbs")

    def __init__(self) -> None:
        self.static: dict[str, _Node[_T]] = {}
        self.variable: tuple[str, _Node[_T]] | None = None
        self.greedy: tuple[str, _Node[_T]] | None = None
        self.verbs: dict[str, _T] = {}

    def by_verb(self, verb: str) -> _T | None:
        return self.verbs.get(verb) or self.verbs.get(_ANY)


class Tree(Generic[_T]):
    """Paths with variables: static beats ``{name}`` beats ``{name+}``, then an exact verb beats ANY.

    What matches by its path but has neither the verb nor ANY does not count, so a less exact path may still match.
    """

    def __init__(self) -> None:
        self._root: _Node[_T] = _Node()

    def add(self, path: str, verb: str, value: _T) -> None:
        """Put *value* at *path* (``/pets/{id}``) for *verb*."""
        node = self._root
        for part in path.strip("/").split("/") if path.strip("/") else ():
            node = _child(node, part)
        node.verbs[verb] = value

    def find(self, verb: str, path: str) -> tuple[_T, dict[str, str]] | None:
        """The value for a raw *path*, with the variables' raw values; None when nothing fits.

        A slash at the end says nothing, but in what a greedy variable takes.
        """
        parts = path[1:].split("/") if len(path) > 1 else []
        variables: dict[str, str] = {}
        found = _find(self._root, verb, parts, 0, variables)
        return None if found is None else (found, variables)


def _child(node: _Node[_T], part: str) -> _Node[_T]:
    if not (part.startswith("{") and part.endswith("}")):
        return node.static.setdefault(part, _Node())
    name = part[1:-1]
    if name.endswith("+"):
        node.greedy = node.greedy or (name[:-1], _Node())
        return node.greedy[1]
    node.variable = node.variable or (name, _Node())
    return node.variable[1]


def _find(node: _Node[_T], verb: str, parts: list[str], at: int, variables: dict[str, str]) -> _T | None:
    left = len(parts) - at
    if left == 0 or (left == 1 and not parts[at]):
        return node.by_verb(verb)
    part = parts[at]
    child = node.static.get(part)
    if child is None and "%" in part:
        child = node.static.get(unquote(part))
    if child is not None and (found := _find(child, verb, parts, at + 1, variables)) is not None:
        return found
    if node.variable is not None and part:
        name, child = node.variable
        if (found := _find(child, verb, parts, at + 1, variables)) is not None:
            variables[name] = part
            return found
    if node.greedy is not None:
        name, child = node.greedy
        if (found := child.by_verb(verb)) is not None:
            variables[name] = "/".join(parts[at:])
            return found
    return None


def _rest_tree(deployment: Deployment) -> Tree[Endpoint]:
    tree: Tree[Endpoint] = Tree()
    for resource in deployment.resources:
        for endpoint in _endpoints(resource):
            tree.add(resource.path, endpoint.verb, endpoint)
    return tree


def _endpoints(resource: Resource) -> Iterable[Endpoint]:
    for verb, method in resource.methods.items():
        plan = None if method.integration is None else rest_plan(method.integration)
        yield Endpoint(resource.id, resource.path, verb, method.authorization_type, method.authorizer_id, plan)


class _HttpTree:
    """The routes of an HTTP API: a tree, and ``$default`` for the rest."""

    def __init__(self, routes: Iterable[HttpRoute], integrations: Mapping[str, HttpIntegration]) -> None:
        self._tree: Tree[Endpoint] = Tree()
        self._default: Endpoint | None = None
        for route in routes:
            verb, _, path = route.key.partition(" ")
            integration = integrations.get((route.target or "").removeprefix("integrations/"))
            is_default = route.key == DEFAULT_STAGE
            plan = None if integration is None else http_plan(integration, append_path=is_default)
            common = route.authorization_type, route.authorizer_id, plan
            if is_default:
                self._default = Endpoint(route.id, DEFAULT_STAGE, "", *common)
            elif path.startswith("/"):
                self._tree.add(path, verb, Endpoint(route.id, path, verb, *common))

    def find(self, verb: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        found = self._tree.find(verb, path)
        if found is None and self._default is not None:
            return self._default, {}
        return found


# --- from an address to what it means


@dataclass(frozen=True, slots=True)
class Route:
    """What a request means: everything of the control plane that its answer depends on."""

    api: RestApi | HttpApi
    stage: Stage | HttpStage
    path: str
    """The caller's raw path behind the stage."""
    endpoint: Endpoint
    parameters: Mapping[str, str]
    certificate: str | None
    """The id or ARN that is presented to the backend."""
    authorizers: Mapping[str, Authorizer] | Mapping[str, HttpAuthorizer]
    called: str | None = None
    """The caller's whole path at a custom domain; None at the default endpoint, where the stage stands before ``path``."""

    @property
    def is_rest(self) -> bool:
        """Whether it is a REST API, else one of apigatewayv2."""
        return isinstance(self.api, RestApi)

    @property
    def caller_path(self) -> str:
        """The raw path that the caller sent: all of it at a domain, else with the stage, unless that is ``$default``."""
        if self.called is not None:
            return self.called
        return self.path if self.stage.name == DEFAULT_STAGE else f"/{self.stage.name}{self.path}"


class Router:
    """Finds routes in the *state* of the moment."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._trees: dict[int, tuple[object, Tree[Endpoint] | _HttpTree]] = {}

    def route(self, address: Address, verb: str) -> Route:
        """What *verb* at *address* means; raises Refused with the API's own answer when it means nothing."""
        rest = self._state.rest_apis.get(address.api_id)
        if rest is not None:
            return self._rest(rest, address, verb)
        http = self._state.http_apis.get(address.api_id)
        if http is None:
            raise Refused(answers.FORBIDDEN)
        if http.protocol != "HTTP":
            raise Refused(answers.NO_WEBSOCKETS)
        return self._http(http, address, verb)

    def _rest(self, api: RestApi, address: Address, verb: str) -> Route:
        disabled = api.disabled_in_force if self._state.settings.disable_needs_deployment else api.disabled
        if disabled and address.called is None:
            raise Refused(answers.FORBIDDEN, api)
        name, path = address.stage, address.path
        if name is None:
            name, slash, rest = path[1:].partition("/")
            path = slash + rest
        stage = api.stages.get(name)
        deployment = None if stage is None else api.deployments.get(stage.deployment_id)
        if stage is None or deployment is None:
            raise Refused(answers.FORBIDDEN, api)
        found = self._tree(deployment, lambda: _rest_tree(deployment)).find(verb, path)
        if found is None:
            raise Refused(answers.NO_ROUTE, api)
        certificate = self._state.presented(stage)
        return Route(api, stage, path or "/", *found, certificate, deployment.authorizers, address.called)

    def _http(self, api: HttpApi, address: Address, verb: str) -> Route:
        if api.disabled and address.called is None:
            status = self._state.settings.disabled_http_api_status
            raise Refused(answers.FORBIDDEN_BY_HTTP_API if status == 403 else answers.NOT_FOUND, api)
        name, path = address.stage, address.path
        if name is None:
            first, slash, rest = path[1:].partition("/")
            name = unquote(first)
            if name in api.stages and name != DEFAULT_STAGE:
                path = slash + rest
            else:
                name = DEFAULT_STAGE
        stage = api.stages.get(name)
        if stage is None:
            raise Refused(answers.NOT_FOUND, api)
        routes = self._http_deployment(api, stage)
        found = None if routes is None else self._tree(routes, lambda: _HttpTree(routes.routes, routes.integrations))
        hit = None if found is None else found.find(verb, path)
        if routes is None or hit is None:
            raise Refused(answers.NOT_FOUND, api)
        # stages of HTTP APIs have no client certificate
        return Route(api, stage, path or "/", *hit, None, routes.authorizers, address.called)

    @staticmethod
    def _http_deployment(api: HttpApi, stage: HttpStage) -> HttpDeployment | None:
        return None if stage.deployment_id is None else api.deployments.get(stage.deployment_id)

    def _tree(self, deployment: object, make: Callable[[], Tree[Endpoint] | _HttpTree]) -> Tree[Endpoint] | _HttpTree:
        """The deployment's tree; it stays with the deployment, which is kept so that its id() is not given away."""
        known = self._trees.get(id(deployment))
        if known is None:
            if len(self._trees) >= _REMEMBERED:
                self._trees.clear()
            known = self._trees[id(deployment)] = (deployment, make())
        return known[1]

    def forget(self) -> None:
        """Drop the trees: the state was reset."""
        self._trees.clear()
