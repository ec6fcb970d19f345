"""Speed, as ratios within one run: both sides of each ratio are measured in turn, on the same machine, in the same minute."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_mtls.harness.backend.contract import Capability
from pytest_mtls.harness.backend.instance import Instance
from pytest_mtls.harness.backend.process import find_program
from pytest_mtls.harness.backend.servers import factory_of, find_server
from pytest_mtls.harness.backend.target import Target
from pytest_mtls.harness.bench import Bench
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.keys import new_rsa_key
from pytest_mtls.harness.scenario import GATEWAY, catalogue
from pytest_mtls.harness.tls.observation import TlsVersion

SCRIPT = Path(sys.executable).with_name("pytest-mtls")
ROUNDS = 3


def median_ratio(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> float:
    """The median of ours / theirs over *rounds*, measured in turn after one round to warm up."""
    ours(), theirs()
    return statistics.median(ours() / theirs() for _ in range(rounds))


def seconds_of(
    *command: object, environment: dict[str, str] | None = None, cwd: Path | None = None, within: float = 60
) -> float:
    """How long a command takes, as a whole process; at most *within* seconds."""
    began = time.perf_counter()
    subprocess.run(
        [str(word) for word in command],
        env=os.environ | (environment or {}),
        cwd=cwd,
        check=True,
        capture_output=True,
        timeout=within,
    )
    return time.perf_counter() - began


@pytest.fixture(scope="module")
def nginx() -> Iterator[Instance]:
    """A stock nginx that trusts one gateway certificate: the fastest server at hand, so that it is the client we measure."""
    if find_program("nginx") is None:
        pytest.skip("nginx is not installed")
    server = find_server("nginx")
    target = Target(
        kind="server",
        name="nginx",
        factory=factory_of(server, server.reload),
        capabilities=frozenset({Capability.LIVE_RELOAD}),
    )
    with Bench(target) as bench:
        yield bench.shared(GATEWAY).instance


@pytest.mark.parametrize("tls", list(TlsVersion))
def test_probe_opens_at_least_three_quarters_of_the_connections_of_s_time(
    nginx: Instance, tls: TlsVersion, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Connect, handshake with an RSA-2048 client certificate, request, answer: against OpenSSL's own benchmark."""
    certificate, key = nginx.control.write(tmp_path, "client")
    s_time = ["openssl", "s_time", "-connect", f"127.0.0.1:{nginx.endpoint.port}", "-new", "-www", "/", "-time", "1"]
    s_time += [f"-tls{tls.replace('.', '_')}", "-cert", str(certificate), "-key", str(key)]

    def probes_per_second() -> float:
        began, count = time.perf_counter(), 0
        while (spent := time.perf_counter() - began) < 1.0:
            seen = nginx.probe(nginx.control, tls)
            assert seen.answer is not None
            count += 1
        return count / spent

    def connections_per_second() -> float:
        began = time.perf_counter()
        run = subprocess.run(s_time, capture_output=True, text=True, timeout=30, check=True)
        spent = time.perf_counter() - began
        found = re.search(r"(\d+) connections in", run.stdout)
        assert found is not None
        return int(found[1]) / spent

    ratio = median_ratio(probes_per_second, connections_per_second)
    record_property("ratio", round(ratio, 2))
    print(f"TLS {tls}: {ratio:.2f} of s_time's rate")
    assert ratio >= 0.75


IMPORTS = "import pytest, aiohttp, cryptography.x509, OpenSSL.SSL, trustme, click, h11"
WITHOUT_WAITS = [one.id for one in catalogue().values() if not one.waits]


@pytest.mark.parametrize(
    ("arguments", "most"),
    [
        pytest.param([f"--scenario={one}" for one in WITHOUT_WAITS], 10, id="what waits for no clock"),
        pytest.param(["--profile", "all"], 17, id="everything, with its waits"),
    ],
)
def test_check_of_the_embedded_backend_costs_a_few_interpreter_starts(
    arguments: list[str], most: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A whole process with the keys of all certificates, against the import of what it is made of (about 0.3 s).

    So ten of these are 3 s, and seventeen 5 s, on the machine that these targets were set for.
    """
    ratio = median_ratio(
        lambda: seconds_of(SCRIPT, "check", "-q", *arguments, cwd=tmp_path),
        lambda: seconds_of(sys.executable, "-c", IMPORTS),
        rounds=3,
    )
    record_property("ratio", round(ratio, 2))
    print(f"check: {ratio:.1f} times the import of its libraries")
    assert ratio <= most


def test_two_workers_take_little_more_than_half_the_time_on_a_slow_backend(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Slow by waiting, so that it is our distribution that is measured, whatever cores are free: at most 0.65.

    It hardly varies, so one round will do.
    """
    server = Path(__file__).parents[1] / "servers" / "python_server.py"
    slow = f"{sys.executable} {server} --start-seconds 1 --handshake-seconds 0.04"

    def seconds(workers: int) -> float:
        return seconds_of(SCRIPT, "check", "-q", "--command", slow, "-n", workers, cwd=tmp_path, within=150)

    ratio = seconds(2) / seconds(0)
    record_property("ratio", round(ratio, 2))
    print(f"two workers: {ratio:.2f} of the time of one")
    assert ratio <= 0.65


def test_hierarchy_of_four_levels_costs_less_than_an_rsa_key(record_property: Callable[[str, object], None]) -> None:
    """Four authorities and a leaf, against one RSA-2048 key (30 to 60 ms): at most a fifth of it."""

    def milliseconds(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        for _ in range(20):
            work()
        return time.perf_counter() - began

    ratio = median_ratio(lambda: milliseconds(lambda: new_hierarchy(4).issue()), lambda: milliseconds(new_rsa_key))
    record_property("ratio", round(ratio, 3))
    print(f"hierarchy: {ratio:.3f} of an RSA-2048 key")
    assert ratio <= 0.2


def test_idle_plugin_is_a_small_part_of_an_empty_run(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Importing the plugin, against importing pytest itself (about 0.1 s): at most a tenth."""
    code = (
        "import time; a = time.perf_counter(); import pytest; b = time.perf_counter(); "
        "import pytest_mtls.fixtures.plugin; c = time.perf_counter(); print((c - b) / (b - a))"
    )
    ratios = [
        float(
            subprocess.run(
                [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True, timeout=60
            ).stdout
        )
        for _ in range(2 * ROUNDS)
    ]
    ratio = statistics.median(ratios)
    record_property("ratio", round(ratio, 3))
    print(f"plugin: {ratio:.3f} of pytest's own import")
    assert ratio <= 0.1
