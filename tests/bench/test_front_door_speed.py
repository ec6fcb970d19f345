"""The front door's speed with the largest truststore that API Gateway takes, as ratios within one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from cryptography import x509

from pytest_mtls.harness.gateway.domain_facade import Domain
from pytest_mtls.harness.gateway.facade import MockGateway
from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.gateway.truststores import read
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy
from pytest_mtls.harness.pki.truststore import MAX_CERTIFICATES, Truststore

ROUNDS = 25


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Whose clients come."""
    return new_hierarchy(2)


@pytest.fixture(scope="module")
def full(hierarchy: Hierarchy) -> Truststore:
    """A thousand certificates, those that count at the end."""
    others = [new_hierarchy().root for _ in range(MAX_CERTIFICATES - hierarchy.depth)]
    return Truststore.of([*others, *hierarchy.certificates])


def medians_ms(*works: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """The median of each over so many rounds, in turn, so that whatever else the machine does slows all of them."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, own in zip(works, times, strict=True):
            began = time.perf_counter()
            work()
            own.append((time.perf_counter() - began) * 1000)
    return [statistics.median(own) for own in times]


def test_handshake_costs_the_same_with_a_thousand_authorities(
    mtls_gateway: MockGateway, hierarchy: Hierarchy, full: Truststore
) -> None:
    """A whole visit takes 3 ms; 5 ms more, which are allowed, would be much more than twice as much."""
    small = mtls_gateway.domain("few.example.com", truststore=hierarchy.certificates)
    large = mtls_gateway.domain("full.example.com", truststore=full)
    context = hierarchy.issue().ssl_context(trust=small.ca)

    def visit(domain: Domain) -> None:
        there = f"https://127.0.0.1:{domain.port}/"
        name = {"sni_hostname": domain.host}
        with httpx.Client(verify=context, trust_env=False) as client:
            client.get(there, headers={"Host": domain.host}, extensions=name)

    few, many = medians_ms(lambda: visit(small), lambda: visit(large))

    print(f"visit: {few:.1f} ms with {hierarchy.depth} certificates, {many:.1f} ms with {len(full)}")
    assert {entry["outcome"] for entry in mtls_gateway.log.front_door()} == {"accepted"}
    assert many < 2 * few


def test_loading_costs_little_more_than_parsing(full: Truststore) -> None:
    """0.3 s are allowed for a thousand; parsing them takes cryptography about 10 ms."""
    pem, now = full.pem, datetime.now(UTC)
    parsing, loading = medians_ms(
        lambda: [one.extensions for one in x509.load_pem_x509_certificates(pem)],
        lambda: read(pem, Settings(), now),
        rounds=5,
    )

    print(f"loading: {loading:.0f} ms, {loading / parsing:.1f} times parsing")
    assert loading < 20 * parsing
