"""The egress towards whole servers: the reference backend, its faults, and nginx where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_mtls.harness.backend.contract import lay_out
from pytest_mtls.harness.backend.embedded import reference_target
from pytest_mtls.harness.backend.ports import free_port
from pytest_mtls.harness.backend.servers import factory_of, find_server
from pytest_mtls.harness.gateway.egress import Exchange
from pytest_mtls.harness.pki.truststore import Truststore
from pytest_mtls.harness.tls.observation import TlsVersion
from pytest_mtls.harness.tls.probe import Endpoint, probe
from pytest_mtls.harness.wait import poll_until

from ..checks import require
from .egress_support import egress, gateway_certificate, get, hierarchy, in_loop, one_attempt, server, to

FATAL = "Execution failed due to configuration error: Received fatal alert: "


@contextmanager
def reference(folder: Path, *faults: str) -> Iterator[int]:
    """The reference backend, which trusts gateway certificate 1; gives the port."""
    target = reference_target(faults)
    served = server() if target.alter_server is None else target.alter_server(server(), hierarchy())
    truststore = Truststore.of([gateway_certificate().leaf])
    material = lay_out(folder, port=free_port(), server=served, truststore=truststore)
    assert target.factory is not None
    with target.factory(material):
        yield material.port


def send(port: int, number: int | None = 1) -> tuple[Exchange, bytes]:
    """One request with the gateway certificate of this number."""

    async def run() -> tuple[Exchange, bytes]:
        async with egress() as sender:
            exchange = await sender.send(get(), to(port, number=number), timeout=10)
            return exchange, b"" if exchange.answer is None else await exchange.answer.read()

    return in_loop(run)


def failure_of(exchange: Exchange) -> str:
    """The line of the execution log."""
    assert exchange.failure is not None, exchange.answer
    return exchange.failure.line


def test_reference_backend_lets_in_its_gateway_and_nobody_else(tmp_path: Path) -> None:
    with reference(tmp_path / "material") as port:
        good, body = send(port)
        imposter, _ = send(port, 2)
        nobody, _ = send(port, None)

    assert good.answer is not None and (good.answer.status, body[:5]) == (200, b"hello")
    assert failure_of(imposter) == f"{FATAL}unknown_ca"
    assert failure_of(nobody) == f"{FATAL}handshake_failure"
    assert one_attempt(imposter)["presented_sha256"] == gateway_certificate(2).fingerprint
    assert one_attempt(nobody)["not_presented"] == "none-configured"


def test_backend_that_asks_nobody_answers_everybody(tmp_path: Path) -> None:
    with reference(tmp_path / "material", "no-request") as port:
        exchange, _ = send(port, 2)

    assert exchange.answer is not None and exchange.answer.status == 200
    assert one_attempt(exchange)["not_presented"] == "not-requested"


@pytest.mark.parametrize(
    ("fault", "verdict", "text"),
    [
        ("server-wrong-name", "host-mismatch", "Host name 'localhost' does not match the certificate subject"),
        ("server-leaf-only", "untrusted", "PKIX path building failed"),
        ("server-expired", "expired", "PKIX path validation failed"),
        ("tls13-only", None, "Received fatal alert: protocol_version"),
    ],
)
def test_faulty_server_side_is_a_configuration_error(
    tmp_path: Path, fault: str, verdict: str | None, text: str
) -> None:
    with reference(tmp_path / "material", fault) as port:
        exchange, _ = send(port)

    assert text in failure_of(exchange)
    certificate = one_attempt(exchange)["server_certificate"]
    assert (certificate and certificate["verdict"]) == verdict


def test_nginx_refuses_by_400_which_is_an_answer(tmp_path: Path) -> None:
    require("nginx")
    truststore = Truststore.of([gateway_certificate().leaf])
    material = lay_out(tmp_path / "material", port=free_port(), server=server(), truststore=truststore)
    endpoint = Endpoint(host="127.0.0.1", port=material.port, server_name="localhost", authority="localhost")

    def answers() -> bool:
        return probe(endpoint, tls=TlsVersion.TLS12).answer is not None

    nginx = find_server("nginx")
    with factory_of(nginx, nginx.reload)(material):
        assert poll_until(answers, 20)
        good, _ = send(material.port)
        imposter, _ = send(material.port, 2)
        nobody, body = send(material.port, None)

    assert [one.answer and one.answer.status for one in (good, imposter, nobody)] == [200, 400, 400]
    assert b"No required SSL certificate was sent" in body
    assert [one.attempts[0].outcome for one in (good, imposter, nobody)] == ["response"] * 3
    assert one_attempt(imposter)["presented"] == "cert2"
