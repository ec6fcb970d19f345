"""What can go wrong between gateway and backend: each row of the table provoked by a real server.

Every row is looked at from four sides: the caller's status and body, its headers, and the execution log.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from pytest_mtls.harness.clock import system_clock
from pytest_mtls.harness.gateway.gateway import Options
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy, server_credential
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.tls.observation import TlsVersion

from ..dialogue import Dialogue
from ..peers import Peers, Script, serve
from ..scripts import after_hello, after_request, alert, answer, at_certificate, say, script, vanish
from .running import Running, running

INTERNAL = b'{"message": "Internal server error"}'
NETWORK = b'{"message": "Network error communicating with endpoint"}'
TIMED_OUT = b'{"message": "Endpoint request timed out"}'
CONFIGURATION = "Execution failed due to configuration error: "
CLOSED = "Execution failed due to a network error communicating with endpoint: Connection is closed"
PATH_BUILDING = (
    "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: "
    "unable to find valid certification path to requested target"
)
VALIDITY = "PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed"


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Whom the gateway trusts."""
    return new_hierarchy(2)


@pytest.fixture(scope="module")
def gateway(hierarchy: Hierarchy) -> Iterator[Running]:
    """One gateway for all."""
    with running(Options(ca_bundle=(hierarchy.root,), platform_trust=False)) as one:
        yield one


@pytest.fixture(autouse=True)
def fresh(gateway: Running) -> None:
    """Nothing is left of the test before."""
    assert gateway.manage("POST", "reset").status == 204


def presenting_api(gateway: Running, uri: str, **integration: Any) -> tuple[str, str]:
    """An API whose stage presents a fresh certificate: both ids."""
    api = gateway.api(uri, **integration)
    certificate = str(gateway.perform("GenerateClientCertificate")["clientCertificateId"])
    attach = {"op": "replace", "path": "/clientCertificateId", "value": certificate}
    gateway.perform("UpdateStage", restApiId=api, stageName="prod", patchOperations=[attach])
    return api, certificate


@dataclass(frozen=True)
class Row:
    """A way to fail, and what is seen of it."""

    start: Callable[[Peers, Hierarchy], str]
    """Starts a backend and returns its URI."""
    status: int
    body: bytes
    outcome: str
    line: str
    verdict: str | None = "ok"
    alert: int | None = None
    closed: str | None = None
    """How the backend ended the connection; None: that depends on who was first."""


def backend(*scripts: Script, issue: Callable[[Hierarchy], Credential] | None = None, **how: Any) -> Callable[..., str]:
    """Starts a TLS peer that serves its connections by *scripts*, with the certificate that *issue* makes."""

    def start(peers: Peers, hierarchy: Hierarchy) -> str:
        credential = server_credential(hierarchy=hierarchy) if issue is None else issue(hierarchy)
        return f"https://localhost:{peers.start(*scripts, server=credential, **how).port}/"

    return start


def expired(hierarchy: Hierarchy) -> Credential:
    """A server certificate that has ended."""
    yesterday = system_clock() - timedelta(days=1)
    return hierarchy.issue("localhost", clock=lambda: yesterday - timedelta(days=9), not_after=yesterday)


def early(hierarchy: Hierarchy) -> Credential:
    """A server certificate that has not begun."""
    return hierarchy.issue("localhost", clock=lambda: system_clock() + timedelta(days=2))


def nobody(_: Peers, __: Hierarchy) -> str:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"https://localhost:{listener.getsockname()[1]}/"


def silent(dialogue: Dialogue) -> None:
    """Take the request, and say nothing until the gateway gives up."""
    dialogue.shake_hands()
    dialogue.read_request()
    dialogue.read_close()


