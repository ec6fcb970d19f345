"""From the caller's request to the backend's, and back: templates, parameters, headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_mtls.harness.gateway.answer_mapping import mock_answer, produce, remapped
from pytest_mtls.harness.gateway.mapping import Backend, Call, InvalidEndpoint, Mapped, http_plan, rest_plan
from pytest_mtls.harness.gateway.model import HttpIntegration, Integration, IntegrationResponse

CONTEXT = {"requestId": "r-1", "identity.sourceIp": "127.0.0.1", "identity.clientCert.clientCertPem": "BEGIN\nEND\n"}


def call(
    path: str = "/pets/7",
    query: str = "",
    headers: Sequence[tuple[str, str]] = (),
    parameters: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    method: str = "GET",
) -> Call:
    """A caller's request."""
    return Call(method, path, query, headers, parameters or {}, variables or {}, CONTEXT.get)


def mapped(uri: str, one: Call, parameters: Mapping[str, str] | None = None, **members: Any) -> Mapped:
    """What an HTTP_PROXY integration makes of *one*; *parameters* without ``integration.request.``."""
    full = {f"integration.request.{name}": value for name, value in (parameters or {}).items()}
    members = {"type": "HTTP_PROXY", "http_method": "ANY", **members}
    return rest_plan(Integration(uri=uri, request_parameters=full, **members)).map(one)


# --- URIs


@pytest.mark.parametrize(
    ("uri", "one", "target"),
    [
        ("https://b", call(), "/"),
        ("https://b/", call(query="a=1&a=2&b"), "/?a=1&a=2&b"),
        ("https://b?x=1", call(query="a=%2f"), "/?x=1&a=%2f"),
        ("https://b/x#y", call(), "/x"),
        ("https://b/{proxy}", call(parameters={"proxy": "a%20b//c%2Fd"}), "/a%20b//c%2Fd"),
        ("https://b/{proxy+}", call(parameters={"proxy": "a/b"}), "/a/b"),
        ("https://b/v/{id}/toys?of={id}", call(parameters={"id": "7"}), "/v/7/toys?of=7"),
        ("https://b/${stageVariables.base}/x", call(variables={"base": "v2"}), "/v2/x"),
        ("https://b/{nothing}x", call(), "/x"),
    ],
)
def test_a_uri_is_filled_in_and_what_the_caller_sent_stays_as_it_is(uri: str, one: Call, target: str) -> None:
    assert mapped(uri, one).target == target


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://localhost/", Backend("https", "localhost", 443, "localhost")),
        ("http://localhost", Backend("http", "localhost", 80, "localhost")),
        ("HTTPS://Back.Example:8443/", Backend("https", "Back.Example", 8443, "Back.Example:8443")),
        ("https://[::1]:8443/", Backend("https", "::1", 8443, "[::1]:8443")),
        ("https://${stageVariables.host}/", Backend("https", "b.example", 8443, "b.example:8443")),
    ],
)
def test_the_backend_is_the_uri_s_authority(uri: str, expected: Backend) -> None:
    assert mapped(uri, call(variables={"host": "b.example:8443"})).backend == expected


@pytest.mark.parametrize(
    "uri", ["", "localhost", "ftp://b/", "https://", "https://b:99/", "https://b:70000/", "https://u@b/"]
)
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(InvalidEndpoint):
        mapped(uri, call())


# --- mapped parameters


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("method.request.header.X-One", "b"),
        ("method.request.multivalueheader.x-one", "a,b"),
        ("method.request.querystring.q", "2 x"),
        ("method.request.multivaluequerystring.q", "1,2 x"),
        ("method.request.path.id", "a b"),
        ("stageVariables.v", "w"),
        ("context.requestId", "r-1"),
        ("'literal'", "literal"),
        ("''", ""),
        ("context.identity.clientCert.clientCertPem", "BEGIN END "),
    ],
)
def test_a_header_is_mapped_from_anywhere(expression: str, value: str) -> None:
    one = call(
        query="q=1&q=2%20x",
        headers=[("X-One", "a"), ("x-one", "b")],
        parameters={"id": "a%20b"},
        variables={"v": "w"},
    )

    assert ("X-Out", value) in mapped("https://b", one, {"header.X-Out": expression}).headers


