"""TestInvokeMethod through boto3 against the gateway's plain port."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pytest_mtls.harness.gateway.gateway import Options
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy, server_credential

from ..dialogue import Dialogue
from ..peers import Peers, serve
from ..scripts import answer
from .running import Backend, Running, running

STAMP = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4} : ")


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Whom the gateway trusts."""
    return new_hierarchy(2)


@pytest.fixture(scope="module")
def gateway(hierarchy: Hierarchy) -> Iterator[Running]:
    """One gateway for all."""
    with running(Options(ca_bundle=(hierarchy.root,), platform_trust=False)) as one:
        yield one


@pytest.fixture(scope="module")
def client(gateway: Running) -> Any:
    """The SDK."""
    words = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("apigateway", endpoint_url=gateway.gateway.endpoint, region_name="us-east-1", **words)


def method(gateway: Running, path: str, uri: str, **integration: Any) -> dict[str, Any]:
    """A method of an API that was never deployed."""
    created = gateway.perform("CreateRestApi", name="test")
    return gateway.method(created["id"], created["rootResourceId"], path, uri, verb="POST", **integration)


def test_the_log_is_aws_s_line_by_line(gateway: Running, client: Any, server: Backend) -> None:
    place = method(gateway, "/pets/{id}", f"{server.url}/v1/{{id}}")
    headers = {"X-One": "1", "X-Two": "2"}

    told = client.test_invoke_method(
        **place,
        pathWithQueryString="/pets/7?a=1&b",
        body="hi",
        headers=headers,
        multiValueHeaders={"x-two": ["3", "4"]},
    )

    first, *stamped, last = told["log"].split("\n")
    request_id = told["ResponseMetadata"]["RequestId"]
    assert (first, last) == (f"Execution log for request {request_id}", "")
    assert all(STAMP.match(line) for line in stamped)
    trace = server.header("X-Amzn-Trace-Id")[0]
    own = f"x-amzn-apigateway-api-id={place['restApiId']}, X-Amzn-Trace-Id={trace}"
    sent = f"{{Host=127.0.0.1:{server.port}, X-One=1, x-two=3,4, {own}}}"
    received = "{Content-Length=2, Content-Type=text/plain}"
    returned = "{x-amzn-Remapped-Content-Length=2, Content-Type=text/plain}"
    uri = f"{server.url}/v1/7?a=1&b"
    assert [STAMP.sub("", line) for line in stamped] == [
        f"Starting execution for request: {request_id}",
        "HTTP Method: POST, Resource Path: /pets/{id}",
        "Method request path: {id=7}",
        "Method request query string: {a=1, b=}",
        "Method request headers: {X-One=1, x-two=3,4}",
        "Method request body before transformations: hi",
        f"Endpoint request URI: {uri}",
        f"Endpoint request headers: {sent}",
        "Endpoint request body after transformations: hi",
        f"Sending request to {uri}",
        f"Received response. Status: 200, Integration latency: {told['latency']} ms",
        f"Endpoint response headers: {received}",
        "Endpoint response body before transformations: ok",
        "Method response body after transformations: ok",
        f"Method response headers: {returned}",
        "Successfully completed execution",
        "Method completed with status: 200",
    ]
    assert (told["status"], told["body"], told["headers"]["Content-Type"]) == (200, "ok", "text/plain")
    assert told["multiValueHeaders"]["Content-Type"] == ["text/plain"]
    assert server.request[2] == b"hi"


def test_it_presents_the_certificate_of_the_call_on_a_fresh_connection(
    gateway: Running, client: Any, peers: Peers, hierarchy: Hierarchy
) -> None:
    presented: list[Any] = []

    def look(dialogue: Dialogue) -> None:
        dialogue.shake_hands()
        presented.append([one.serial_number for one in dialogue.chain])
        dialogue.read_request()
        dialogue.say(answer(200))
        dialogue.read_close()

    peer = peers.start(look, look, server=server_credential(hierarchy=hierarchy))
    place = method(gateway, "/x", f"https://localhost:{peer.port}/")
    certificate = client.generate_client_certificate()["clientCertificateId"]

    for chosen in ({"clientCertificateId": certificate}, {}):
        assert client.test_invoke_method(**place, **chosen)["status"] == 200

    credential = gateway.gateway.state.credential(certificate)
    assert credential is not None
    assert presented == [[credential.leaf.serial_number], []]
    entries = gateway.log()[-2:]
    assert [(one["stage"], one["tls"]["presented"], one["tls"]["reused"]) for one in entries] == [
        (None, certificate, False),
        (None, None, False),
    ]
    assert gateway.manage("GET", "connections").json["connections"] == []


def test_a_failure_is_told_in_the_answer_and_the_call_succeeds(gateway: Running, client: Any, peers: Peers) -> None:
    peer = peers.start(serve, server=server_credential())
    place = method(gateway, "/x", f"https://localhost:{peer.port}/")

    told = client.test_invoke_method(**place)

    assert (told["status"], told["body"]) == (500, '{"message": "Internal server error"}')
    assert told["headers"] == {"x-amzn-ErrorType": "InternalServerErrorException"}
    *_, failure, completed, end = told["log"].split("\n")
    assert "Execution failed due to configuration error: PKIX path building failed: " in failure
    assert completed.endswith(" : Method completed with status: 500")
    assert end == ""


def test_an_unknown_certificate_is_not_found(gateway: Running, client: Any, server: Backend) -> None:
    place = method(gateway, "/x", f"{server.url}/")

    with pytest.raises(ClientError) as caught:
        client.test_invoke_method(**place, clientCertificateId="nothing")

    assert caught.value.response["Error"]["Code"] == "NotFoundException"
    assert server.requests == []


def test_the_method_as_it_is_now_runs_with_the_variables_of_the_call(
    gateway: Running, client: Any, server: Backend
) -> None:
    place = method(gateway, "/x", "http://${stageVariables.host}/one")
    replace = {"op": "replace", "path": "/uri", "value": "http://${stageVariables.host}/two"}
    client.update_integration(**place, patchOperations=[replace])

    told = client.test_invoke_method(**place, stageVariables={"host": f"127.0.0.1:{server.port}"})

    assert (told["status"], server.request[0]) == (200, "POST /two HTTP/1.1")


def test_a_long_body_comes_whole_and_its_line_is_cut(gateway: Running, client: Any, server: Backend) -> None:
    body = b"x" * 300_000
    server.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + body + b"\r\n0\r\n\r\n"
    place = method(gateway, "/x", f"{server.url}/")

    told = client.test_invoke_method(**place)

    assert told["body"] == body.decode()
    [line] = [one for one in told["log"].split("\n") if "Endpoint response body" in one]
    assert line.endswith("x [TRUNCATED]")
    assert len(line) < 1_100


def test_mock_and_unsupported_media_are_answered_without_a_backend(
    gateway: Running, client: Any, server: Backend
) -> None:
    mock = method(gateway, "/x", "", type="MOCK", requestTemplates={"application/json": '{"statusCode": 204}'})
    assert client.test_invoke_method(**mock)["status"] == 204

    never = method(gateway, "/x", f"{server.url}/", type="HTTP", passthroughBehavior="NEVER")
    assert client.test_invoke_method(**never)["status"] == 415
    assert server.requests == []
