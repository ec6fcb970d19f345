"""Callers of the data plane: whom it refuses, under which names it is reached, and those that misbehave."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from pytest_mtls.harness.gateway.data_plane import DataPlane

from .running import Backend, Running, answer, read_all, running

LARGE = 5_000_000
JSON_FORBIDDEN = b'{"message":"Forbidden"}'


# --- refusals


def refusal(gateway: Running, path: str, **headers: str) -> tuple[int, bytes, str | None]:
    """Status, body and error type; every answer bears the three identifying headers."""
    answered = gateway.call("GET", path, headers=headers)
    assert re.fullmatch("[0-9a-f-]{36}", answered["x-amzn-RequestId"] or "")
    assert (answered["X-Amzn-Trace-Id"] or "").startswith("Root=1-")
    return answered.status, answered.body, answered["x-amzn-ErrorType"]


def test_a_rest_api_s_refusals(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/", path="/pets", verb="GET")
    forbidden = 403, JSON_FORBIDDEN, "ForbiddenException"
    no_route = 403, b'{"message":"Missing Authentication Token"}', "MissingAuthenticationTokenException"

    assert refusal(gateway, gateway.path("nothing000", "/pets")) == forbidden
    assert refusal(gateway, gateway.path(api, "/pets", "test")) == forbidden
    assert refusal(gateway, gateway.path(api, "/dogs")) == no_route
    assert gateway.call("GET", gateway.path(api, "/dogs"))["x-amz-apigw-id"]
    assert gateway.call("POST", gateway.path(api, "/pets")).status == 403
    assert server.requests == []


def test_a_disabled_endpoint_is_forbidden_from_the_next_deployment_on(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/")
    replace = {"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}
    gateway.perform("UpdateRestApi", restApiId=api, patchOperations=[replace])
    assert gateway.call("GET", gateway.path(api, "/x")).status == 200
    gateway.perform("CreateDeployment", restApiId=api, stageName="prod")

    assert refusal(gateway, gateway.path(api, "/x")) == (403, JSON_FORBIDDEN, "ForbiddenException")


def test_iam_wants_a_signature_and_does_not_check_it(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/", auth="AWS_IAM")
    path = gateway.path(api, "/x")
    missing = b'{"message":"Missing Authentication Token"}'

    assert refusal(gateway, path)[:2] == refusal(gateway, path, Authorization="Bearer x")[:2] == (403, missing)
    assert gateway.call("GET", path, headers={"Authorization": "AWS4-HMAC-SHA256 Credential=x"}).status == 200


def test_nobody_is_let_in_by_an_authorizer_that_cannot_be_asked(gateway: Running, server: Backend) -> None:
    created = gateway.perform("CreateRestApi", name="test")
    api = created["id"]
    uri = (
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f"
    )
    authorizer = gateway.perform(
        "CreateAuthorizer",
        restApiId=api,
        name="a",
        type="TOKEN",
        authorizerUri=f"{uri}/invocations",
        identitySource="method.request.header.Authorization",
    )
    place = gateway.method(api, created["rootResourceId"], "/{proxy+}", f"{server.url}/")
    changes = [("authorizerId", authorizer["id"]), ("authorizationType", "CUSTOM")]
    operations = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in changes]
    gateway.perform("UpdateMethod", **place, patchOperations=operations)
    gateway.perform("CreateDeployment", restApiId=api, stageName="prod")

    expected = 500, b'{"message":null}', "AuthorizerConfigurationException"
    assert refusal(gateway, gateway.path(api, "/x"), Authorization="t") == expected
    assert server.requests == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_of_more_than_ten_megabytes_is_too_large(gateway: Running, server: Backend, announced: bool) -> None:
    api = gateway.api(f"{server.url}/")
    size = 10 * 1024 * 1024
    if announced:
        answered = gateway.call("POST", gateway.path(api, "/x"), bytes(size + 1))
    else:
        pieces = (bytes(size // 8) for _ in range(9))
        answered = gateway.call("POST", gateway.path(api, "/x"), pieces, {"Transfer-Encoding": "chunked"}, chunked=True)

    assert answered.status == 413
    assert answered.json == {"message": "HTTP content length exceeded 10485760 bytes."}
    assert gateway.call("POST", gateway.path(api, "/x"), bytes(size)).status == 200
    assert len(server.requests) == 1


# --- HTTP APIs


def http_api(gateway: Running, target: str, **members: object) -> str:
    """An HTTP API made in one go."""
    return str(gateway.perform_v2("CreateApi", name="web", protocolType="HTTP", target=target, **members)["apiId"])


def test_an_http_api_passes_everything_to_its_target(gateway: Running, server: Backend) -> None:
    api = http_api(gateway, f"{server.url}/base")
    answered = gateway.call("PUT", gateway.path(api, "/a//b?c=%2f", "$default"), b"body")

    assert (answered.status, answered["x-amz-apigw-id"]) == (200, None)
    assert (server.request[0], server.request[2]) == ("PUT /base/a//b?c=%2f HTTP/1.1", b"body")
    by_host = gateway.call("GET", "/x", headers={"Host": f"{api}.execute-api.localhost"})
    assert (by_host.status, server.request[0]) == (200, "GET /base/x HTTP/1.1")


@pytest.mark.parametrize(
    ("key", "stage", "expected"),
    [
        ("$default", "$default", ("$default", "/pets/7")),
        ("$default", "test", ("$default", "/test/pets/7")),
        ("GET /pets/{id}", "$default", ("GET /pets/{id}", "/pets/7")),
        ("ANY /{proxy+}", "test", ("ANY /{proxy+}", "/test/pets/7")),
    ],
)
def test_an_http_api_s_context_has_route_key_and_path(
    gateway: Running, server: Backend, key: str, stage: str, expected: tuple[str, str]
) -> None:
    """``$default`` stands in no path, whether the mock is called by Host or, for want of a name, by path."""
    api = http_api(gateway, f"{server.url}/", routeKey=key)
    gateway.perform_v2("CreateStage", apiId=api, stageName="test", autoDeploy=True)
    (made,) = gateway.perform_v2("GetIntegrations", apiId=api)["items"]
    mapped = {"overwrite:header.X-Key": "$context.routeKey", "overwrite:header.X-Path": "$context.path"}
    gateway.perform_v2("UpdateIntegration", apiId=api, integrationId=made["integrationId"], requestParameters=mapped)
    by_host = "" if stage == "$default" else f"/{stage}"
    for path, headers in (
        (gateway.path(api, "/pets/7", stage), {}),
        (f"{by_host}/pets/7", {"Host": f"{api}.execute-api.localhost"}),
    ):
        assert gateway.call("GET", path, headers=headers).status == 200
        assert (server.header("X-Key"), server.header("X-Path")) == ([expected[0]], [expected[1]])


def test_a_rest_api_s_context_has_no_route_key(gateway: Running, server: Backend) -> None:
    """That is the other kind's; the path has the stage."""
    mapped = {f"integration.request.header.X-{name}": f"context.{name}" for name in ("routeKey", "path")}
    api = gateway.api(f"{server.url}/", requestParameters=mapped)

    assert gateway.call("GET", gateway.path(api, "/pets")).status == 200
    assert (server.header("X-routeKey"), server.header("X-path")) == ([], ["/prod/pets"])


