"""Contexts for the standard library's ssl: who is let in, who is not, and where the private key has been."""

from __future__ import annotations

import http.client
import os
import ssl
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

import pytest_mtls
from pytest_mtls import Credential, Hierarchy, Truststore, UsageError, gateway_credential, new_hierarchy, ssl_context
from pytest_mtls.harness.pki.context import Trust
from pytest_mtls.harness.pki.defects import Sample, make_defect


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """What the server's certificate leads to."""
    return new_hierarchy(2)


@pytest.fixture(scope="module")
def server(hierarchy: Hierarchy) -> Credential:
    """A server called localhost."""
    return hierarchy.issue("localhost", names=("localhost",))


@pytest.fixture(scope="module")
def gateways() -> tuple[Credential, Credential]:
    """Two of one name."""
    return gateway_credential(), gateway_credential()


def talk(client: ssl.SSLContext, server: ssl.SSLContext, name: str = "localhost") -> None:
    """Shake hands without a network, and exchange an octet each way; raises what either side raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    steps: list[Any] = [ours.do_handshake, theirs.do_handshake]
    while steps:
        step = steps.pop(0)
        try:
            step()
        except ssl.SSLWantReadError:
            steps.append(step)
    theirs.write(b"x")
    assert ours.read(1) == b"x"


def test_both_sides_by_one_call(hierarchy: Hierarchy, server: Credential, gateways: tuple[Credential, ...]) -> None:
    """Several of one name are all anchors: the rotation trap is none here."""
    truststore = Truststore.of(one.leaf for one in gateways)
    served = server.ssl_context(trust=truststore, server_side=True)

    for gateway in gateways:
        talk(gateway.ssl_context(trust=hierarchy.root), served)


def test_server_lets_nobody_else_in(hierarchy: Hierarchy, server: Credential, gateways: tuple[Credential, ...]) -> None:
    """Neither without a certificate nor with another one of the name."""
    served = server.ssl_context(trust=gateways[0].leaf, server_side=True)

    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        talk(ssl_context(None, trust=hierarchy.root), served)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        talk(gateways[1].ssl_context(trust=hierarchy.root), served)


def test_client_trusts_nothing_but_what_it_was_given(
    hierarchy: Hierarchy, server: Credential, gateways: tuple[Credential, ...]
) -> None:
    """The roots of the system are none of it; and the name counts."""
    served = server.ssl_context(trust=gateways[0].leaf, server_side=True)

    for trust, name in ((new_hierarchy().root, "localhost"), (hierarchy.root, "other.example")):
        with pytest.raises(ssl.SSLCertVerificationError):
            talk(gateways[0].ssl_context(trust=trust), served, name)


@pytest.mark.parametrize("form", ["certificate", "list", "truststore", "file"])
def test_trust_has_many_forms(
    form: str, hierarchy: Hierarchy, server: Credential, gateways: tuple[Credential, ...], tmp_path: Path
) -> None:
    """What is at hand in a test."""
    forms: dict[str, Trust] = {
        "certificate": hierarchy.root,
        "list": [hierarchy.root],
        "truststore": Truststore.of([hierarchy.root, hierarchy.root]),
        "file": Truststore.of([hierarchy.root]).write(tmp_path / "new" / "roots.pem"),
    }
    talk(gateways[0].ssl_context(trust=forms[form]), server.ssl_context(trust=[gateways[0].leaf], server_side=True))


def test_private_key_leaves_no_file(
    hierarchy: Hierarchy, gateways: tuple[Credential, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While OpenSSL reads it nobody else can, and then it is gone."""
    modes: list[int] = []
    load = ssl.SSLContext.load_cert_chain

    def watch(self: ssl.SSLContext, path: str) -> None:
        modes.append(stat.S_IMODE(os.stat(path).st_mode))
        load(self, path)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watch)
    gateways[0].ssl_context(trust=hierarchy.root)

    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_is_said_in_one_line(hierarchy: Hierarchy, tmp_path: Path) -> None:
    """An empty truststore, a missing file, a server without a certificate, a certificate that is too weak."""
    good = hierarchy.issue()
    weak = make_defect("rsa-1024", Sample(good, hierarchy))

    with pytest.raises(UsageError, match="expected a certificate to trust, saw none"):
        good.ssl_context(trust=Truststore())
    with pytest.raises(UsageError, match=r"trust \(.*none\.pem\): expected a readable PEM file"):
        good.ssl_context(trust=tmp_path / "none.pem")
    with pytest.raises(UsageError, match="expected a credential for a server"):
        ssl_context(None, trust=hierarchy.root, server_side=True)
    with pytest.raises(UsageError, match=r"saw rsa-1024: .*Use mtls_probe"):
        weak.ssl_context(trust=hierarchy.root)


def test_hierarchy_is_written_as_the_kit_names_it(tmp_path: Path) -> None:
    """Every pair of files is a credential that can be read again."""
    hierarchy = new_hierarchy(3)
    pairs = hierarchy.write(tmp_path / "ca")

    assert [certificate.name for certificate, _ in pairs] == ["root.pem", "intermediate-1.pem", "intermediate-2.pem"]
    assert [stat.S_IMODE(key.stat().st_mode) for _, key in pairs] == [0o600] * 3
    assert tuple(Credential.from_files(*pair).leaf for pair in pairs) == hierarchy.certificates


def test_http_client_takes_a_context(
    mtls_faulty_backend: Any, mtls_gateway_certificate: pytest_mtls.Credential
) -> None:
    """The standard library's own client, with the file of roots that lies with a backend's material."""
    backend = mtls_faulty_backend()
    context = mtls_gateway_certificate.ssl_context(trust=backend.material.server_ca)
    connection = http.client.HTTPSConnection("localhost", backend.material.port, context=context, timeout=10)
    try:
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
    finally:
        connection.close()
