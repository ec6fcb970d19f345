"""``/_mtls/``: every request of the contract's section 2, and who may make it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import pytest

from pytest_mtls.harness.gateway.functions import Function
from pytest_mtls.harness.gateway.gateway import Options
from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.pki.authority import new_hierarchy, server_credential
from pytest_mtls.harness.wait import poll_until

from ..dialogue import Dialogue
from ..peers import Peers
from .running import OK, Backend, Running, running

HIERARCHY = new_hierarchy(2)
STARTED_WITH = Options(
    ca_bundle=(HIERARCHY.root,),
    platform_trust=False,
    resolve={"given.example": ("127.0.0.1", 1)},
    functions={"given": Function("http://localhost:1/"), "callable": Function("module:function", print)},
    settings=Settings(ca_names="strict"),
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One gateway for all."""
    with running(STARTED_WITH) as one:
        yield one


@pytest.fixture
def gateway(shared: Running) -> Running:
    """As after its start."""
    assert shared.manage("POST", "reset").status == 204
    return shared


# --- health and reset


def test_health_counts_what_there_is(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/")
    gateway.perform("GenerateClientCertificate")
    gateway.call("GET", gateway.path(api, "/x"))

    told = gateway.manage("GET", "health").json

    counts = {"rest_apis": 1, "apis": 0, "client_certificates": 1, "domain_names": 0, "connections": 1}
    assert (told["status"], told["version"], told["counts"]) == ("ok", version("pytest-mtls"), counts)
    assert datetime.fromisoformat(told["time"]).tzinfo is not None


def test_reset_brings_back_what_the_process_was_started_with(gateway: Running, server: Backend) -> None:
    api = gateway.api(f"{server.url}/")
    gateway.call("GET", gateway.path(api, "/x"))
    gateway.manage("PATCH", "settings", {"ca_names": "ignore", "linger_ms": 5})
    gateway.manage("PUT", "clock", {"offset_seconds": 3600})
    gateway.manage("PUT", "faults", {"errors": [{"operation": "GetRestApis", "status": 500, "code": "X", "times": 9}]})
    gateway.manage("PUT", "functions/mine", {"url": "http://localhost:2/"})
    gateway.manage("DELETE", "functions/given")
    gateway.manage("PUT", "resolve/mine.example", {"to": "127.0.0.1:2"})
    gateway.manage("DELETE", "resolve/given.example")

    answered = gateway.manage("POST", "reset")

    assert (answered.status, answered.body) == (204, b"")
    assert gateway.manage("GET", "health").json["counts"] == dict.fromkeys(
        ("rest_apis", "apis", "client_certificates", "domain_names", "connections"), 0
    )
    assert gateway.manage("GET", "log").json["entries"] == []
    settings = gateway.manage("GET", "settings").json
    assert (settings["ca_names"], settings["linger_ms"]) == ("strict", 0)
    assert gateway.gateway.state.offset == timedelta()
    assert gateway.call("GET", "/restapis").status == 200
    assert gateway.manage("GET", "functions/mine").status == 404
    assert gateway.manage("GET", "functions/given").json == {"url": "http://localhost:1/"}
    assert gateway.gateway.names == {"given.example": ("127.0.0.1", 1)}


# --- log


def test_the_log_is_read_by_kind_number_and_api(gateway: Running, server: Backend) -> None:
    api, other = gateway.api(f"{server.url}/"), gateway.api(f"{server.url}/")
    answered = [gateway.call("GET", gateway.path(one, "/x")) for one in (api, other, api)]
    gateway.call("GET", "/restapis")

    def read(query: str) -> list[Any]:
        return list(gateway.manage("GET", f"log?{query}").json["entries"])

    entries = read("")
    assert [one["kind"] for one in entries] == ["integration"] * 3 + ["control"]
    assert [one["seq"] for one in entries] == sorted(one["seq"] for one in entries)
    assert [one["request_id"] for one in entries[:3]] == [one["x-amzn-RequestId"] for one in answered]
    assert read("kind=control") == entries[3:]
    assert read(f"api_id={other}") == entries[1:2]
    assert read(f"request_id={entries[2]['request_id']}") == entries[2:3]
    assert read(f"since={entries[1]['seq']}") == entries[2:]
    assert read(f"since={entries[0]['seq']}&limit=2&kind=integration") == entries[1:3]


def test_next_is_where_to_go_on(gateway: Running) -> None:
    for _ in range(3):
        gateway.call("GET", "/restapis")
    first = gateway.manage("GET", "log?limit=2").json
    rest = gateway.manage("GET", f"log?since={first['next']}").json

    assert (len(first["entries"]), len(rest["entries"])) == (2, 1)
    assert gateway.manage("GET", f"log?since={rest['next']}").json == {"entries": [], "next": rest["next"]}


def test_the_log_can_be_emptied(gateway: Running) -> None:
    gateway.call("GET", "/restapis")
    before = gateway.manage("GET", "log").json["next"]

    assert gateway.manage("DELETE", "log").status == 204
    assert gateway.manage("GET", "log").json == {"entries": [], "next": before}


def test_a_control_entry_says_what_was_asked_and_what_came_of_it(gateway: Running) -> None:
    good = gateway.call("GET", "/restapis")
    bad = gateway.call("GET", "/restapis/nothing000")
    unknown = gateway.call("GET", "/nothing")

    members = ("request_id", "service", "operation", "status", "error")
    assert [tuple(entry[name] for name in members) for entry in gateway.log("control")] == [
        (good["x-amzn-RequestId"], "apigateway", "GetRestApis", 200, None),
        (bad["x-amzn-RequestId"], "apigateway", "GetRestApi", 404, "NotFoundException"),
        (unknown["x-amzn-RequestId"], "apigateway", None, 501, "NotImplementedException"),
    ]


# --- settings and clock


def test_settings_are_changed_all_or_nothing(gateway: Running) -> None:
    before = gateway.manage("GET", "settings").json

    refused = gateway.manage("PATCH", "settings", {"linger_ms": 5, "nonsense": 1})
    assert (refused.status, "nonsense" in refused.json["error"]) == (400, True)
    assert gateway.manage("GET", "settings").json == before
    assert gateway.manage("PATCH", "settings", {"linger_ms": 5}).json == {**before, "linger_ms": 5}


@pytest.mark.parametrize(
    ("path", "value"), [("settings", {"present_expired": False}), ("clock", {"offset_seconds": 60})]
)
def test_a_change_closes_idle_connections(gateway: Running, server: Backend, path: str, value: Any) -> None:
    api = gateway.api(f"{server.url}/")
    gateway.call("GET", gateway.path(api, "/x"))
    assert [one["state"] for one in gateway.manage("GET", "connections").json["connections"]] == ["idle"]

    gateway.manage("PATCH" if path == "settings" else "PUT", path, value)

    assert gateway.manage("GET", "connections").json == {"connections": []}
    assert gateway.call("GET", gateway.path(api, "/x")).status == 200
    assert server.connections == 2


def test_the_clock_is_for_issuing_and_logging(gateway: Running) -> None:
    told = gateway.manage("PUT", "clock", {"offset_seconds": -86_400}).json

    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert told["offset_seconds"] == -86_400
    assert abs(datetime.fromisoformat(told["now"]) - yesterday) < timedelta(minutes=5)
    created = gateway.perform("GenerateClientCertificate")["createdDate"]
    assert abs(created - yesterday.timestamp()) < 300
    gateway.call("GET", "/restapis")
    logged = datetime.fromisoformat(gateway.log("control")[-1]["time"])
    assert abs(logged - yesterday) < timedelta(minutes=5)


# --- faults


def test_an_injected_error_answers_instead_of_the_operation(gateway: Running) -> None:
    error = {"operation": "CreateRestApi", "status": 429, "code": "TooManyRequestsException", "times": 2}
    gateway.manage("PUT", "faults", {"errors": [error]})
    body = json.dumps({"name": "x"}).encode()

    answered = [gateway.call("POST", "/restapis", body) for _ in range(3)]

    assert [one.status for one in answered] == [429, 429, 201]
    assert (answered[0]["x-amzn-ErrorType"], answered[0]["Retry-After"]) == ("TooManyRequestsException", "1")
    assert gateway.manage("GET", "health").json["counts"]["rest_apis"] == 1
    assert [one["error"] for one in gateway.log("control")] == [error["code"], error["code"], None]


def test_new_faults_take_the_place_of_all_others(gateway: Running) -> None:
    error = {"operation": "GetRestApis", "status": 500, "code": "X", "times": 1}
    gateway.manage("PUT", "faults", {"latency_ms": {"control": 1}, "errors": [error]})

    told = gateway.manage("PUT", "faults", {}).json

    assert told == {"latency_ms": {"control": 0, "integration": 0}, "errors": []}
    assert gateway.call("GET", "/restapis").status == 200
    assert gateway.gateway.faults.control_latency == 0


def test_an_injected_latency_delays_the_control_plane_alone(gateway: Running) -> None:
    gateway.manage("PUT", "faults", {"latency_ms": {"control": 20}})

    assert gateway.call("GET", "/restapis").status == 200


# --- functions and names


def test_a_function_is_bound_to_a_url(gateway: Running) -> None:
    assert gateway.manage("PUT", "functions/mine", {"url": "http://localhost:9/"}).json == {
        "url": "http://localhost:9/"
    }
    assert gateway.manage("GET", "functions/mine").json == {"url": "http://localhost:9/"}
    assert gateway.manage("DELETE", "functions/mine").status == 204
    assert gateway.manage("GET", "functions/mine").status == 404
    assert gateway.manage("DELETE", "functions/mine").status == 404


def test_a_name_is_found_elsewhere_and_keeps_its_host(gateway: Running, server: Backend) -> None:
    api = gateway.api("http://Backend.Example:8080/")
    assert gateway.manage("PUT", "resolve/backend.example", {"to": f"127.0.0.1:{server.port}"}).status == 200

    assert gateway.call("GET", gateway.path(api, "/x")).status == 200
    assert server.header("Host") == ["Backend.Example:8080"]
    [connection] = gateway.manage("GET", "connections").json["connections"]
    assert (connection["host"], connection["port"]) == ("Backend.Example", 8080)
    assert gateway.manage("DELETE", "resolve/Backend.Example").status == 204
    assert gateway.manage("DELETE", "resolve/backend.example").status == 404


def test_connections_are_told_with_what_they_present(gateway: Running, peers: Peers) -> None:
    asked = threading.Event()

    def hold(dialogue: Dialogue) -> None:
        dialogue.shake_hands()
        dialogue.read_request()
        assert asked.wait(10)
        dialogue.say(OK)
        dialogue.read_close()

    peer = peers.start(hold, server=server_credential(hierarchy=HIERARCHY))
    api = gateway.api(f"https://localhost:{peer.port}/")
    certificate = gateway.perform("GenerateClientCertificate")["clientCertificateId"]
    attach = {"op": "replace", "path": "/clientCertificateId", "value": certificate}
    gateway.perform("UpdateStage", restApiId=api, stageName="prod", patchOperations=[attach])

    def told() -> list[dict[str, Any]]:
        return list(gateway.manage("GET", "connections").json["connections"])

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(gateway.call, "GET", gateway.path(api, "/x"))
        assert poll_until(lambda: any(one["presented"] for one in told()), 10)
        [busy] = told()
        asked.set()
        assert answered.result(10).status == 200
    [idle] = told()

    common = {"api_id": api, "stage": "prod", "host": "localhost", "port": peer.port, "presented": certificate}
    assert busy == {"id": busy["id"], **common, "state": "busy", "requests": 1}
    assert idle == {**busy, "state": "idle"}
    assert gateway.manage("POST", "reset").status == 204  # which closes it, so that the peer can end


# --- what is refused


@pytest.mark.parametrize(
    ("method", "path", "value"),
    [
        ("PATCH", "settings", []),
        ("PATCH", "settings", {"alert_status": 200}),
        ("PATCH", "settings", {"present_expired": 1}),
        ("PUT", "clock", {}),
        ("PUT", "clock", {"offset_seconds": "1"}),
        ("PUT", "clock", {"offset_seconds": 1e12}),
        ("PUT", "clock", {"offset_seconds": 1e300}),
        ("PUT", "clock", {"offset_seconds": float("nan")}),
        ("PUT", "clock", {"offset_seconds": True}),
        ("PUT", "clock", {"offset_seconds": -90 * 31_536_000}),
        ("PUT", "clock", {"offset_seconds": 90 * 31_536_000}),
        ("PUT", "clock", {"offset_seconds": 1, "more": 1}),
        ("PUT", "faults", {"nonsense": 1}),
        ("PUT", "faults", {"latency_ms": {"nonsense": 1}}),
        ("PUT", "faults", {"latency_ms": {"control": -1}}),
        ("PUT", "faults", {"latency_ms": 1}),
        ("PUT", "faults", {"errors": {}}),
        ("PUT", "faults", {"errors": [{"operation": "Nonsense", "status": 500, "code": "X"}]}),
        ("PUT", "faults", {"errors": [{"operation": "GetRestApis", "status": 200, "code": "X"}]}),
        ("PUT", "faults", {"errors": [{"operation": "GetRestApis", "status": 500, "code": ""}]}),
        ("PUT", "faults", {"errors": [{"operation": "GetRestApis", "status": 500, "code": "X", "times": 0}]}),
        ("PUT", "faults", {"errors": [{"operation": "GetRestApis", "status": 500}]}),
        ("PUT", "functions/x", {"url": "ftp://x"}),
        ("PUT", "functions/x", {"url": "http://x:70000/"}),
        ("PUT", "functions/x", {"url": "http://x:0/"}),
        ("PUT", "functions/x", {"url": "http://x/a b"}),
        ("PUT", "functions/x", {"url": "http://x/\n"}),
        ("PUT", "functions/x", {"url": 1}),
        ("PUT", "functions/x", {"uri": "http://x"}),
        ("PUT", "resolve/x", {"to": "127.0.0.1"}),
        ("PUT", "resolve/x", {"to": "127.0.0.1:99999"}),
        ("PUT", "resolve/x", {"to": 8443}),
        ("GET", "log?since=x", None),
        ("GET", "log?limit=-1", None),
        ("GET", "log?kind=nonsense", None),
        ("GET", "log?nonsense=1", None),
    ],
)
def test_what_does_not_fit_is_a_400_and_changes_nothing(gateway: Running, method: str, path: str, value: Any) -> None:
    before = gateway.manage("GET", "settings").json

    refused = gateway.manage(method, path, value)

    assert (refused.status, list(refused.json)) == (400, ["error"])
    assert gateway.manage("GET", "settings").json == before
    assert gateway.gateway.faults.errors == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_a_400(gateway: Running, body: bytes) -> None:
    assert gateway.call("PUT", "/_mtls/clock", body).status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "nonsense"), ("PUT", "health"), ("GET", "health/x"), ("PUT", "functions/")],
)
def test_what_is_not_there_is_a_404(gateway: Running, method: str, path: str) -> None:
    refused = gateway.manage(method, path, {})

    assert (refused.status, list(refused.json)) == (404, ["error"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost"}, 200),
        ({"Host": "LOCALHOST:1"}, 200),
        ({"Host": "127.0.0.7:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "10.0.0.1"}, 403),
        ({"Host": "0.0.0.0"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost", "Origin": "http://localhost"}, 403),
        ({"Host": "localhost", "Origin": "null"}, 403),
    ],
)
def test_no_browser_page_may_drive_the_mock(gateway: Running, headers: dict[str, str], status: int) -> None:
    assert gateway.call("GET", "/_mtls/health", headers=headers).status == status


def test_a_host_of_one_s_own_is_trusted() -> None:
    with running(Options(host="127.0.0.2")) as gateway:
        gateway.address = ("127.0.0.2", gateway.address[1])

        assert gateway.gateway.endpoint.startswith("http://127.0.0.2:")
        assert gateway.manage("GET", "health").status == 200