def test_an_http_api_s_refusals(gateway: Running, server: Backend) -> None:
    created = gateway.perform_v2("CreateApi", name="web", protocolType="HTTP", target=server.url, routeKey="GET /pets")
    api = created["apiId"]

    assert refusal(gateway, gateway.path(api, "/dogs", "$default")) == (404, b'{"message":"Not Found"}', None)
    gateway.perform_v2("UpdateApi", apiId=api, disableExecuteApiEndpoint=True)
    assert refusal(gateway, gateway.path(api, "/pets", "$default")) == (404, b'{"message":"Not Found"}', None)


# --- by name


def test_an_api_is_reached_by_its_host_on_the_plain_port(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/{{proxy}}")

    for name in (f"{api}.execute-api.us-east-1.amazonaws.com", f"{api}.execute-api.localhost:1234"):
        assert gateway.call("GET", "/prod/pets?x=1", headers={"Host": name}).body == b"ok"
        assert server.request[0] == "GET /pets?x=1 HTTP/1.1"
    assert (
        gateway.call("GET", "/prod/pets", headers={"Host": f"{api}.execute-api.eu-west-1.amazonaws.com"}).status == 403
    )
    absolute = f"GET http://{api}.execute-api.localhost/prod/pets HTTP/1.1\r\nHost: {api}.execute-api.localhost\r\n"
    assert gateway.raw(f"{absolute}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 200 ")


def by_tls(gateway: Running, server_name: str | None, host: str, path: str = "/prod/pets") -> bytes:
    """What the TLS port says."""
    context = ssl.create_default_context(cadata=gateway.gateway.ca.pem.decode())
    context.check_hostname = server_name is not None
    with (
        socket.create_connection(("127.0.0.1", gateway.gateway.tls_port), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname=server_name, suppress_ragged_eofs=False) as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return read_all(connection)


def test_an_api_is_reached_by_its_name_on_the_tls_port(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/{{proxy}}")

    for name in (f"{api}.execute-api.us-east-1.amazonaws.com", f"{api}.execute-api.localhost"):
        assert by_tls(gateway, name, name).startswith(b"HTTP/1.1 200 OK\r\n")
        assert by_tls(gateway, name, f"{name}:8443").startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("server_name", "host", "path"),
    [
        (None, "{api}.execute-api.localhost", "/prod/pets"),
        ("localhost", "{api}.execute-api.localhost", "/prod/pets"),
        ("other.execute-api.localhost", "{api}.execute-api.localhost", "/prod/pets"),
        ("localhost", "localhost", "/_aws/execute-api/{api}/prod/pets"),
        ("localhost", "localhost", "/_mtls/health"),
        ("localhost", "localhost", "/restapis"),
    ],
)
def test_the_tls_port_forbids_everything_else(
    gateway: Running, server: Backend, server_name: str | None, host: str, path: str
) -> None:
    api = gateway.api(f"{server.url}/{{proxy}}")

    said = by_tls(gateway, server_name, host.format(api=api), path.format(api=api))

    assert said.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"\r\nx-amzn-ErrorType: ForbiddenException\r\n" in said
    assert said.endswith(JSON_FORBIDDEN)
    assert server.requests == []


# --- callers that misbehave

BROKEN: dict[str, bytes] = {
    "no HTTP": b"hello\r\n\r\n",
    "an endless line": b"GET /" + b"a" * 50_000 + b" HTTP/1.1\r\n\r\n",
    "an endless header": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 50_000 + b"\r\n\r\n",
    "a bad chunk": b"POST /restapis HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"POST /restapis HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a ClientHello": bytes.fromhex("16030100050100000103") + bytes(40),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_http_gets_a_400_and_the_gateway_goes_on(gateway: Running, data: bytes) -> None:
    said = gateway.raw(data)

    assert re.match(rb"HTTP/1\.[01] 400 Bad Request\r\n", said)
    assert said.endswith(b'{"message":"Bad Request"}')
    assert b"\r\nx-amzn-RequestId: " in said
    assert gateway.manage("GET", "health").status == 200


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(100)], ids=["HTTP", "zeros"])
def test_what_is_no_tls_ends_the_connection_on_the_tls_port(gateway: Running, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", gateway.gateway.tls_port), timeout=10) as connection:
        connection.sendall(data)
        with suppress(ConnectionResetError):
            assert b"HTTP/" not in read_all(connection)

    assert by_tls(gateway, "localhost", "localhost").startswith(b"HTTP/1.1 403 ")


def test_a_caller_that_goes_away_in_the_middle_does_no_harm(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/")
    head = f"POST {gateway.path(api, '/x')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"

    gateway.raw(head.encode() + b"some", end=True)

    assert gateway.call("GET", gateway.path(api, "/x")).status == 200


def test_a_body_that_stalls_is_given_up(server: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    make = DataPlane.__init__
    monkeypatch.setattr(DataPlane, "__init__", lambda self, *words: make(self, *words, patience=0.1))
    with running() as gateway:
        api = gateway.api(f"{server.url}/")
        head = f"POST {gateway.path(api, '/x')} HTTP/1.1\r\nHost: localhost\r\n"

        for framing in ("Content-Length: 100", "Content-Length: 1000000", "Transfer-Encoding: chunked"):
            said = gateway.raw(f"{head}{framing}\r\n\r\n5\r\nhello\r\n".encode())
            assert said.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), framing


def test_a_caller_that_reads_slowly_holds_nobody_up(gateway: Running, server: Backend) -> None:
    server.answer = answer(200, bytes(LARGE))
    api = gateway.api(f"{server.url}/")
    path = gateway.path(api, "/x")
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with gateway.connect() as slow:
        slow.sendall(request)
        assert slow.recv(1)

        assert len(gateway.call("GET", path).body) == LARGE
        assert len(read_all(slow)) > LARGE


@pytest.mark.parametrize(
    "cut", [lambda body: body[:-1], lambda body: body[: LARGE // 2]], ids=["at the end", "in the middle"]
)
def test_a_body_that_breaks_off_is_seen_to_be_incomplete(gateway: Running, cut: Callable[[bytes], bytes]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(cut(answer(200, bytes(LARGE))))

    thread = threading.Thread(target=serve)
    thread.start()
    api = gateway.api(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    with listener, gateway.connect() as connection:
        connection.sendall(f"GET {gateway.path(api, '/x')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = bytearray()
        with suppress(ConnectionResetError):  # as the kernel likes: what counts is that it is not complete
            while piece := connection.recv(65_536):
                received += piece
    thread.join(10)

    assert received.startswith(b"HTTP/1.1 200 ")
    assert f"\r\nContent-Length: {LARGE}\r\n".encode() in received
    assert len(received.partition(b"\r\n\r\n")[2]) < LARGE
    entry = gateway.log()[-1]
    assert entry["outcome"] == "network-error"
    assert entry["execution_log"][-1].endswith("Connection is closed")
