"""The authorizers of docs/samples behind a custom domain with mutual TLS: revoked clients are kept out, by real handshakes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_mtls import Credential, MockGateway, RevocationPki
from pytest_mtls.harness.gateway import facade, foreground
from pytest_mtls.harness.tls.observation import TlsVersion

from .front_door_support import VERSIONS, visit
from .guarded import Guard, guarded_http, guarded_rest
from .running import Backend, Running
from .sdk import few_keys

SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
NAME = "api.example.com"
SAID_DENY = b'{"Message":"User is not authorized to access this resource with an explicit deny"}'
BOTH_KINDS = pytest.mark.parametrize("make", [guarded_rest, guarded_http], ids=["rest", "http"])
BOTH_SAMPLES = pytest.mark.parametrize("sample", ["crl_authorizer", "ocsp_authorizer"])

pytestmark = pytest.mark.timeout(60)
NewPki = Callable[..., RevocationPki]


@pytest.fixture
def pki(mtls_revocation: NewPki) -> RevocationPki:
    """A hierarchy whose CRLs are served, and whose responders answer."""
    return mtls_revocation(depth=2)


@dataclass(frozen=True)
class Door:
    """An API behind a sample, behind a domain."""

    gateway: MockGateway
    guard: Guard

    def call(self, credential: Credential | None, version: TlsVersion = TlsVersion.TLS13) -> tuple[int | None, bytes]:
        """What a client with this certificate gets."""
        seen = visit(self.gateway, NAME, credential, version, path="/pets", headers=("Authorization: t",))
        return seen.status, seen.body

    @property
    def decisions(self) -> list[str]:
        """What became of each request that the authorizer was asked about."""
        return [str(entry["decision"]) for entry in self.gateway.log.authorizers()]


Open = Callable[..., Door]


@pytest.fixture
def open_door(pki: RevocationPki, server: Backend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Open]:
    """``open_door("crl_authorizer", guarded_rest, …)``: a gateway that was started in the samples' folder."""
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TRUSTSTORE", str(pki.truststore.write(tmp_path / "truststore.pem")))
    contexts = []

    def make(sample: str, guarded: Callable[..., Guard] = guarded_rest, **environment: str) -> Door:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        sys.modules.pop(sample, None)
        options = foreground.parse({"function": [f"f={sample}:handler"], "set": ["domain_update_ms=0"]})
        monkeypatch.setattr("authorizer_common.SECONDS", 0.5)
        context = facade.running(options, few_keys())
        gateway = context.__enter__()
        contexts.append(context)
        guard = guarded(Running(gateway._gateway, gateway._background._loop), f"{server.url}/")
        gateway.domain(NAME, truststore=pki.truststore)
        there = {"apiId": guard.api, "stage": "prod", "apiMappingKey": ""}
        gateway.perform("CreateApiMapping", "apigatewayv2", domainName=NAME, **there)
        return Door(gateway, guard)

    yield make
    for context in contexts:
        context.__exit__(None, None, None)
    for name in ("crl_authorizer", "ocsp_authorizer", "authorizer_common"):
        sys.modules.pop(name, None)


@BOTH_KINDS
@BOTH_SAMPLES
@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_good_and_revoked_clients(
    sample: str, make: Callable[..., Guard], version: TlsVersion, open_door: Open, pki: RevocationPki, server: Backend
) -> None:
    """Both come through the front door; the authorizer tells them apart. Without a certificate nobody is asked."""
    door = open_door(sample, make)
    good, bad = pki.issue("good.example"), pki.issue("bad.example")
    pki.revoke(bad)
    denied = (403, SAID_DENY if make is guarded_rest else b'{"message":"Forbidden"}')

    assert [door.call(one, version) for one in (good, bad, good, bad)] == [(200, b"ok"), denied] * 2
    assert door.call(None, version) == (None, b"")
    assert door.decisions == ["allow", "deny", "allow", "deny"]
    assert [entry["outcome"] for entry in door.gateway.log.front_door()] == [*["accepted"] * 4, "closed"]
    assert len(server.requests) == 2


def test_list_is_fetched_once_for_many_requests(open_door: Open, pki: RevocationPki, server: Backend) -> None:
    """Of each authority; API Gateway's own cache is off."""
    door = open_door("crl_authorizer")
    clients = [pki.issue(f"client-{number}.example") for number in range(5)]

    assert {door.call(one) for one in clients * 4} == {(200, b"ok")}
    assert [authority.crl.requests for authority in pki.authorities] == [1, 1]
    assert [entry["cached"] for entry in door.gateway.log.authorizers()] == [False] * 20


@BOTH_SAMPLES
def test_stale_answers_keep_everybody_out(sample: str, open_door: Open, pki: RevocationPki, server: Backend) -> None:
    """Until there are fresh ones."""
    door, good = open_door(sample), pki.issue()
    pki.crl.mode = "stale"
    pki.ocsp.mode = "stale"
    stale = door.call(good)
    pki.crl.mode = "full"
    pki.ocsp.mode = "normal"

    assert (stale, door.call(good)) == ((403, SAID_DENY), (200, b"ok"))
    assert len(server.requests) == 1


@BOTH_SAMPLES
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_responder_that_is_down(sample: str, soft: bool, open_door: Open, pki: RevocationPki, server: Backend) -> None:
    """Hard-fail keeps everybody out; the OCSP sample can be told to fail softly, the CRL sample cannot."""
    door, good = open_door(sample, OCSP_SOFT_FAIL=str(soft).lower()), pki.issue()
    pki.stop()
    down = door.call(good)
    pki.start()

    let_in = soft and sample == "ocsp_authorizer"
    assert down == ((200, b"ok") if let_in else (403, SAID_DENY))
    assert door.call(good) == (200, b"ok")


def test_list_in_force_outlives_the_distribution_point(open_door: Open, pki: RevocationPki) -> None:
    """Which is what a cache is for; whoever was revoked before stays out."""
    door, good, bad = open_door("crl_authorizer"), pki.issue(), pki.issue()
    pki.revoke(bad)
    before = door.call(good)[0], door.call(bad)[0]
    pki.stop()

    assert before == (door.call(good)[0], door.call(bad)[0]) == (200, 403)
