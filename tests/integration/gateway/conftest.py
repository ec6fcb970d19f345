"""A gateway, backends and accounts, for more than one of the modules beside this file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy

from ..peers import Peers
from . import egress_support
from .guarded import Guard, guarded_rest
from .running import Backend, Running, backend, running
from .site import Site


@pytest.fixture(scope="module")
def gateway() -> Iterator[Running]:
    """One gateway for all tests of a module; each test makes APIs of its own."""
    with running() as one:
        yield one


@pytest.fixture
def server() -> Iterator[Backend]:
    """A plain backend."""
    with backend() as one:
        yield one


@pytest.fixture(scope="module")
def behind() -> Iterator[Backend]:
    """A plain backend for all tests of a module, behind the APIs of a custom domain."""
    with backend() as one:
        yield one


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """Whom a custom domain trusts."""
    return new_hierarchy(2)


@pytest.fixture
def rest(gateway: Running, server: Backend) -> Guard:
    """A REST API behind a REQUEST authorizer."""
    return guarded_rest(gateway, f"{server.url}/")


@pytest.fixture
def site() -> Site:
    """A fresh one."""
    return Site()


@pytest.fixture
def tls12() -> Iterator[Peers]:
    """Scripted peers with a certificate that the egress of ``egress_support`` trusts."""
    with Peers(egress_support.server()) as peers:
        yield peers