ROWS: dict[str, Row] = {
    "untrusted": Row(
        backend(issue=lambda _: server_credential()),
        *(500, INTERNAL, "configuration-error", CONFIGURATION + PATH_BUILDING, "untrusted"),
    ),
    "expired": Row(backend(issue=expired), 500, INTERNAL, "configuration-error", CONFIGURATION + VALIDITY, "expired"),
    "early": Row(backend(issue=early), 500, INTERNAL, "configuration-error", CONFIGURATION + VALIDITY, "not-yet-valid"),
    "another host": Row(
        backend(issue=lambda hierarchy: hierarchy.issue("other.example")),
        *(500, INTERNAL, "configuration-error"),
        f"{CONFIGURATION}Host name 'localhost' does not match the certificate subject provided by the peer (",
        "host-mismatch",
    ),
    "an alert": Row(
        backend(at_certificate(alert(48))),
        *(500, INTERNAL, "configuration-error", f"{CONFIGURATION}Received fatal alert: unknown_ca"),
        alert=48,
    ),
    "TLS 1.3 alone": Row(
        backend(versions=(TlsVersion.TLS13,)),
        *(500, INTERNAL, "configuration-error", f"{CONFIGURATION}Received fatal alert: protocol_version", None),
        alert=70,
    ),
    "a name that does not resolve": Row(
        lambda *_: "https://no-such-host.invalid/",
        *(500, INTERNAL, "configuration-error", f"{CONFIGURATION}Invalid endpoint address", None),
    ),
    "refused": Row(nobody, 504, NETWORK, "network-error", CLOSED, None),
    "closed after the ClientHello": Row(
        backend(after_hello(vanish)), 504, NETWORK, "network-error", CLOSED, None, closed="abrupt"
    ),
    "closed after the certificate": Row(
        backend(at_certificate(vanish)), 504, NETWORK, "network-error", CLOSED, closed="abrupt"
    ),
    "closed after the request": Row(
        backend(after_request(vanish)), 504, NETWORK, "network-error", CLOSED, closed="abrupt"
    ),
    "closed in order without answer": Row(
        backend(script(Dialogue.shake_hands, Dialogue.read_request, Dialogue.close_notify)),
        *(504, NETWORK, "network-error", CLOSED),
        closed="clean",
    ),
    "closed in the middle of the body": Row(
        backend(after_request(say(answer(200, length=9) + b"some"), vanish)),
        *(504, NETWORK, "network-error", CLOSED),
    ),
    "no answer in time": Row(backend(silent), 504, TIMED_OUT, "timeout", "Execution failed due to a timeout error"),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_failure_is_seen_by_the_caller_and_in_the_log(
    gateway: Running, peers: Peers, hierarchy: Hierarchy, row: Row
) -> None:
    timeout = 300 if row.outcome == "timeout" else 10_000
    api, _ = presenting_api(gateway, row.start(peers, hierarchy), timeoutInMillis=timeout)

    answered = gateway.call("GET", gateway.path(api, "/x"))

    assert (answered.status, answered.body) == (row.status, row.body)
    assert answered["x-amzn-ErrorType"] == "InternalServerErrorException"
    assert answered["Content-Type"] == "application/json"
    [entry] = gateway.log()
    assert (entry["request_id"], entry["attempt"]) == (answered["x-amzn-RequestId"], 1)
    assert (entry["outcome"], entry["returned_status"]) == (row.outcome, row.status)
    line, completed = entry["execution_log"][-2:]
    assert line.startswith(row.line)
    assert completed == f"Method completed with status: {row.status}"
    seen = entry["tls"]
    certificate, alerted = seen["server_certificate"], seen["alert_received"]
    assert (certificate and certificate["verdict"], alerted and alerted["number"]) == (row.verdict, row.alert)
    assert row.closed in (None, seen["closed"])


@pytest.mark.parametrize(
    ("name", "setting", "value", "body"),
    [("an alert", "alert_status", 504, NETWORK), ("refused", "close_status", 500, INTERNAL)],
)
def test_a_setting_chooses_the_status(
    gateway: Running, peers: Peers, hierarchy: Hierarchy, name: str, setting: str, value: int, body: bytes
) -> None:
    row = ROWS[name]
    gateway.manage("PATCH", "settings", {setting: value})
    api, _ = presenting_api(gateway, row.start(peers, hierarchy))

    answered = gateway.call("GET", gateway.path(api, "/x"))

    assert (answered.status, answered.body) == (value, body)
    assert gateway.log()[0]["execution_log"][-2].startswith(row.line)


def test_alert_status_does_not_change_other_configuration_errors(
    gateway: Running, peers: Peers, hierarchy: Hierarchy
) -> None:
    gateway.manage("PATCH", "settings", {"alert_status": 504})
    api = gateway.api(ROWS["expired"].start(peers, hierarchy))

    assert gateway.call("GET", gateway.path(api, "/x")).status == 500


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, b'{"message":"Service Unavailable"}'),
        (500, b'{"message":"Internal Server Error"}'),
        (504, b'{"message":"Gateway Timeout"}'),
    ],
)
@pytest.mark.parametrize("name", ["untrusted", "refused"])
def test_an_http_api_maps_every_failure_to_one(
    gateway: Running, peers: Peers, hierarchy: Hierarchy, name: str, status: int, body: bytes
) -> None:
    gateway.manage("PATCH", "settings", {"http_api_error_status": status})
    target = ROWS[name].start(peers, hierarchy)
    api = gateway.perform_v2("CreateApi", name="web", protocolType="HTTP", target=target)["apiId"]

    answered = gateway.call("GET", gateway.path(api, "/x", "$default"))

    assert (answered.status, answered.body, answered["x-amzn-ErrorType"]) == (status, body, None)
    assert gateway.log()[0]["execution_log"][-2].startswith(ROWS[name].line)


