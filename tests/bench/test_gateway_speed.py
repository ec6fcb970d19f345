"""The mock gateway's speed, as ratios within one run. mitmproxy, where it is installed, and nginx are there to compare with."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pytest_mtls.harness.backend.contract import Capability
from pytest_mtls.harness.backend.instance import Instance
from pytest_mtls.harness.backend.ports import can_bind, free_port
from pytest_mtls.harness.backend.process import find_program
from pytest_mtls.harness.backend.servers import factory_of, find_server
from pytest_mtls.harness.backend.target import Target
from pytest_mtls.harness.bench import Bench
from pytest_mtls.harness.pki.gateway_certificate import control_credential
from pytest_mtls.harness.scenario import GATEWAY
from pytest_mtls.harness.wait import poll_until

from .test_speed import IMPORTS, SCRIPT, median_ratio, seconds_of

LOAD = Path(__file__).with_name("load.py")
CONNECTIONS = 8
REQUESTS = 4_000
ROUNDS = 3
DIRECT = control_credential()
"""Who calls nginx without the gateway between; of another name than gateway certificates, or the rotation trap gets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running ``pytest-mtls gateway``."""

    endpoint: str
    pid: int

    @property
    def port(self) -> int:
        """Of the control plane and the stages."""
        return int(self.endpoint.rpartition(":")[2])

    @property
    def resident(self) -> int:
        """Kilobytes of memory."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of it that passes everything on to nginx, with a certificate of its own."""

    gateway: Process
    path: str
    api: str

    def perform(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One operation of the control plane."""
        with httpx.Client(trust_env=False, timeout=30) as client:
            answer = client.request(method, f"{self.gateway.endpoint}{path}", json=body)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json() if answer.content else {}
        return made


@contextmanager
def started(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process, ended with the block."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=15)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def nginx() -> Iterator[Instance]:
    """A stock nginx; it keeps connections open, and is no bottleneck."""
    if find_program("nginx") is None:
        pytest.skip("nginx is not installed")
    server = find_server("nginx")
    live = frozenset({Capability.LIVE_RELOAD})
    with Bench(
        Target(kind="server", name="nginx", factory=factory_of(server, server.reload), capabilities=live)
    ) as bench:
        yield bench.shared(GATEWAY).instance


@pytest.fixture(scope="module")
def stage(nginx: Instance) -> Iterator[Stage]:
    """A gateway process before nginx, and a stage whose certificate nginx trusts."""
    assert nginx.material is not None
    with started([str(SCRIPT), "gateway", "--ca-bundle", str(nginx.material.server_ca)]) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        running = Process(endpoint=ready["endpoint"], pid=ready["pid"])
        bare = Stage(gateway=running, path="", api="")
        made = bare.perform("POST", "/restapis", {"name": "bench"})
        api, root = made["id"], made["rootResourceId"]
        part = bare.perform("POST", f"/restapis/{api}/resources/{root}", {"pathPart": "{proxy+}"})["id"]
        method = f"/restapis/{api}/resources/{part}/methods/ANY"
        bare.perform(
            "PUT", method, {"authorizationType": "NONE", "requestParameters": {"method.request.path.proxy": True}}
        )
        integration = {"type": "HTTP_PROXY", "httpMethod": "ANY", "uri": f"{nginx.url.rstrip('/')}/{{proxy}}"}
        mapped = {"integration.request.path.proxy": "method.request.path.proxy"}
        bare.perform("PUT", f"{method}/integration", integration | {"requestParameters": mapped})
        bare.perform("POST", f"/restapis/{api}/deployments", {"stageName": "prod"})
        found = Stage(gateway=running, path=f"/_aws/execute-api/{api}/prod/pets", api=api)
        rotate(found, nginx)
        yield found


def rotate(stage: Stage, nginx: Instance) -> None:
    """A fresh certificate for the stage, trusted by nginx."""
    from cryptography import x509

    made = stage.perform("POST", "/clientcertificates", {})
    certificate = x509.load_pem_x509_certificate(made["pemEncodedCertificate"].encode())
    assert nginx.replace_truststore([certificate, DIRECT.leaf]).in_effect
    change = {"op": "replace", "path": "/clientCertificateId", "value": made["clientCertificateId"]}
    stage.perform("PATCH", f"/restapis/{stage.api}/stages/prod", {"patchOperations": [change]})


def load(
    port: int, path: str, *files: Path, connections: int = CONNECTIONS, requests: int = REQUESTS
) -> dict[str, float]:
    """What the load client measured."""
    words = [sys.executable, str(LOAD), "localhost", str(port), path, str(connections), str(requests), *map(str, files)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert told.returncode == 0, told.stderr
    measured: dict[str, float] = json.loads(told.stdout)
    return measured


def test_gateway_serves_at_least_three_times_the_requests_of_mitmproxy(
    stage: Stage, nginx: Instance, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Eight client connections, one keep-alive TLS backend with client certificate; aim: five times."""
    mitmdump = os.environ.get("MITMDUMP") or shutil.which("mitmdump")
    if mitmdump is None:
        pytest.skip("mitmdump is not installed (or name it by MITMDUMP)")
    assert nginx.material is not None
    certificate, key = DIRECT.write(tmp_path, "client")
    both = tmp_path / "both.pem"
    both.touch(0o600)
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    port = free_port()
    options = [
        f"client_certs={both}",
        f"ssl_verify_upstream_trusted_ca={nginx.material.server_ca}",
        f"confdir={tmp_path}",
    ]
    words = [
        mitmdump,
        "--quiet",
        "--mode",
        f"reverse:{nginx.url}",
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        str(port),
    ]
    with started(words + [word for option in options for word in ("--set", option)]):
        assert poll_until(lambda: not can_bind(port), 30)
        ratio = median_ratio(
            lambda: load(stage.gateway.port, stage.path)["rate"],
            lambda: load(port, "/pets", requests=REQUESTS // 4)["rate"],
            rounds=ROUNDS,
        )
    record_property("ratio", round(ratio, 2))
    print(f"{ratio:.2f} times the requests of mitmproxy")
    assert ratio >= 3


def test_way_through_the_gateway_costs_a_few_requests_to_the_backend(
    stage: Stage, nginx: Instance, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The median of one connection, against the same backend by TLS with a client certificate and nothing between."""
    assert nginx.material is not None
    files = (*DIRECT.write(tmp_path, "client"), nginx.material.server_ca)
    through: list[float] = []
    direct: list[float] = []

    def measure(into: list[float], *where: Any) -> float:
        p50 = load(*where, connections=1, requests=500)["p50_ms"]
        into.append(p50)
        return p50

    ratio = median_ratio(
        lambda: measure(through, stage.gateway.port, stage.path),
        lambda: measure(direct, nginx.endpoint.port, "/pets", *files),
        rounds=ROUNDS,
    )
    added = statistics.median(through) - statistics.median(direct)
    record_property("ratio", round(ratio, 2))
    record_property("added_ms", round(added, 3))
    print(f"p50 {ratio:.2f} times that of the backend alone: {added:.3f} ms more")
    assert ratio <= 12


def test_gateway_is_ready_after_a_few_imports(record_property: Callable[[str, object], None]) -> None:
    """From the command to the line on stdout and back to the prompt, against importing its libraries."""

    def start_to_end() -> float:
        pid = r"sed 's/.*\"pid\": \([0-9]*\).*/\1/'"
        script = f'{SCRIPT} gateway | {{ read -r line; kill $(echo "$line" | {pid}); cat; }}'
        return seconds_of("sh", "-c", script)

    ratio = median_ratio(start_to_end, lambda: seconds_of(sys.executable, "-c", f"{IMPORTS}, httptools"), rounds=ROUNDS)
    record_property("ratio", round(ratio, 2))
    print(f"{ratio:.2f} imports of its libraries")
    assert ratio <= 3


def test_memory_stays_flat_over_requests_and_rotations(
    stage: Stage, nginx: Instance, record_property: Callable[[str, object], None]
) -> None:
    """Once the log's ring of 10,000 entries is full nothing grows: what more requests take, as a part of what is there."""
    load(stage.gateway.port, stage.path, requests=12_000)
    before = stage.gateway.resident
    for _ in range(5):
        rotate(stage, nginx)
        load(stage.gateway.port, stage.path, requests=REQUESTS)
    growth = stage.gateway.resident / before - 1
    record_property("growth", round(growth, 3))
    print(f"{growth:.1%} of {before} kB more after {5 * REQUESTS} requests and 5 rotations")
    assert growth <= 0.1
