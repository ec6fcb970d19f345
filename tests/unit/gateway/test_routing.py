"""What a request to a default endpoint means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_mtls.harness.gateway import answers
from pytest_mtls.harness.gateway.answers import Refused
from pytest_mtls.harness.gateway.model import (
    Deployment,
    HttpApi,
    HttpDeployment,
    HttpIntegration,
    HttpRoute,
    HttpStage,
    Integration,
    Method,
    Resource,
    RestApi,
    Stage,
)
from pytest_mtls.harness.gateway.routing import Address, Router, Tree, addressed
from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.gateway.state import State

NOW = datetime(2025, 3, 20, 10, tzinfo=UTC)
REGION = "us-east-1"


# --- whose request it is


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("localhost:1", "/_aws/execute-api/abc/prod/x/y", Address("abc", "prod", "/x/y")),
        ("localhost:1", "/_aws/execute-api/abc/prod", Address("abc", "prod", "")),
        ("localhost:1", "/_aws/execute-api/abc/%24default/x", Address("abc", "$default", "/x")),
        ("abc.execute-api.us-east-1.amazonaws.com", "/prod/x", Address("abc", None, "/prod/x")),
        ("ABC.execute-api.us-east-1.AMAZONAWS.com:8080", "/prod", Address("abc", None, "/prod")),
        ("abc.execute-api.localhost:8080", "/prod/%2f", Address("abc", None, "/prod/%2f")),
        ("abc.execute-api.eu-west-1.amazonaws.com", "/prod", Address("", None, "/prod")),
        ("apigateway.us-east-1.amazonaws.com", "/restapis", None),
        ("localhost:8080", "/restapis", None),
        ("execute-api.localhost", "/", None),
        ("", "/", None),
    ],
)
def test_default_endpoints_are_known_by_path_and_by_host(host: str, path: str, expected: Address | None) -> None:
    assert addressed(host, path, REGION) == expected


def test_the_path_form_can_be_left_out() -> None:
    assert addressed("localhost", "/_aws/execute-api/abc/prod", REGION, by_path=False) is None


# --- the order of routes


def tree_of(*paths: str) -> Tree[str]:
    """A tree whose values name their places: ``VERB /path``."""
    tree: Tree[str] = Tree()
    for place in paths:
        verb, _, path = place.partition(" ")
        tree.add(path, verb, place)
    return tree


ROUTES = (
    "GET /",
    "GET /pets",
    "ANY /pets/{id}",
    "GET /pets/{id}",
    "GET /pets/mine",
    "ANY /{proxy+}",
    "GET /pets/{id}/toys",
)


@pytest.mark.parametrize(
    ("request_line", "place", "variables"),
    [
        ("GET /", "GET /", {}),
        ("GET ", "GET /", {}),
        ("GET /pets", "GET /pets", {}),
        ("GET /pets/", "GET /pets", {}),
        ("GET /pets/7", "GET /pets/{id}", {"id": "7"}),
        ("PUT /pets/7", "ANY /pets/{id}", {"id": "7"}),
        ("GET /pets/mine", "GET /pets/mine", {}),
        ("PUT /pets/mine", "ANY /pets/{id}", {"id": "mine"}),
        ("GET /pets/mine/toys", "GET /pets/{id}/toys", {"id": "mine"}),
        ("GET /pets/7/toys/1", "ANY /{proxy+}", {"proxy": "pets/7/toys/1"}),
        ("POST /pets", "ANY /{proxy+}", {"proxy": "pets"}),
        ("GET /a%20b//c%2Fd/", "ANY /{proxy+}", {"proxy": "a%20b//c%2Fd/"}),
        ("GET /pets/%31", "GET /pets/{id}", {"id": "%31"}),
        ("GET /p%65ts", "GET /pets", {}),
    ],
)
def test_static_beats_variable_beats_greedy_and_an_exact_verb_beats_any(
    request_line: str, place: str, variables: dict[str, str]
) -> None:
    verb, _, path = request_line.partition(" ")

    assert tree_of(*ROUTES).find(verb, path) == (place, variables)


@pytest.mark.parametrize("request_line", ["POST /", "GET /x", "GET /pets/1/2", "GET //pets"])
def test_what_no_route_fits_is_not_found(request_line: str) -> None:
    verb, _, path = request_line.partition(" ")

    assert tree_of("GET /", "GET /pets/{id}").find(verb, path) is None


def test_a_greedy_variable_below_a_variable_is_a_way_out() -> None:
    tree = tree_of("GET /{a}/b", "GET /{x}/{rest+}")

    assert tree.find("GET", "/1/c/d") == ("GET /{x}/{rest+}", {"a": "1", "rest": "c/d"})


# --- REST APIs


def rest_api(**changes: Any) -> RestApi:
    """An API with GET /pets, which shows a stage ``prod``."""
    method = Method(http_method="GET", integration=Integration(type="MOCK"))
    resources = (Resource(id="root", path="/"), Resource(id="pets", path="/pets", methods={"GET": method}))
    deployment = Deployment(id="d1", created=NOW, resources=resources, authorizers={})
    stage = Stage(name="prod", deployment_id="d1", created=NOW, updated=NOW, client_certificate="c1", in_force="c1")
    members: dict[str, Any] = {
        "id": "abc",
        "name": "pets",
        "created": NOW,
        "root_resource_id": "root",
        "resources": {one.id: one for one in resources},
        "deployments": {"d1": deployment},
        "stages": {"prod": stage},
    }
    return RestApi(**{**members, **changes})


def refused(state: State, address: Address, verb: str = "GET") -> answers.Fixed:
    """The answer that *address* is refused with."""
    with pytest.raises(Refused) as caught:
        Router(state).route(address, verb)
    return caught.value.answer


def test_a_request_runs_on_the_deployment_of_its_stage() -> None:
    route = Router(State(rest_apis={"abc": rest_api()})).route(Address("abc", "prod", "/pets"), "GET")

    assert (route.stage.name, route.endpoint.resource_id, route.certificate) == ("prod", "pets", "c1")


def test_the_stage_is_the_first_segment_by_host() -> None:
    route = Router(State(rest_apis={"abc": rest_api()})).route(Address("abc", None, "/prod/pets"), "GET")

    assert (route.stage.name, route.path) == ("prod", "/pets")


def test_a_new_deployment_is_another_tree() -> None:
    state = State(rest_apis={"abc": rest_api()})
    router = Router(state)
    router.route(Address("abc", "prod", "/pets"), "GET")
    state.rest_apis["abc"] = rest_api(
        deployments={"d1": Deployment(id="d1", created=NOW, resources=(), authorizers={})}
    )

    with pytest.raises(Refused):
        router.route(Address("abc", "prod", "/pets"), "GET")


@pytest.mark.parametrize(
    ("api", "address", "verb", "expected"),
    [
        (rest_api(), Address("other", "prod", "/pets"), "GET", answers.FORBIDDEN),
        (rest_api(), Address("abc", "test", "/pets"), "GET", answers.FORBIDDEN),
        (rest_api(), Address("abc", None, "/"), "GET", answers.FORBIDDEN),
        (rest_api(), Address("abc", "prod", "/dogs"), "GET", answers.NO_ROUTE),
        (rest_api(), Address("abc", "prod", "/pets"), "PUT", answers.NO_ROUTE),
        (rest_api(disabled_in_force=True), Address("abc", "prod", "/dogs"), "GET", answers.FORBIDDEN),
    ],
)
def test_a_rest_api_refuses_in_order(api: RestApi, address: Address, verb: str, expected: answers.Fixed) -> None:
    assert refused(State(rest_apis={"abc": api}), address, verb) == expected


def test_a_disabled_endpoint_stays_open_until_it_is_in_force_unless_it_acts_at_once() -> None:
    state = State(rest_apis={"abc": rest_api(disabled=True)})
    assert Router(state).route(Address("abc", "prod", "/pets"), "GET").stage.name == "prod"
    state.settings = Settings(disable_needs_deployment=False)

    assert refused(state, Address("abc", "prod", "/pets")) == answers.FORBIDDEN


# --- HTTP APIs


def http_api(*keys: str, stages: tuple[str, ...] = ("$default",), **changes: Any) -> HttpApi:
    """An HTTP API with these routes, each with an integration, and stages that run them."""
    routes = tuple(HttpRoute(id=f"r{number}", key=key, target="integrations/i1") for number, key in enumerate(keys))
    integration = HttpIntegration(id="i1", type="HTTP_PROXY", method="ANY", uri="https://localhost:8443/")
    deployment = HttpDeployment(id="d1", created=NOW, routes=routes, integrations={"i1": integration}, authorizers={})
    made = {name: HttpStage(name=name, created=NOW, updated=NOW, deployment_id="d1") for name in stages}
    members: dict[str, Any] = {"id": "web", "name": "web", "protocol": "HTTP", "created": NOW}
    return HttpApi(**{**members, "deployments": {"d1": deployment}, "stages": made, **changes})


@pytest.mark.parametrize(
    ("request_line", "key"),
    [
        ("GET /pets/dog/1", "GET /pets/dog/1"),
        ("GET /pets/dog/2", "GET /pets/dog/{id}"),
        ("GET /pets/cat/1", "GET /pets/{proxy+}"),
        ("POST /test/5", "ANY /{proxy+}"),
        ("POST /", "$default"),
    ],
)
def test_an_http_api_takes_the_most_exact_route(request_line: str, key: str) -> None:
    keys = ("GET /pets/{proxy+}", "$default", "ANY /{proxy+}", "GET /pets/dog/{id}", "GET /pets/dog/1")
    router = Router(State(http_apis={"web": http_api(*keys)}))
    verb, _, path = request_line.partition(" ")

    endpoint = router.route(Address("web", "$default", path), verb).endpoint

    assert endpoint.route_key == key


@pytest.mark.parametrize(
    ("address", "stage", "path"),
    [
        (Address("web", None, "/pets"), "$default", "/pets"),
        (Address("web", None, "/test/pets"), "test", "/pets"),
        (Address("web", None, "/"), "$default", "/"),
        (Address("web", "$default", "/pets"), "$default", "/pets"),
        (Address("web", "test", "/test"), "test", "/test"),
    ],
)
def test_the_default_stage_has_no_segment_by_host(address: Address, stage: str, path: str) -> None:
    state = State(http_apis={"web": http_api("$default", stages=("$default", "test"))})

    route = Router(state).route(address, "GET")

    assert (route.stage.name, route.path, route.certificate) == (stage, path, None)


@pytest.mark.parametrize(
    ("api", "address"),
    [
        (http_api("GET /pets"), Address("web", "$default", "/dogs")),
        (http_api("GET /pets"), Address("web", "test", "/pets")),
        (http_api("GET /pets", stages=("test",)), Address("web", None, "/pets")),
        (http_api("GET /pets", disabled=True), Address("web", "$default", "/pets")),
    ],
)
def test_an_http_api_finds_nothing(api: HttpApi, address: Address) -> None:
    assert refused(State(http_apis={"web": api}), address) == answers.NOT_FOUND


def test_a_disabled_http_api_is_forbidden_if_so_set() -> None:
    state = State(
        http_apis={"web": http_api("$default", disabled=True)}, settings=Settings(disabled_http_api_status=403)
    )

    assert refused(state, Address("web", "$default", "/")) == answers.FORBIDDEN_BY_HTTP_API


def test_a_websocket_api_says_that_it_is_not_emulated() -> None:
    state = State(http_apis={"web": http_api("$default", protocol="WEBSOCKET")})

    assert refused(state, Address("web", "$default", "/")).status == 501
