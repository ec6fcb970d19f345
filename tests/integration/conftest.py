"""Scripted peers for the tests beside this file, and a way to provoke a verdict with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_mtls.harness.pki.authority import server_credential
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.gateway_certificate import control_credential
from pytest_mtls.harness.tls.observation import TlsVersion

from .peers import Peers
from .scripts import Provoke


@pytest.fixture(params=list(TlsVersion), ids=lambda tls: f"tls{tls}")
def tls(request: pytest.FixtureRequest) -> TlsVersion:
    """Each TLS version in turn."""
    return TlsVersion(request.param)


@pytest.fixture(scope="session")
def peer_credential() -> Credential:
    """What the peers present."""
    return server_credential()


@pytest.fixture(scope="session")
def client() -> Credential:
    """What the probes present unless a test has something else in mind."""
    return control_credential()


@pytest.fixture
def peers(peer_credential: Credential) -> Iterator[Peers]:
    """Starts peers; all have ended, without a fault of their own, when the test has."""
    with Peers(peer_credential) as peers:
        yield peers


@pytest.fixture
def provoke(peers: Peers, client: Credential, tls: TlsVersion) -> Provoke:
    """Probes a scripted peer between two controls, and judges."""
    return Provoke(peers, client, tls)
