"""Truststores and S3 servers that are no good: the caller's answer, the log's entry, and a gateway that goes on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.gateway import objects
from pytest_mtls.harness.gateway.facade import MockGateway, running
from pytest_mtls.harness.gateway.gateway import Options
from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.gateway_certificate import GATEWAY_NAME
from pytest_mtls.harness.pki.issue import CA_EXTENSIONS, issue, self_signed
from pytest_mtls.harness.pki.keys import PrivateKey, new_ec_key
from pytest_mtls.harness.pki.truststore import MAX_CERTIFICATES, Truststore

from .front_door_support import VERSIONS, visit
from .running import Backend, answer
from .sdk import few_keys

NAME, URI = "api.example.com", "s3://bucket/truststore.pem"
ARN = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"

pytestmark = pytest.mark.timeout(60)
Put = Callable[[bytes], object]


@pytest.fixture
def gateway(mtls_gateway: MockGateway) -> MockGateway:
    """A gateway whose domains are AVAILABLE at once."""
    mtls_gateway.set(domain_update_ms=0)
    return mtls_gateway


@pytest.fixture
def put(gateway: MockGateway) -> Iterator[Put]:
    """Puts the object that URI names into the folder that stands in for S3."""
    assert gateway.s3_root is not None
    folder: Path = gateway.s3_root / "bucket"
    folder.mkdir(exist_ok=True)  # the folder outlives a test
    path = folder / "truststore.pem"
    yield path.write_bytes
    path.unlink()


def create(gateway: MockGateway, version: int = 1) -> httpx.Response:
    """CreateDomainName over HTTP, by the first or the second version of the API."""
    if version == 1:
        mutual = {"truststoreUri": URI}
        endpoint = {"endpointConfiguration": {"types": ["REGIONAL"]}, "regionalCertificateArn": ARN}
        members: dict[str, Any] = {**endpoint, "mutualTlsAuthentication": mutual}
        path = "/domainnames"
    else:
        path = "/v2/domainnames"
        members = {
            "domainNameConfigurations": [{"certificateArn": ARN, "endpointType": "REGIONAL"}],
            "mutualTlsAuthentication": {"truststoreUri": URI},
        }
    return httpx.post(gateway.endpoint + path, json={"domainName": NAME, **members}, trust_env=False, timeout=30)


def refused(gateway: MockGateway, version: int = 1) -> str:
    """The text of the refusal, after a look at its shape, at the log, and at what is there now."""
    since = gateway.log.next
    given = create(gateway, version)
    (entry,) = gateway.log.entries(kind="control", since=since)
    shown = entry["operation"], entry["status"], entry["error"]

    assert (given.status_code, given.headers["x-amzn-ErrorType"]) == (400, "BadRequestException")
    assert list(given.json()) == ["message"]
    assert shown == ("CreateDomainName", 400, "BadRequestException")
    assert gateway.perform("GetDomainNames")["item"] == []
    return str(given.json()["message"])


def lets_in(gateway: MockGateway, credential: Credential) -> bool:
    """Whether the domain's truststore lets this client in; nothing is mapped."""
    with_each = [visit(gateway, NAME, credential, version).status for version in VERSIONS]
    assert with_each == [403, 403]
    first, second = (entry["outcome"] for entry in gateway.log.front_door()[-2:])
    assert first == second
    return bool(first == "accepted")


# --- what is refused


def with_key() -> bytes:
    """A bundle into which somebody put the whole of a PEM file."""
    credential = new_hierarchy().issue()
    return credential.certificate_pem + credential.key_pem


def encrypted_key() -> bytes:
    """The label is what counts; nobody can read such a key without its password."""
    body = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    return Truststore.of(new_hierarchy().certificates).pem + body


def one(times: int) -> bytes:
    """The same certificate so many times."""
    return Truststore.of(new_hierarchy().certificates).pem * times


def der() -> bytes:
    """A certificate, but not as PEM."""
    return new_hierarchy().root.public_bytes(Encoding.DER)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (bytes, "holds no certificate"),
    "blank": (lambda: b"\r\n \n", "holds no certificate"),
    "text": (lambda: b"hello\n", "holds no certificate"),
    "DER": (der, "holds no certificate"),
    "UTF-16": (lambda: one(1).decode().encode("utf-16"), "holds no certificate"),
    "a block without contents": (
        lambda: b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "holds no certificate",
    ),
    "1,001 certificates": (lambda: one(1_001), "holds 1001 certificates: expected at most 1000"),
    "more than 1 MiB": (lambda: one(1) + b"#" * 1_048_576, "larger than 1048576 bytes"),
    "a private key": (with_key, "holds a private key"),
    "an encrypted private key": (encrypted_key, "holds a private key"),
}


