"""docs/samples/crl_authorizer.py as a function of the gateway: revoked clients are kept out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pytest_mtls import Credential, RevocationPki
from pytest_mtls.harness.gateway import foreground
from pytest_mtls.harness.gateway.settings import Settings

from .guarded import Guard, guarded_http, guarded_rest
from .running import Backend, Running, backend, running

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
NewPki = Callable[..., RevocationPki]


class Verified:
    """A client certificate as a custom domain hands it on, as far as the sample reads it."""

    def __init__(self, credential: Credential) -> None:
        self._pem = credential.leaf.public_bytes(Encoding.PEM).decode()

    def as_json(self, settings: Settings) -> dict[str, Any]:
        """``clientCert``."""
        return {"clientCertPem": self._pem, "subjectDN": "CN=whoever", "validity": {}}


@pytest.fixture
def server() -> Iterator[Backend]:
    """A backend."""
    with backend() as one:
        yield one


@pytest.fixture
def pki(mtls_revocation: NewPki) -> RevocationPki:
    """A hierarchy whose CRLs are served."""
    return mtls_revocation(depth=2)


@pytest.fixture
def gateway(pki: RevocationPki, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Running]:
    """A gateway that was started in the samples' folder with ``--function f=crl_authorizer:handler``."""
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TRUSTSTORE", str(pki.truststore.write(tmp_path / "truststore.pem")))
    sys.modules.pop("crl_authorizer", None)
    try:
        with running(foreground.parse({"function": ["f=crl_authorizer:handler"]})) as one:
            yield one
    finally:
        sys.modules.pop("crl_authorizer", None)


@pytest.mark.parametrize("make", [guarded_rest, guarded_http])
def test_a_revoked_client_is_kept_out_and_the_list_fetched_once(
    gateway: Running, server: Backend, pki: RevocationPki, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Guard]
) -> None:
    guard = make(gateway, f"{server.url}/")
    good, bad = pki.issue("good.example"), pki.issue("bad.example")
    pki.revoke(bad)
    answer = gateway.gateway._data_plane.answer
    statuses = []
    for credential in (good, bad, good, bad, None):
        shown = None if credential is None else Verified(credential)
        monkeypatch.setattr(gateway.gateway._data_plane, "answer", partial(answer, client_cert=shown))
        statuses.append(guard.get().status)

    assert statuses == [200, 403, 200, 403, 403]
    assert pki.crl.requests == 1
    assert [entry["decision"] for entry in guard.log()] == ["allow", "deny", "allow", "deny", "deny"]
    assert len(server.requests) == 2
