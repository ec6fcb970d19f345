"""Rotations under traffic: the gateway switches, the backend reloads, and each request is known by its certificate."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pytest_mtls import Instance, MockGateway
from pytest_mtls.harness.backend.contract import Capability, Material
from pytest_mtls.harness.backend.embedded import reference_target
from pytest_mtls.harness.backend.target import Target
from pytest_mtls.harness.bench import Bench
from pytest_mtls.harness.gateway.facade import ApiStage, GatewayCertificate
from pytest_mtls.harness.gateway.traffic import Sent, Traffic
from pytest_mtls.harness.outcome import Outcome
from pytest_mtls.harness.scenario import catalogue
from pytest_mtls.harness.trial import run_all

Faulty = Callable[..., Instance]

ROTATIONS = 50


@pytest.fixture
def old(mtls_gateway: MockGateway) -> GatewayCertificate:
    """The certificate that is to be replaced."""
    return mtls_gateway.generate_client_certificate()


@pytest.fixture
def backend(mtls_faulty_backend: Faulty, old: GatewayCertificate) -> Instance:
    """A correct backend that trusts it."""
    return mtls_faulty_backend(trusted=[old.leaf])


@pytest.fixture
def stage(mtls_gateway: MockGateway, backend: Instance, old: GatewayCertificate) -> ApiStage:
    """A stage before the backend that presents it."""
    stage = mtls_gateway.proxy_api(backend).stage()
    stage.attach(old)
    return stage


def carriers(calls: list[Sent]) -> set[str | None]:
    """The certificates that carried them."""
    return {call.presented for call in calls}


def test_fifty_rotations_under_load_lose_no_request(
    mtls_gateway: MockGateway, backend: Instance, stage: ApiStage, old: GatewayCertificate
) -> None:
    """AWS's five steps, 50 times, with four callers that never rest; who carried a request was trusted when it was sent."""
    calls: list[Sent] = []
    with Traffic(stage, callers=4, every=0) as traffic:
        for _ in range(ROTATIONS):
            new = mtls_gateway.generate_client_certificate()
            backend.replace_truststore([old.leaf, new.leaf])
            before = traffic.since_last(at_least=4)
            stage.attach(new)
            switching = traffic.since_last(at_least=4)
            backend.replace_truststore([new.leaf])
            after = traffic.since_last(at_least=4)
            old.delete()

            assert carriers(before) == {old.id}
            assert carriers(switching) <= {old.id, new.id}
            assert carriers(after) == {new.id}
            calls += before + switching + after
            old = new

    assert len(calls) >= 12 * ROTATIONS
    assert [call for call in calls if call.status != 200] == []


def test_switch_before_the_backend_knows_the_new_certificate_loses_requests(
    mtls_gateway: MockGateway, backend: Instance, stage: ApiStage
) -> None:
    """The log says by which alert, and of which certificate."""
    new = mtls_gateway.generate_client_certificate()
    with Traffic(stage, every=0) as traffic:
        before = traffic.since_last(at_least=3)
        stage.attach(new)
        traffic.since_last()
        lost = traffic.since_last(at_least=3)

    assert {call.status for call in before} == {200}
    assert {(call.status, call.presented, call.outcome, call.alert) for call in lost} == {
        (500, new.id, "configuration-error", "unknown_ca")
    }
    log = mtls_gateway.log.integrations(stage.api)[-1]["execution_log"]
    assert "Execution failed due to configuration error: Received fatal alert: unknown_ca" in log


# --- the scenario that does all of it


@pytest.fixture
def drill(request: pytest.FixtureRequest) -> Outcome:
    """rotation/drill on the reference backend with a fault."""
    one = catalogue()["rotation/drill"]
    target = replace(reference_target(request.param), reload_within=0.3)
    with Bench(target) as bench:
        (outcome,) = run_all([(one, profile) for profile in one.profiles], bench)
    return outcome


def calls_of(outcome: Outcome) -> dict[str, str]:
    """What became of the calls through the stage, by step."""
    return {
        case.what.removesuffix(": calls through the stage"): case.outcome.value
        for case in outcome.cases
        if case.what.endswith(": calls through the stage")
    }


STEPS = ("added behind the old one", "added before the old one", "switched", "removed", "deleted")


@pytest.mark.parametrize("drill", [[]], ids=["correct"], indirect=True)
def test_drill_on_a_correct_backend_loses_no_call(drill: Outcome) -> None:
    """At every step some came after it."""
    assert calls_of(drill) == dict.fromkeys(STEPS, "passed")
    told = [event.event for event in drill.timeline if " through the stage, " in event.event]
    assert len(told) == len(STEPS)
    assert all(event.endswith(" through the stage, 0 lost") for event in told)
    assert "by the old certificate" in told[0] and "by the new certificate" in told[-1]


@pytest.mark.parametrize("drill", [["first-same-name-only"]], ids=["trap"], indirect=True)
def test_drill_names_the_rotation_trap(drill: Outcome) -> None:
    """The calls are lost while the live certificate is second in the truststore."""
    assert calls_of(drill)["added before the old one"] == "failed"
    assert (calls_of(drill)["removed"], calls_of(drill)["deleted"]) == ("passed", "passed")
    assert any("the rotation trap" in note for note in drill.notes)


@pytest.mark.parametrize("drill", [["reload-ignored"]], ids=["no-reload"], indirect=True)
def test_drill_tells_a_mere_failure_from_the_trap(drill: Outcome) -> None:
    """A reload that does nothing also leaves the new certificate unknown: from the switch on."""
    assert [calls_of(drill)[step] for step in STEPS] == ["passed", "passed", "failed", "failed", "failed"]
    assert not any("the rotation trap" in note for note in drill.notes)


# --- a backend that treats the gateway otherwise than a probe


class Listening:
    """A running server: where it answers."""

    def __init__(self, url: str) -> None:
        self.url = url


def shy_of_the_gateway(status: int) -> Callable[[Material], AbstractContextManager[Listening]]:
    """Python's own server, correct but for the calls that bear API Gateway's header: those get *status*."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status if "x-amzn-apigateway-api-id" in self.headers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    @contextmanager
    def serve(material: Material) -> Iterator[Listening]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(material.truststore))
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_cert_chain(material.server_cert, material.server_key)
        server = ThreadingHTTPServer((material.host, material.port), Handler)
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield Listening(f"https://localhost:{material.port}/")
        finally:
            server.shutdown()
            server.server_close()
            thread.join(timeout=10)

    return serve


@pytest.mark.parametrize(("status", "expected"), [(503, "inconclusive"), (429, "inconclusive"), (403, "failed")])
def test_calls_that_were_never_let_in_prove_nothing(status: int, expected: str) -> None:
    """All of them have the same status, so none was lost; that is no reason to pass."""
    one = catalogue()["rotation/drill"]
    restarts = frozenset({Capability.RELOAD})
    target = Target(kind="factory", name="shy", factory=shy_of_the_gateway(status), capabilities=restarts)
    with Bench(target) as bench:
        (outcome,) = run_all([(one, profile) for profile in one.profiles], bench)

    assert outcome.outcome.value == expected
    assert calls_of(outcome) == {"generated": expected}
    assert f"HTTP {status}" in outcome.reason
