"""A caller's request through the gateway and back, on real sockets, against a plain backend that keeps every octet."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

import pytest

from .running import OK, Backend, Running, answer, read_all

LARGE = 5_000_000
JSON_FORBIDDEN = b'{"message":"Forbidden"}'


# --- what the backend gets


def test_path_and_query_reach_the_backend_octet_for_octet(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/base/{{proxy}}?fixed=1")
    rest = "/a%20b//c%2Fd;e=f/~%7E/?x=1&x=2&&y=%2f+&z"

    assert gateway.call("GET", gateway.path(api, rest)).status == 200
    assert server.request[0] == "GET /base/a%20b//c%2Fd;e=f/~%7E/?fixed=1&x=1&x=2&&y=%2f+&z HTTP/1.1"


def test_repeated_headers_keep_their_order_case_and_octets(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/")
    head = f"GET {gateway.path(api, '/x')} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    own = ["x-Odd: 1", "X-ODD: 2", "cookie: a=b", "CONTENT-TYPE: text/plain", "Accept-Encoding: gzip", "x-odd: a,  b"]

    gateway.raw(head.encode() + "\r\n".join(own).encode() + b"\r\nX-Latin: caf\xe9 \xc3\xa9\r\n\r\n")

    _, headers, _ = server.request
    assert [f"{name}: {value}" for name, value in headers if f"{name}: {value}" in own] == own
    assert b"X-Latin: caf\xe9 \xc3\xa9\r\n" in server.requests[-1]


def test_the_gateway_adds_its_headers_and_drops_those_of_this_hop(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/")
    sent = {
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "gopher",
        "x-amzn-apigateway-api-id": "somebody",
        "Max-Forwards": "1",
        "Content-MD5": "x",
        "WWW-Authenticate": "x",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Connection": "close, X-Hop",
        "X-Hop": "1",
    }

    answered = gateway.call("GET", gateway.path(api, "/x"), headers=sent)

    assert server.header("Host") == [f"127.0.0.1:{server.port}"]
    assert server.header("x-amzn-apigateway-api-id") == [api]
    assert server.header("X-Forwarded-For") == ["10.0.0.1, 127.0.0.1"]
    assert (server.header("X-Forwarded-Port"), server.header("X-Forwarded-Proto")) == (["443"], ["https"])
    assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", server.header("X-Amzn-Trace-Id")[0])
    assert server.header("X-Amzn-Trace-Id") == [answered["X-Amzn-Trace-Id"]]
    names = {name.lower() for name, _ in server.request[1]}
    assert names & {"max-forwards", "content-md5", "www-authenticate", "te", "upgrade", "connection", "x-hop"} == set()


def test_an_http_integration_sends_what_is_mapped_and_its_own(gateway: Running, server: Backend) -> None:
    api = gateway.api(
        f"{server.url}/", type="HTTP", requestParameters={"integration.request.header.X-Id": "context.requestId"}
    )

    answered = gateway.call("GET", gateway.path(api, "/x?secret=1"), headers={"Cookie": "a=b"})

    assert answered.status == 500  # no integration response
    assert server.request[0] == "GET / HTTP/1.1"
    assert server.header("X-Id") == [answered["x-amzn-RequestId"]]
    assert server.header("Accept") == server.header("Content-Type") == ["application/json"]
    assert server.header("User-Agent") == [f"AmazonAPIGateway_{api}"]
    assert server.header("Cookie") == []
    line = "No match for output mapping and no default output mapping configured. Endpoint Response Status Code: 200"
    entry = gateway.log()[-1]
    assert line in "\n".join(entry["execution_log"])
    assert (entry["outcome"], entry["backend_status"], entry["returned_status"]) == ("response", 200, 500)


def test_stage_variables_fill_the_uri(gateway: Running, server: Backend) -> None:
    api = gateway.api("http://${stageVariables.backend}/v1")
    replace = {"op": "replace", "path": "/variables/backend", "value": f"127.0.0.1:{server.port}"}
    gateway.perform("UpdateStage", restApiId=api, stageName="prod", patchOperations=[replace])

    assert gateway.call("GET", gateway.path(api, "/x")).body == b"ok"
    assert server.request[0] == "GET /v1 HTTP/1.1"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_passes_both_ways(gateway: Running, server: Backend, chunked: bool) -> None:
    body = bytes(range(256)) * (LARGE // 256)
    server.answer = lambda request: answer(200, request.partition(b"\r\n\r\n")[2])
    api = gateway.api(f"{server.url}/")
    path = gateway.path(api, "/x")
    if chunked:
        pieces = (body[at : at + 70_000] for at in range(0, len(body), 70_000))
        answered = gateway.call("POST", path, pieces, {"Transfer-Encoding": "chunked"}, chunked=True)
    else:
        answered = gateway.call("POST", path, body)

    assert server.request[2] == body
    assert answered.body == body
    assert bool(server.header("Transfer-Encoding")) is chunked


def test_an_empty_body_is_told_from_none(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/")
    path = gateway.path(api, "/x")

    gateway.call("POST", path, b"")
    assert server.header("Content-Length") == ["0"]

    gateway.call("GET", path)
    assert server.header("Content-Length") == server.header("Transfer-Encoding") == []


def test_the_body_is_passed_on_while_it_comes(gateway: Running) -> None:
    """The caller sends its last chunk only after the backend has got the first."""
    seen = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(10)
        data = b""
        with connection:
            while not data.endswith(b"0\r\n\r\n"):
                data += connection.recv(65_536)
                if b"first" in data:
                    seen.set()
            connection.sendall(OK)

    thread = threading.Thread(target=serve)
    thread.start()
    api = gateway.api(f"http://127.0.0.1:{listener.getsockname()[1]}/")

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert seen.wait(10)
        yield b"last"

    with listener:
        answered = gateway.call(
            "POST", gateway.path(api, "/x"), pieces(), {"Transfer-Encoding": "chunked"}, chunked=True
        )
        thread.join(10)

    assert answered.body == b"ok"


def test_a_caller_that_waits_for_100_continue_gets_it_and_then_the_answer(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/")
    head = f"POST {gateway.path(api, '/x')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
    with gateway.connect() as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
        first = connection.recv(65_536)
        connection.sendall(b"hi")
        rest = read_all(connection)

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (server.request[2], server.header("Expect")) == (b"hi", [])


# --- what the caller gets


def test_the_answer_keeps_its_octets_and_some_headers_get_another_name(gateway: Running, server: Backend) -> None:
    server.answer = answer(
        207, b"\xff\x00", "Set-Cookie: a=1", "set-cookie: b=2", "Server: nginx", "Date: never", "X-Name: caf\u00e9"
    )
    api = gateway.api(f"{server.url}/")

    answered = gateway.call("GET", gateway.path(api, "/x"))

    assert (answered.status, answered.body) == (207, b"\xff\x00")
    assert [pair for pair in answered.headers if pair[0].lower() == "set-cookie"] == [
        ("Set-Cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]
    assert answered["x-amzn-Remapped-Server"] == "nginx"
    assert answered["x-amzn-Remapped-Date"] == "never"
    assert answered["x-amzn-Remapped-Content-Length"] == answered["Content-Length"] == "2"
    assert answered["Server"] is answered["Content-Type"] is None


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_any_status_of_the_backend_is_passed_on(gateway: Running, server: Backend, status: int) -> None:
    server.answer = answer(status, b"theirs", "Content-Type: text/html")
    api = gateway.api(f"{server.url}/")

    answered = gateway.call("GET", gateway.path(api, "/x"))

    assert (answered.status, answered.body, answered["x-amzn-ErrorType"]) == (status, b"theirs", None)
    entry = gateway.log()[-1]
    assert (entry["outcome"], entry["backend_status"], entry["returned_status"]) == ("response", status, status)


def test_head_tells_the_length_and_sends_nothing(gateway: Running, server: Backend) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"
    api = gateway.api(f"{server.url}/")
    path = gateway.path(api, "/x")

    said = gateway.raw(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    assert b"\r\nContent-Length: 1234\r\n" in said
    assert said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_has_no_framing(gateway: Running, server: Backend, status: int) -> None:
    server.answer = f"HTTP/1.1 {status} x\r\nETag: y\r\n\r\n".encode()
    api = gateway.api(f"{server.url}/")

    answered = gateway.call("GET", gateway.path(api, "/x"))

    assert (answered.status, answered.body, answered["ETag"]) == (status, b"", "y")
    assert answered["Content-Length"] is answered["Transfer-Encoding"] is None


def test_a_chunked_answer_is_passed_on_while_it_comes(gateway: Running) -> None:
    """The backend sends its last chunk only after the caller has got the first."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    seen = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            assert seen.wait(10)
            connection.sendall(b"4\r\nlast\r\n0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    api = gateway.api(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    data = b""
    with listener, gateway.connect() as connection:
        connection.sendall(
            f"GET {gateway.path(api, '/x')} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        while b"first" not in data:
            data += connection.recv(65_536)
        seen.set()
        data += read_all(connection)
    thread.join(10)

    assert data.endswith(b"5\r\nfirst\r\n4\r\nlast\r\n0\r\n\r\n")


def test_an_answer_to_http_1_0_ends_with_the_connection(gateway: Running, server: Backend) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    api = gateway.api(f"{server.url}/")

    said = gateway.raw(f"GET {gateway.path(api, '/x')} HTTP/1.0\r\n\r\n".encode())

    assert b"Transfer-Encoding" not in said
    assert said.endswith(b"\r\n\r\nok")


def test_an_integration_response_makes_the_answer(gateway: Running, server: Backend) -> None:
    created = gateway.perform("CreateRestApi", name="test")
    api = created["id"]
    place = gateway.method(api, created["rootResourceId"], "/{proxy+}", f"{server.url}/", type="HTTP")
    for status, pattern in (("200", None), ("418", "4..")):
        gateway.perform(
            "PutMethodResponse", **place, statusCode=status, responseParameters={"method.response.header.X": True}
        )
        members = {} if pattern is None else {"selectionPattern": pattern}
        mapping = {"method.response.header.X": "integration.response.header.Y"}
        gateway.perform("PutIntegrationResponse", **place, statusCode=status, responseParameters=mapping, **members)
    gateway.perform("CreateDeployment", restApiId=api, stageName="prod")
    server.answer = answer(404, b'{"theirs":1}', "Y: z", "Cookie: no")

    answered = gateway.call("GET", gateway.path(api, "/x"))

    assert (answered.status, answered["X"], answered.json) == (418, "z", {"theirs": 1})
    assert (answered["Cookie"], answered["Content-Type"]) == (None, "application/json")


def test_mock_answers_without_a_backend(gateway: Running) -> None:
    before = len(gateway.log())
    api = gateway.api("", type="MOCK", requestTemplates={"application/json": '{"statusCode": 202}'})

    assert gateway.call("GET", gateway.path(api, "/x")).status == 202
    assert len(gateway.log()) == before


def test_an_aws_integration_says_that_it_is_not_emulated(gateway: Running) -> None:
    arn = (
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f"
    )
    api = gateway.api(f"{arn}/invocations", type="AWS_PROXY", integrationHttpMethod="POST")

    answered = gateway.call("GET", gateway.path(api, "/x"))

    assert (answered.status, answered.body) == (500, b'{"message": "Internal server error"}')
    assert "AWS_PROXY integrations are not emulated" in "\n".join(gateway.log()[-1]["execution_log"])