# --- what is no failure


def test_the_certificate_of_the_stage_is_presented_and_logged(
    gateway: Running, peers: Peers, hierarchy: Hierarchy
) -> None:
    presented: list[Any] = []

    def look(dialogue: Dialogue) -> None:
        dialogue.shake_hands()
        presented.extend(dialogue.chain)
        dialogue.read_request()
        dialogue.say(answer(200))

    api, certificate = presenting_api(gateway, backend(look)(peers, hierarchy))

    assert gateway.call("GET", gateway.path(api, "/x")).status == 200
    [entry] = gateway.log()
    credential = gateway.gateway.state.credential(certificate)
    assert credential is not None
    assert presented == [credential.leaf]
    assert (entry["tls"]["presented"], entry["tls"]["presented_sha256"]) == (certificate, credential.fingerprint)
    assert (entry["tls"]["requested"], entry["tls"]["not_presented"]) == (True, None)
    assert (entry["stage"], entry["resource_path"], entry["http_method"]) == ("prod", "/{proxy+}", "GET")


def test_a_stale_connection_is_replaced_and_both_attempts_are_logged(
    gateway: Running, peers: Peers, hierarchy: Hierarchy
) -> None:
    def once_and_close_on_the_second(dialogue: Dialogue) -> None:
        dialogue.shake_hands()
        dialogue.read_request()
        dialogue.say(answer(200))
        dialogue.read_request()

    api = gateway.api(backend(script(once_and_close_on_the_second, vanish), serve)(peers, hierarchy))
    path = gateway.path(api, "/x")
    assert gateway.call("GET", path).status == 200

    answered = gateway.call("GET", path)

    first, second = [one for one in gateway.log() if one["request_id"] == answered["x-amzn-RequestId"]]
    assert answered.status == 200
    assert (first["attempt"], first["outcome"], first["returned_status"]) == (1, "network-error", None)
    assert (second["attempt"], second["outcome"], second["returned_status"]) == (2, "response", 200)
    assert (first["tls"]["reused"], second["tls"]["reused"]) == (True, False)
    assert first["execution_log"][-1] == CLOSED
    assert second["execution_log"][-1] == "Method completed with status: 200"


def test_an_injected_latency_comes_before_the_integration(gateway: Running, peers: Peers, hierarchy: Hierarchy) -> None:
    api = gateway.api(backend(serve)(peers, hierarchy))
    gateway.manage("PUT", "faults", {"latency_ms": {"integration": 20}})

    assert gateway.call("GET", gateway.path(api, "/x")).status == 200
