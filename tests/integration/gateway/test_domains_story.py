"""AWS's story of mutual TLS at a custom domain, with its nine commands, curl, boto3, and the gateway as a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_mtls.harness.wait import poll_until

from ..checks import clean_environment, finished, require
from ..runs import Run, Runs
from .guarded import uri_of
from .running import Backend
from .s3 import client, s3_server

NAME, BUCKET = "api.example.com", "your-name-ca-truststore"
URI = f"s3://{BUCKET}/truststore.pem"

NINE = (
    "openssl genrsa -out RootCA.key 4096",
    "openssl req -new -x509 -days 3650 -key RootCA.key -out RootCA.pem",
    "openssl genrsa -out my_client.key 2048",
    "openssl req -new -key my_client.key -out my_client.csr",
    "openssl x509 -req -in my_client.csr -CA RootCA.pem -CAkey RootCA.key -set_serial 01 -out my_client.pem"
    " -days 3650 -sha256",
    "cp RootCA.pem truststore.pem",
    f"aws s3 mb s3://{BUCKET} --region us-east-1",
    f"aws s3api put-bucket-versioning --bucket {BUCKET} --versioning-configuration Status=Enabled",
    f"aws s3 cp truststore.pem s3://{BUCKET}/truststore.pem",
)
"""As they stand in the story, but for the one for intermediates, which it has none of."""
ANSWERS = "US\nWashington\nSeattle\nAmazon Web Services\nSecurity\n{}\n" + "\n" * 5
"""What is typed at OpenSSL's questions for a name; then no address, no password."""
FIVE_FILES = ("RootCA.key", "RootCA.pem", "my_client.csr", "my_client.key", "my_client.pem")
NO_ANSWER = {"1.2": (35,), "1.3": (52, 56)}
"""curl's exit codes: 35 SSL_CONNECT_ERROR; 52 GOT_NOTHING and 56 RECV_ERROR, as a client's handshake ends first in TLS 1.3."""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the first six commands were typed."""
    require("openssl")
    folder = tmp_path_factory.mktemp("story")
    for command in NINE[:6]:
        shell(folder, command)
    assert {path.name for path in folder.iterdir()} == {*FIVE_FILES, "truststore.pem"}
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A folder of a test's own, with the files of the story in it."""
    require("curl")
    return Path(shutil.copytree(made, tmp_path / "files"))