@pytest.mark.parametrize("expression", ["context.nothing", "method.request.header.Y", "stageVariables.no", "nonsense"])
def test_a_mapped_header_keeps_the_caller_s_out_even_when_it_has_no_value(expression: str) -> None:
    headers = mapped("https://b", call(headers=[("x-out", "spoofed")]), {"header.X-Out": expression}).headers

    assert headers == []


def test_a_mapped_header_replaces_all_of_the_caller_s() -> None:
    one = call(headers=[("X-Out", "spoofed"), ("Other", "kept"), ("x-out", "again")])

    headers = mapped("https://b", one, {"header.X-Out": "'ours'"}).headers

    assert headers == [("Other", "kept"), ("X-Out", "ours")]


def test_mapped_query_parameters_replace_the_caller_s_and_are_encoded() -> None:
    one = call(query="keep=%41&x=1&x=2", parameters={"id": "a%2Fb"})

    target = mapped("https://b", one, {"querystring.x": "method.request.path.id", "querystring.y z": "'a&b'"}).target

    assert target == "/?keep=%41&x=a%2Fb&y%20z=a%26b"


def test_a_mapped_path_parameter_beats_the_caller_s() -> None:
    one = call(parameters={"id": "7"}, headers=[("Id", "a b/c?")])

    assert mapped("https://b/{id}", one, {"path.id": "method.request.header.Id"}).target == "/a%20b/c%3F"