@pytest.mark.parametrize("version", [1, 2], ids=["v1", "v2"])
@pytest.mark.parametrize("kind", REFUSED)
def test_truststore_that_is_refused(
    kind: str, version: int, gateway: MockGateway, put: Put, hierarchy: Hierarchy
) -> None:
    """400 with the reason, an entry in the log, no domain; a good one is taken then."""
    content, reason = REFUSED[kind]
    put(content())
    text = refused(gateway, version)
    put(Truststore.of(hierarchy.certificates).pem)

    assert reason in text
    assert create(gateway, version).status_code == 201
    assert lets_in(gateway, hierarchy.issue())


def test_private_key_is_in_no_answer_and_no_log(
    gateway: MockGateway, put: Put, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a line of it."""
    content = with_key()
    put(content)
    refused(gateway)
    log = httpx.get(f"{gateway.endpoint}/_mtls/log", trust_env=False).text
    key = content.partition(b"PRIVATE KEY-----\n")[2].decode().splitlines()[:-1]
    said = create(gateway).text + log + "".join(capsys.readouterr())

    assert [line for line in key if line in said] == []


# --- what is taken


def test_untidy_bundle_counts_all_the_same(gateway: MockGateway, put: Put, hierarchy: Hierarchy) -> None:
    """CRLF, comments, text of openssl's, duplicates, a byte order mark, blanks at line ends, no final newline."""
    pem = Truststore.of(hierarchy.certificates).pem
    untidy = b"\xef\xbb\xbf# ours: \xe9\r\n" + pem.replace(b"\n", b"\r\n") + b"subject=CN = x\r\n\r\n" + pem * 3
    put(untidy.rstrip(b"\n"))
    made = create(gateway)

    assert (made.status_code, "truststoreWarnings" in made.json()["mutualTlsAuthentication"]) == (201, False)
    assert lets_in(gateway, hierarchy.issue())
    assert not lets_in(gateway, new_hierarchy(2).issue())


def test_member_that_is_cut_off_does_not_take_the_next_one_along(
    gateway: MockGateway, put: Put, hierarchy: Hierarchy
) -> None:
    """One that lost its END is a warning; what stands behind it counts."""
    cut = Truststore.of(new_hierarchy().certificates).pem
    put(cut[: len(cut) // 2] + b"\n" + Truststore.of(hierarchy.certificates).pem)
    told = create(gateway).json()["mutualTlsAuthentication"]["truststoreWarnings"]

    assert told == ["certificate 1 in the truststore: it cannot be parsed"]
    assert lets_in(gateway, hierarchy.issue())


@dataclass(frozen=True)
class Namesake:
    """One of many self-signed certificates of one name, without key identifiers."""

    name: x509.Name
    key: PrivateKey = field(default_factory=new_ec_key)

    @functools.cached_property
    def certificate(self) -> x509.Certificate:
        """Itself."""
        return self_signed(self.name, self.key, *self._life(), extensions=CA_EXTENSIONS)

    def issue(self) -> Credential:
        """A client of its own."""
        key, subject = new_ec_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
        return Credential(issue(subject, key, *self._life(), issuer=self.name, issuer_key=self.key), key)

    @staticmethod
    def _life() -> tuple[datetime, datetime]:
        now = datetime.now(UTC)
        return now - timedelta(days=1), now + timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (GATEWAY_NAME, "self signed certificate"),
        (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority")]), "certificate signature failure"),
    ],
    ids=["gateway certificates", "authorities"],
)
def test_thousand_members_of_one_name(name: x509.Name, reason: str, gateway: MockGateway, put: Put) -> None:
    """Nothing but a signature tells them apart: the last one counts as the first does, and a namesake outside does not."""
    members = [Namesake(name) for _ in range(MAX_CERTIFICATES)]
    put(Truststore.of([one.certificate for one in members]).pem)
    made = create(gateway)
    outside = Namesake(name)

    def client(one: Namesake) -> Credential:
        return Credential(one.certificate, one.key) if name == GATEWAY_NAME else one.issue()

    assert (made.status_code, "truststoreWarnings" in made.json()["mutualTlsAuthentication"]) == (201, False)
    assert lets_in(gateway, client(members[-1]))
    assert lets_in(gateway, client(members[0]))
    assert not lets_in(gateway, client(outside))
    assert gateway.log.front_door()[-1]["reason"] == reason


# --- S3 servers


@pytest.fixture
def at_server(server: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockGateway]:
    """A gateway that reads truststores from it, and waits half a second for it at most."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(objects, "_SECONDS", 0.5)
    with running(Options(s3_endpoint=server.url, settings=Settings(domain_update_ms=0)), few_keys()) as gateway:
        yield gateway


DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
SERVERS: dict[str, tuple[bytes, str]] = {
    "403": (answer(403, DENIED), "the S3 server answered 403"),
    "404": (answer(404, b"<Error><Code>NoSuchKey</Code></Error>"), "no such object or version"),
    "500": (answer(500), "the S3 server answered 500"),
    "503": (answer(503, b"", "Retry-After: 1"), "the S3 server answered 503"),
    "301": (answer(301, b"", "Location: http://127.0.0.1:1/"), "the S3 server answered 301"),
    "204": (answer(204), "the S3 server answered 204"),
    "no HTTP": (b"220 smtp.example.com ESMTP\r\n", "no answer from the S3 server"),
    "a web page": (answer(200, b"<html>"), "holds no certificate"),
    "nothing in it": (answer(200), "holds no certificate"),
    "more than 1 MiB": (answer(200, b"#" * 1_048_577), "larger than 1048576 bytes"),
}


@pytest.mark.parametrize("version", [1, 2], ids=["v1", "v2"])
@pytest.mark.parametrize("kind", SERVERS)
def test_s3_server_that_does_not_give_the_truststore(
    kind: str, version: int, server: Backend, at_server: MockGateway, hierarchy: Hierarchy
) -> None:
    """400 with the reason, an entry in the log, no domain; once it does, all is well."""
    server.answer, reason = SERVERS[kind]
    text = refused(at_server, version)
    server.answer = answer(200, Truststore.of(hierarchy.certificates).pem)

    assert reason in text
    assert create(at_server, version).status_code == 201
    assert lets_in(at_server, hierarchy.issue())


@pytest.mark.parametrize("begun", [False, True], ids=["silent", "stuck in the middle"])
def test_s3_server_that_never_answers(
    begun: bool, server: Backend, at_server: MockGateway, hierarchy: Hierarchy
) -> None:
    """It is given up, and holds up nobody else meanwhile."""
    release, came = threading.Event(), threading.Event()
    pem = Truststore.of(hierarchy.certificates).pem

    def hang(_: bytes) -> bytes:
        came.set()
        release.wait(20)
        return b""

    # a body that is announced and does not come, for which the server does nothing more
    server.answer = answer(200, pem)[:-100] if begun else hang
    try:
        text = refused(at_server)
        assert begun or came.is_set()
    finally:
        release.set()
    server.answer = answer(200, pem)

    assert text == f"Truststore {URI} cannot be read: no answer from the S3 server in 0.5 s"
    assert create(at_server).status_code == 201
    assert lets_in(at_server, hierarchy.issue())


def test_s3_server_that_fails_at_an_update_leaves_the_former_truststore_in_force(
    server: Backend, at_server: MockGateway, hierarchy: Hierarchy
) -> None:
    """Clients that were let in before still are."""
    server.answer = answer(200, Truststore.of(hierarchy.certificates).pem)
    assert create(at_server).status_code == 201
    server.answer = answer(403, DENIED)
    change = {"op": "replace", "path": "/mutualTlsAuthentication/truststoreUri", "value": "s3://bucket/next.pem"}
    url = f"{at_server.endpoint}/domainnames/{NAME}"
    given = httpx.patch(url, json={"patchOperations": [change]}, trust_env=False)

    assert (given.status_code, given.headers["x-amzn-ErrorType"]) == (400, "BadRequestException")
    assert at_server.perform("GetDomainName", domainName=NAME)["mutualTlsAuthentication"] == {"truststoreUri": URI}
    assert lets_in(at_server, hierarchy.issue())
