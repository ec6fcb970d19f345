"""Truststores of custom domains: where they are read, what is refused, what is warned of, what counts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from moto.core import enable_iam_authentication

from pytest_mtls.harness.gateway.client_verifier import refusal
from pytest_mtls.harness.gateway.errors import ApiError
from pytest_mtls.harness.gateway.facade import MockGateway, running
from pytest_mtls.harness.gateway.gateway import Options
from pytest_mtls.harness.gateway.settings import Settings
from pytest_mtls.harness.gateway.truststores import Trust, read
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.defects import Sample, make_defect
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.pki.keys import new_rsa_key
from pytest_mtls.harness.pki.truststore import Truststore

from .front_door_support import twice_extended, visit
from .running import Backend, answer
from .s3 import client, s3_server
from .sdk import few_keys

NAME = "api.example.com"
URI = "s3://bucket/truststore.pem"

pytestmark = pytest.mark.timeout(60)


def create(gateway: MockGateway, uri: str = URI, version: str | None = None) -> dict[str, Any]:
    """A domain with the truststore at *uri*."""
    mutual = {"truststoreUri": uri, **({} if version is None else {"truststoreVersion": version})}
    return gateway.perform("CreateDomainName", domainName=NAME, mutualTlsAuthentication=mutual)


def update(gateway: MockGateway, path: str, value: str) -> dict[str, Any]:
    """UpdateDomainName of one member of the truststore."""
    change = {"op": "replace", "path": f"/mutualTlsAuthentication/{path}", "value": value}
    return gateway.perform("UpdateDomainName", domainName=NAME, patchOperations=[change])


def refused(call: Callable[[], object]) -> str:
    """The text of a 400 BadRequestException."""
    with pytest.raises(ApiError) as error:
        call()
    assert (error.value.code, error.value.status) == ("BadRequestException", 400)
    return error.value.message


@pytest.fixture
def bucket(mtls_gateway: MockGateway) -> Iterator[Path]:
    """A bucket in the folder that stands in for S3."""
    assert mtls_gateway.s3_root is not None
    mtls_gateway.set(domain_update_ms=0)
    folder = mtls_gateway.s3_root / "bucket"
    folder.mkdir(exist_ok=True)
    yield folder
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


# --- the folder


def test_newest_object_and_a_version_of_it(mtls_gateway: MockGateway, bucket: Path) -> None:
    """Version V lies in ``key.versions/V``; it is shown, and read only when an Update names it."""
    old, new = new_hierarchy(), new_hierarchy()
    (bucket / "truststore.pem").write_bytes(Truststore.of(old.certificates).pem)
    (bucket / "truststore.pem.versions").mkdir()
    (bucket / "truststore.pem.versions" / "v2").write_bytes(Truststore.of(new.certificates).pem)
    first = create(mtls_gateway)
    assert first["mutualTlsAuthentication"] == {"truststoreUri": URI}
    assert visit(mtls_gateway, NAME, old.issue()).status == 403  # no mapping, but the certificate is accepted
    second = update(mtls_gateway, "truststoreVersion", "v2")
    visit(mtls_gateway, NAME, old.issue())
    visit(mtls_gateway, NAME, new.issue())

    assert second["mutualTlsAuthentication"] == {"truststoreUri": URI, "truststoreVersion": "v2"}
    assert [entry["outcome"] for entry in mtls_gateway.log.front_door()] == ["accepted", "forbidden", "accepted"]


def test_object_is_never_polled(mtls_gateway: MockGateway, bucket: Path) -> None:
    """An Update that names neither URI nor version reads nothing."""
    old, new = new_hierarchy(), new_hierarchy()
    (bucket / "truststore.pem").write_bytes(Truststore.of(old.certificates).pem)
    create(mtls_gateway)
    (bucket / "truststore.pem").write_bytes(Truststore.of(new.certificates).pem)
    change = {"op": "replace", "path": "/securityPolicy", "value": "TLS_1_2"}
    mtls_gateway.perform("UpdateDomainName", domainName=NAME, patchOperations=[change])
    visit(mtls_gateway, NAME, old.issue())
    update(mtls_gateway, "truststoreUri", URI)
    visit(mtls_gateway, NAME, old.issue())

    assert [entry["outcome"] for entry in mtls_gateway.log.front_door()] == ["accepted", "forbidden"]


@pytest.mark.parametrize(
    ("uri", "version"),
    [
        ("s3://bucket/none.pem", None),
        ("s3://nobucket/truststore.pem", None),
        (URI, "none"),
        (URI, "../secret.pem"),
        ("s3://bucket/../../../etc/ssl/certs/ca-certificates.crt", None),
        ("s3://bucket/link.pem", None),
        ("s3://bucket/folder", None),
        ("s3://bucket/pipe", None),
        ("s3://../bucket/truststore.pem", None),
        ("s3://bucket/", None),
        ("file:///etc/passwd", None),
        ("https://bucket.s3.amazonaws.com/truststore.pem", None),
    ],
)
def test_what_is_no_object_is_refused(uri: str, version: str | None, mtls_gateway: MockGateway, bucket: Path) -> None:
    """Nothing outside the folder is read, by no way; a pipe holds nothing up."""
    assert mtls_gateway.s3_root is not None
    good = Truststore.of(new_hierarchy().certificates).pem
    (bucket / "truststore.pem").write_bytes(good)
    outside = mtls_gateway.s3_root.parent / "outside.pem"
    outside.write_bytes(good)
    (bucket / "link.pem").symlink_to(outside)
    (bucket / "folder").mkdir()
    os.mkfifo(bucket / "pipe")

    assert "ruststore" in refused(lambda: create(mtls_gateway, uri, version))
    assert mtls_gateway.perform("GetDomainNames")["item"] == []


def test_refusal_says_where_the_object_was_looked_for(mtls_gateway: MockGateway, bucket: Path) -> None:
    """For who put it somewhere else; the machine's own paths are in no answer."""
    newest = refused(lambda: create(mtls_gateway, "s3://bucket/a/b.pem"))
    version = refused(lambda: create(mtls_gateway, "s3://bucket/a/b.pem", "v2"))

    assert newest.endswith("no such object or version: expected the file bucket/a/b.pem below the folder for S3")
    assert version.endswith("expected the file bucket/a/b.pem.versions/v2 below the folder for S3")
    assert str(mtls_gateway.s3_root) not in newest + version