def test_a_proxy_drops_what_is_meant_for_this_hop() -> None:
    dropped = ["Host", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"]
    dropped += ["Max-Forwards", "Content-MD5", "WWW-Authenticate", "Proxy-Connection", "Content-Length", "X-Hop"]
    one = call(headers=[*((name, "x-hop") for name in dropped), ("Accept", "*/*"), ("accept", "a/b")])

    assert mapped("https://b", one).headers == [("Accept", "*/*"), ("accept", "a/b")]


def test_an_http_integration_sends_mapped_parameters_only() -> None:
    one = call(query="a=1&b=2", headers=[("X-One", "1"), ("X-Two", "2")], method="POST")
    parameters = {"header.X-Two": "method.request.header.X-Two", "querystring.b": "method.request.querystring.b"}

    found = mapped("https://b/x", one, parameters, type="HTTP", http_method="PUT")

    assert (found.method, found.target, found.headers) == ("PUT", "/x?b=2", [("X-Two", "2")])


@pytest.mark.parametrize(("configured", "sent"), [("ANY", "DELETE"), (None, "DELETE"), ("POST", "POST")])
def test_the_method_is_the_integration_s_or_the_caller_s(configured: str | None, sent: str) -> None:
    assert mapped("https://b", call(method="DELETE"), http_method=configured).method == sent


@pytest.mark.parametrize(
    ("parameters", "headers", "target"),
    [
        ({"overwrite:header.X": "$request.header.Y"}, [("Y", "1"), ("X", "1")], "/base?q=2"),
        ({"append:header.X": "'2'"}, [("X", "0"), ("Y", "1"), ("X", "2")], "/base?q=2"),
        ({"remove:header.x": "''"}, [("Y", "1")], "/base?q=2"),
        ({"overwrite:path": "/v/${request.path.id}"}, [("X", "0"), ("Y", "1")], "/v/7?q=2"),
        ({"overwrite:querystring.q": "$context.requestId"}, [("X", "0"), ("Y", "1")], "/base?q=r-1"),
        ({"append:querystring.s": "$stageVariables.v"}, [("X", "0"), ("Y", "1")], "/base?q=2&s=w"),
    ],
)
def test_http_apis_map_in_their_own_syntax(
    parameters: dict[str, str], headers: list[tuple[str, str]], target: str
) -> None:
    one = call(query="q=2", headers=[("X", "0"), ("Y", "1")], parameters={"id": "7"}, variables={"v": "w"})
    integration = HttpIntegration(id="i", type="HTTP_PROXY", uri="https://b/base", request_parameters=parameters)

    found = http_plan(integration).map(one)

    assert (found.headers, found.target) == (headers, target)


def test_the_default_route_hands_the_path_on() -> None:
    integration = HttpIntegration(id="i", type="HTTP_PROXY", uri="https://b/base/")

    assert http_plan(integration, append_path=True).map(call("/a//b%20")).target == "/base/a//b%20"


# --- answers


def test_headers_of_an_answer_keep_their_order_and_some_get_another_name() -> None:
    theirs = ["Connection", "Content-Length", "Date", "Server", "WWW-Authenticate", "Authorization", "Content-MD5"]
    given = [*((name.lower(), "1") for name in [*theirs, "User-Agent"]), ("Set-Cookie", "a"), ("Set-Cookie", "b")]

    found = remapped([*given, ("Keep-Alive", "x"), ("Transfer-Encoding", "chunked")])

    assert found == [
        *((f"x-amzn-Remapped-{name}", "1") for name in [*theirs, "User-Agent"]),
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
    ]


def responses(**patterns: str | None) -> dict[str, IntegrationResponse]:
    """Integration responses by status (``s200``) with their patterns."""
    return {
        name[1:]: IntegrationResponse(status_code=name[1:], selection_pattern=pattern)
        for name, pattern in patterns.items()
    }


@pytest.mark.parametrize(
    ("defined", "backend_status", "expected"),
    [
        (responses(s200=None), 200, 200),
        (responses(s200=None), 503, 200),
        (responses(s200="", s404="404"), 404, 404),
        (responses(s200=None, s400=r"4\d{2}"), 418, 400),
        (responses(s200=None, s400="4"), 400, 200),
        (responses(s400="4.."), 200, None),
        (responses(s400="(", s200=None), 400, 200),
        ({}, 200, None),
    ],
)
def test_the_integration_response_is_chosen_by_the_whole_status(
    defined: dict[str, IntegrationResponse], backend_status: int, expected: int | None
) -> None:
    made = produce(Integration(type="HTTP", responses=defined), backend_status, (), call())

    assert (None if made is None else made.status) == expected


def test_an_integration_response_maps_headers_and_takes_its_template_literally() -> None:
    response = IntegrationResponse(
        status_code="200",
        response_parameters={
            "method.response.header.X-One": "integration.response.header.x-theirs",
            "method.response.header.X-Two": "'two'",
            "method.response.header.X-None": "integration.response.header.nothing",
            "method.response.header.X-Split": "'a\r\nEvil: 1'",
            "method.response.header.Content-Length": "'7'",
        },
        response_templates={"text/plain": "$input.body"},
    )
    made = produce(Integration(type="HTTP", responses={"200": response}), 200, [("X-Theirs", "1"), ("X", "2")], call())

    assert made is not None
    assert made.headers == [("Content-Type", "text/plain"), ("X-One", "1"), ("X-Two", "two"), ("X-Split", "a  Evil: 1")]
    assert made.body == b"$input.body"


@pytest.mark.parametrize(
    ("templates", "headers", "defined", "expected"),
    [
        ({"application/json": '{"statusCode": 204}'}, [], {}, 204),
        ({"application/json": "{statusCode: 404}"}, [], responses(s200=None), 404),
        ({"application/json": '{"statusCode": 418}'}, [], responses(s200=None, s400="4.."), 400),
        ({"text/xml": '{"statusCode": 201}'}, [("content-type", "text/xml; charset=utf-8")], {}, 201),
        ({"text/xml": '{"statusCode": 201}'}, [], {}, None),
        ({"application/json": "{}"}, [], {}, None),
        ({}, [], {}, None),
    ],
)
def test_mock_answers_the_status_that_its_template_names(
    templates: dict[str, str],
    headers: list[tuple[str, str]],
    defined: dict[str, IntegrationResponse],
    expected: int | None,
) -> None:
    made = mock_answer(Integration(type="MOCK", request_templates=templates, responses=defined), call(headers=headers))

    assert (None if made is None else made.status) == expected