def shell(folder: Path, command: str, **environment: str) -> str:
    """A command of the story, typed in *folder*; what it printed."""
    words = command.split()
    owner = "My Private CA" if "-x509" in words else "My Client"
    run = subprocess.run(
        words,
        cwd=folder,
        env=clean_environment() | environment,
        input=ANSWERS.format(owner),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, f"{command}: {run.stderr}"
    return run.stdout


# --- where the bundle goes


def credentials(url: str) -> dict[str, str]:
    """The AWS CLI's environment for that server, and none of the machine's."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    files = {"AWS_CONFIG_FILE": "/nonexistent/config", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials"}
    return {"PATH": path, "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1", "NO_PROXY": "*", **keys, **files}


def upload(folder: Path, url: str, *commands: str) -> None:
    """The commands for S3, by the AWS CLI."""
    environment = credentials(url)
    if shutil.which("aws", path=environment["PATH"]) is None:
        require("aws")
    for command in commands:
        shell(folder, command, **environment)


# --- the gateway, and who calls it


@dataclass(frozen=True)
class Process:
    """A gateway as a process, and what came of it."""

    told: dict[str, Any]
    ended: list[Run]

    def client(self, service: str) -> Any:
        """boto3's, at the gateway."""
        return client(service, self.told["endpoint"])


@contextmanager
def gateway(folder: Path, *options: str, **environment: str) -> Iterator[Process]:
    """``pytest-mtls gateway`` with these options; at the end of the block it is told to end."""
    runs = Runs(folder)
    process = runs.start("gateway", *options, "-v", **environment)
    assert process.stdout is not None
    one = Process(json.loads(process.stdout.readline()), [])
    try:
        yield one
    finally:
        process.terminate()
        one.ended.append(runs.end(process, within=20))


class Curl:
    """curl, for which the domain's name leads to the gateway."""

    def __init__(self, folder: Path, told: dict[str, Any], version: str) -> None:
        place = told["custom_domain"]
        self._words = ["curl", "-sS", "--noproxy", "*", "--cacert", told["ca"], "-w", "\n%{http_code}", "-m", "20"]
        self._words += ["--connect-to", f"{NAME}:443:{place['host']}:{place['port']}"]
        self._words += [f"--tlsv{version}", "--tls-max", version]
        self._folder = folder

    def __call__(self, *options: str) -> tuple[int, str]:
        """The exit code, and the status behind the body."""
        words = [*self._words, *options, f"https://{NAME}/pets"]
        done = finished(self._folder, *words, within=30)
        return done.returncode, done.stdout.strip()


MINE = ("--key", "my_client.key", "--cert", "my_client.pem")


# --- the story


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_story_with_an_s3_server(version: str, folder: Path, server: Backend) -> None:
    """All nine commands as they stand there; then what each caller sees, step by step."""
    with s3_server() as url:
        upload(folder, url, *NINE[6:])
        with gateway(folder, "--s3-endpoint", url, **credentials(url)) as process:
            tell_the_story(process, Curl(folder, process.told, version), folder, server, version)
    (ended,) = process.ended

    assert (ended.code, ended.out, ended.left) == (0, "", ())
    assert "Access denied. Reason: self signed certificate" in ended.err
    assert "PRIVATE KEY" not in ended.err


def test_story_with_a_folder_for_s3(folder: Path, server: Backend) -> None:
    """``--s3-root`` in place of the server; the folder is left alone."""
    bucket = folder / "s3" / BUCKET
    bucket.mkdir(parents=True)
    shutil.copy(folder / "truststore.pem", bucket / "truststore.pem")  # aws s3 cp
    with gateway(folder, "--s3-root", str(folder / "s3")) as process:
        tell_the_story(process, Curl(folder, process.told, "1.3"), folder, server, "1.3")

    assert process.ended[0].code == 0
    assert [path.name for path in bucket.iterdir()] == ["truststore.pem"]


def tell_the_story(process: Process, curl: Curl, folder: Path, server: Backend, version: str) -> None:
    """From an API with a domain to mutual TLS on it, and nothing beside it."""
    v2 = process.client("apigatewayv2")
    api = v2.create_api(Name="story", ProtocolType="HTTP", Target=server.url)["ApiId"]
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
    v2.create_domain_name(DomainName=NAME, DomainNameConfigurations=[{"CertificateArn": certificate}])
    v2.create_api_mapping(DomainName=NAME, ApiId=api, Stage="$default")
    assert curl() == (0, "ok\n200")  # "test … that the API works without mutual TLS"

    changed = v2.update_domain_name(DomainName=NAME, MutualTlsAuthentication={"TruststoreUri": URI})
    assert changed["DomainNameConfigurations"][0]["DomainNameStatus"] == "UPDATING"
    assert "TruststoreWarnings" not in changed["MutualTlsAuthentication"]
    assert poll_until(lambda: status_of(v2) == "AVAILABLE", 20)
    code, shown = curl()  # "test … again without modifying the request"
    assert (code in NO_ANSWER[version], shown) == (True, "000")
    assert curl(*MINE) == (0, "ok\n200")
    shell(folder, "openssl req -new -x509 -days 1 -key RootCA.key -out other.pem")
    assert curl("--key", "RootCA.key", "--cert", "other.pem") == (0, '{"message":"Forbidden"}\n403')

    default = f"{process.told['endpoint']}/_aws/execute-api/{api}/$default/pets"
    assert plainly(default, *STATUS) == "200"
    v2.update_api(ApiId=api, DisableExecuteApiEndpoint=True)  # "disable the default endpoint"
    assert plainly(default, *STATUS) == "404"
    assert curl(*MINE) == (0, "ok\n200")


def status_of(v2: Any) -> str:
    """``DomainNameStatus``."""
    return str(v2.get_domain_name(DomainName=NAME)["DomainNameConfigurations"][0]["DomainNameStatus"])


def plainly(url: str, *options: str) -> str:
    """What curl prints of *url* with these *options*."""
    done = finished(Path.cwd(), "curl", "-sS", "--noproxy", "*", "-m", "20", *options, url, within=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


STATUS = ("-o", "/dev/null", "-w", "%{http_code}")


# --- what the story says besides


AUTHORIZER = """\
def handler(event, context):
    return {"isAuthorized": True}
"""


def test_authorizer_is_told_of_the_story_s_client(folder: Path, server: Backend) -> None:
    """The event's ``clientCert`` is the one that the story prints, but for PEM and dates, which are this certificate's."""
    bucket = folder / "s3" / BUCKET
    bucket.mkdir(parents=True)
    shutil.copy(folder / "truststore.pem", bucket / "truststore.pem")
    (folder / "story_authorizer.py").write_text(AUTHORIZER)
    options = (
        "--s3-root",
        str(folder / "s3"),
        "--function",
        "f=story_authorizer:handler",
        "--set",
        "domain_update_ms=0",
    )
    with gateway(folder, *options, PYTHONPATH=str(folder)) as process:
        v2 = process.client("apigatewayv2")
        api = v2.create_api(Name="story", ProtocolType="HTTP", Target=server.url)["ApiId"]
        guard(v2, api)
        v2.create_domain_name(
            DomainName=NAME,
            DomainNameConfigurations=[{"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}],
            MutualTlsAuthentication={"TruststoreUri": URI},
        )
        v2.create_api_mapping(DomainName=NAME, ApiId=api, Stage="$default")
        assert Curl(folder, process.told, "1.3")(*MINE) == (0, "ok\n200")
        entries = json.loads(plainly(f"{process.told['endpoint']}/_mtls/log?kind=authorizer"))["entries"]
    (event,) = (entry["event"] for entry in entries)
    told = event["requestContext"]["authentication"]["clientCert"]
    known = shell(folder, "openssl x509 -in my_client.pem -noout -dates").splitlines()
    place = "C=US,ST=Washington,L=Seattle,O=Amazon Web Services,OU=Security"

    assert told == {
        "clientCertPem": (folder / "my_client.pem").read_text(),
        "issuerDN": f"{place},CN=My Private CA",
        "serialNumber": "1",
        "subjectDN": f"{place},CN=My Client",
        "validity": {
            "notAfter": known[1].removeprefix("notAfter="),
            "notBefore": known[0].removeprefix("notBefore="),
        },
    }


def guard(v2: Any, api: str) -> None:
    """Put the API's only route behind an authorizer with payload 2.0."""
    authorizer = v2.create_authorizer(
        ApiId=api,
        Name="a",
        AuthorizerType="REQUEST",
        AuthorizerUri=uri_of("f"),
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
        AuthorizerResultTtlInSeconds=0,
        IdentitySource=[],
    )["AuthorizerId"]
    (route,) = v2.get_routes(ApiId=api)["Items"]
    v2.update_route(ApiId=api, RouteId=route["RouteId"], AuthorizationType="CUSTOM", AuthorizerId=authorizer)


def test_version_of_the_bundle_is_the_one_that_was_named(folder: Path) -> None:
    """An older one, the newest, one that does not exist; a bucket that does not exist."""
    shell(folder, "openssl req -new -x509 -days 1 -key my_client.key -out other.pem")
    with s3_server() as url:
        s3 = client("s3", url)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        oldest, newest = (
            s3.put_object(Bucket=BUCKET, Key="truststore.pem", Body=(folder / name).read_bytes())["VersionId"]
            for name in ("truststore.pem", "other.pem")
        )
        with gateway(folder, "--s3-endpoint", url, "--set", "domain_update_ms=0", **credentials(url)) as process:
            v1, curl = process.client("apigateway"), Curl(folder, process.told, "1.3")
            seen = []
            for version in ({"truststoreVersion": oldest}, {"truststoreVersion": newest}, {}):
                create_domain(v1, {"truststoreUri": URI, **version})
                seen.append(curl(*MINE))
                v1.delete_domain_name(domainName=NAME)
            for mutual in (
                {"truststoreUri": URI, "truststoreVersion": "0123456789abcdef"},
                {"truststoreUri": "s3://nobodys-bucket/truststore.pem"},
            ):
                with pytest.raises(
                    v1.exceptions.BadRequestException, match="cannot be read: no such object or version"
                ):
                    create_domain(v1, mutual)
            log = json.loads(plainly(f"{process.told['endpoint']}/_mtls/log?kind=front_door"))["entries"]

    assert seen == [(0, '{"message":"Forbidden"}\n403')] * 3  # nothing is mapped; the log tells whom it let in
    assert [entry["outcome"] for entry in log] == ["accepted", "forbidden", "forbidden"]


def create_domain(v1: Any, mutual: dict[str, str]) -> None:
    """CreateDomainName."""
    v1.create_domain_name(
        domainName=NAME,
        regionalCertificateArn="arn:aws:acm:us-east-1:123456789012:certificate/1",
        endpointConfiguration={"types": ["REGIONAL"]},
        securityPolicy="TLS_1_2",
        mutualTlsAuthentication=mutual,
    )