def test_refused_update_leaves_the_former_truststore_in_force(mtls_gateway: MockGateway, bucket: Path) -> None:
    """Shown and acting."""
    hierarchy = new_hierarchy()
    (bucket / "truststore.pem").write_bytes(Truststore.of(hierarchy.certificates).pem)
    create(mtls_gateway)
    refused(lambda: update(mtls_gateway, "truststoreUri", "s3://bucket/none.pem"))
    visit(mtls_gateway, NAME, hierarchy.issue())

    assert mtls_gateway.perform("GetDomainName", domainName=NAME)["mutualTlsAuthentication"] == {"truststoreUri": URI}
    assert mtls_gateway.log.front_door()[0]["outcome"] == "accepted"


# --- the server


@pytest.fixture
def at_server(server: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockGateway]:
    """A gateway that reads truststores from it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with running(Options(s3_endpoint=f"{server.url}/", settings=Settings(domain_update_ms=0))) as gateway:
        yield gateway


def test_path_style_get_of_the_version(server: Backend, at_server: MockGateway) -> None:
    """Unsigned without credentials; names are percent-encoded."""
    hierarchy = new_hierarchy()
    server.answer = answer(200, Truststore.of(hierarchy.certificates).pem)
    create(at_server, "s3://bucket/some folder/trust+store.pem", "v/2")
    visit(at_server, NAME, hierarchy.issue())

    assert server.request[0] == "GET /bucket/some%20folder/trust%2Bstore.pem?versionId=v%2F2 HTTP/1.1"
    assert server.header("Authorization") == []
    assert at_server.log.front_door()[0]["outcome"] == "accepted"


def test_get_is_signed_when_credentials_stand_in_the_environment(
    server: Backend, at_server: MockGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Signature Version 4, and by the token of a session if there is one."""
    pytest.importorskip("botocore")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-in-any-log")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    server.answer = answer(200, Truststore.of(new_hierarchy().certificates).pem)
    create(at_server)
    (signature,) = server.header("Authorization")

    assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/us-east-1/s3/aws4_request" in signature
    assert server.header("X-Amz-Security-Token") == ["token"]
    assert b"not-in-any-log" not in server.requests[0]


@contextmanager
def strict_server(key: str, content: bytes) -> Iterator[tuple[str, dict[str, str], str]]:
    """An S3 server that verifies signatures: its URL, who may read, and the version of the one object, at *key*."""
    with s3_server() as url:
        s3, iam = client("s3", url), client("iam", url)
        s3.create_bucket(Bucket="bucket")
        s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
        version = s3.put_object(Bucket="bucket", Key=key, Body=content)["VersionId"]
        iam.create_user(UserName="gateway")
        made = iam.create_access_key(UserName="gateway")["AccessKey"]
        statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::bucket/*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="gateway", PolicyName="read", PolicyDocument=document)
        who = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
        with enable_iam_authentication():
            yield url, who, version


KEYS = pytest.mark.parametrize("key", ["truststore.pem", "some folder/trust+store~(1).pem", "ü/a=b&c.pem"])


@KEYS
def test_signature_is_one_that_a_real_server_verifies(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every way in which names are percent-encoded, with a version and without."""
    hierarchy = new_hierarchy()
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    with strict_server(key, Truststore.of(hierarchy.certificates).pem) as (url, who, version):
        for name, value in who.items():
            monkeypatch.setenv(name, value)
        with running(Options(s3_endpoint=url, settings=Settings(domain_update_ms=0)), few_keys()) as gateway:
            for which in (None, version):
                create(gateway, f"s3://bucket/{key}", which)
                visit(gateway, NAME, hierarchy.issue())
                gateway.perform("DeleteDomainName", domainName=NAME)
            outcomes = [entry["outcome"] for entry in gateway.log.front_door()]

    assert outcomes == ["accepted", "accepted"]


@pytest.mark.parametrize("secret", ["x" * 40, ""], ids=["wrong", "none"])
def test_wrong_signature_and_none_at_all_get_403_from_a_real_server(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, with the server's status."""
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    with strict_server("truststore.pem", Truststore.of(new_hierarchy().certificates).pem) as (url, who, version):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", who["AWS_ACCESS_KEY_ID"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        with running(Options(s3_endpoint=url), few_keys()) as gateway:
            texts = {refused(lambda which=which: create(gateway, URI, which)) for which in (None, version)}  # type: ignore[misc]

    assert texts == {
        f"Truststore {URI}{of} cannot be read: the S3 server answered 403" for of in ("", f" version {version}")
    }


def test_server_that_is_gone() -> None:
    """Nobody listens."""
    with running(Options(s3_endpoint="http://127.0.0.1:1")) as gateway:
        assert "no answer from the S3 server" in refused(lambda: create(gateway))


def test_control_plane_goes_on_while_the_server_is_slow(server: Backend, at_server: MockGateway) -> None:
    """Two Creates of one name at the same time: the later one is a conflict, although it was read first or last."""
    import threading

    release, came = threading.Event(), threading.Event()
    pem = Truststore.of(new_hierarchy().certificates).pem

    def slowly(_: bytes) -> bytes:
        came.set()
        release.wait(10)
        return answer(200, pem)

    server.answer = slowly
    codes: list[str] = []

    def make() -> None:
        try:
            create(at_server)
            codes.append("made")
        except ApiError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert came.wait(10)
    assert at_server.perform("GetDomainNames")["item"] == []
    release.set()
    for thread in threads:
        thread.join(10)

    assert sorted(codes) == ["ConflictException", "made"]


# --- what is in it

NOW = datetime.now(UTC)


def taken(content: bytes, **settings: int) -> Trust:
    """What *content* makes trusted now."""
    return read(content, Settings().changed(settings), NOW)


def test_empty_truststores_are_refused() -> None:
    """No octet, no PEM, or nothing in it that can be parsed."""
    for content in (b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        assert "no certificate" in refused(lambda content=content: taken(content))  # type: ignore[misc]


def test_limits_are_exact() -> None:
    """1,000 certificates and 1 MiB by the settings; copies count."""
    pem = Truststore.of(new_hierarchy().certificates).pem

    assert len(taken(pem * 3, max_truststore_certificates=3).certificates) == 1
    assert "at most 3" in refused(lambda: taken(pem * 4, max_truststore_certificates=3))
    assert taken(pem, max_truststore_bytes=len(pem)).warnings == ()
    assert "larger than" in refused(lambda: taken(pem, max_truststore_bytes=len(pem) - 1))


def test_private_key_in_it_is_refused_and_not_shown() -> None:
    """Whoever uploads it there has to know."""
    credential = new_hierarchy().issue()
    text = refused(lambda: taken(credential.certificate_pem + credential.key_pem))

    assert "private key" in text
    assert credential.key_pem.decode().splitlines()[1] not in text


def test_text_around_the_blocks_line_ends_and_order_do_not_matter() -> None:
    """As the field writes bundles."""
    one, two = new_hierarchy(), new_hierarchy(2)
    pem = Truststore.of([*two.certificates, one.root]).pem
    content = b"# ours \xe9\r\n" + pem.replace(b"\n", b"\r\n") + b"\r\nthe end"

    assert set(taken(content).certificates) == {one.root, *two.certificates}


def test_each_bad_member_is_a_warning_and_is_left_out() -> None:
    """With its subject and what is wrong; the good one counts."""
    hierarchy = new_hierarchy()
    good = hierarchy.root
    sample = Sample(hierarchy.issue(), hierarchy)
    past = gateway_credential(not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1)).leaf
    future = gateway_credential(not_before=NOW + timedelta(days=1), not_after=NOW + timedelta(days=9)).leaf
    weak = make_defect("sha1-signature", sample).leaf
    small = gateway_credential(not_before=NOW - timedelta(days=1), key=new_rsa_key(1024)).leaf
    cut = good.public_bytes(Encoding.PEM)[:-40]
    trust = taken(Truststore.of([past, future, weak, small, good]).pem + cut)

    assert trust.certificates == (good,)
    assert [warning.rpartition(": ")[2] for warning in trust.warnings] == [
        "certificate has expired",
        "certificate is not yet valid",
        "certificate uses an insecure signature algorithm",
        "certificate has a weak or unsupported key",
        "it cannot be parsed",
    ]
    assert trust.warnings[0].startswith("CN=ApiGateway,L=Seattle,C=US")


def test_member_with_an_extension_twice_is_a_warning() -> None:
    """OpenSSL takes it, RFC 5280 4.2 does not."""
    trust = taken(Truststore.of([twice_extended().leaf, new_hierarchy().root]).pem)

    assert len(trust.certificates) == 1
    assert "cannot be parsed" in trust.warnings[0]


def test_warnings_are_told_by_create_and_update_alone(mtls_gateway: MockGateway, bucket: Path) -> None:
    """As AWS does."""
    past = gateway_credential(not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1)).leaf
    (bucket / "truststore.pem").write_bytes(Truststore.of([past, new_hierarchy().root]).pem)
    created, updated = create(mtls_gateway), update(mtls_gateway, "truststoreUri", URI)
    shown = mtls_gateway.perform("GetDomainName", domainName=NAME)

    for answered in (created, updated):
        (warning,) = answered["mutualTlsAuthentication"]["truststoreWarnings"]
        assert warning == "CN=ApiGateway,L=Seattle,C=US: certificate has expired"
    assert "truststoreWarnings" not in shown["mutualTlsAuthentication"]


def test_right_one_of_many_authorities_of_one_name_is_found() -> None:
    """Without key identifiers, by the signature alone."""
    hierarchy = new_hierarchy()
    sample = Sample(hierarchy.issue(), hierarchy)
    clients = [make_defect("lookalike-authority", sample) for _ in range(50)]
    trust = taken(Truststore.of([one.chain[0] for one in clients]).pem)

    assert len(trust.certificates) == 50
    assert {refusal(one.leaf, trust, NOW, Settings()) for one in clients} == {None}
