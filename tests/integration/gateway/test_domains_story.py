"""AWS's story of mutual TLS at a custom domain, with its nine commands, curl, boto3, and the gateway as a process."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from pytest_mtls.harness.wait import poll_until

from ..checks import require
from ..runs import Runs
from .running import Backend, backend

NAME = "api.example.com"
SUBJECTS = {"RootCA": "/C=US/ST=Washington/L=Seattle/O=Example/CN=My Private CA", "my_client": "/C=US/CN=My Client"}

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def behind() -> Iterator[Backend]:
    """What stands behind the API."""
    with backend() as one:
        yield one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh folder, in which the certificates are made."""
    require("openssl")
    require("curl")
    return tmp_path


def shell(folder: Path, *commands: str) -> None:
    """The commands, as they stand in the story; OpenSSL asks for no name when it is given one."""
    for command in commands:
        words = command.split()
        if "req" in words:
            words += ["-subj", SUBJECTS["RootCA" if "-x509" in words else "my_client"]]
        subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=60)


def make_certificates(folder: Path) -> None:
    """Steps 1 to 9."""
    shell(
        folder,
        "openssl genrsa -out RootCA.key 4096",
        "openssl req -new -x509 -days 3650 -key RootCA.key -out RootCA.pem",
        "openssl genrsa -out my_client.key 2048",
        "openssl req -new -key my_client.key -out my_client.csr",
        "openssl x509 -req -in my_client.csr -CA RootCA.pem -CAkey RootCA.key -set_serial 01 -out my_client.pem"
        " -days 3650 -sha256",
        "cp RootCA.pem truststore.pem",
    )


class Curl:
    """curl, for which the domain's name leads to the gateway."""

    def __init__(self, folder: Path, told: dict[str, Any]) -> None:
        place = told["custom_domain"]
        self._words = ["curl", "-sS", "--noproxy", "*", "--cacert", told["ca"], "-w", "\n%{http_code}", "-m", "20"]
        self._words += ["--connect-to", f"{NAME}:443:{place['host']}:{place['port']}"]
        self._folder = folder

    def __call__(self, *options: str) -> tuple[int, str]:
        """The exit code, and the status behind the body."""
        words = [*self._words, *options, f"https://{NAME}/pets"]
        done = subprocess.run(words, cwd=self._folder, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout.strip()


def client(service: str, told: dict[str, Any]) -> Any:
    """boto3's, at the gateway."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    return boto3.client(  # type: ignore[call-overload, unused-ignore]
        service, endpoint_url=told["endpoint"], region_name=told["region"], config=config, **keys
    )


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_story_with_a_folder_for_s3(version: str, folder: Path, behind: Backend) -> None:
    """Without certificate no answer, with it 200; then the default endpoint is closed."""
    make_certificates(folder)
    bucket = folder / "s3" / "your-name-ca-truststore"
    bucket.mkdir(parents=True)
    shutil.copy(folder / "truststore.pem", bucket / "truststore.pem")  # aws s3 cp
    runs = Runs(folder)
    process = runs.start("gateway", "--s3-root", str(folder / "s3"), "-v")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    try:
        tell_the_story(told, Curl(folder, told), behind, version)
    finally:
        process.terminate()
        ended = runs.end(process, within=20)

    assert ended.code == 0
    assert "Access denied. Reason: self signed certificate" in ended.err
    assert (bucket / "truststore.pem").exists()


def tell_the_story(told: dict[str, Any], curl: Curl, behind: Backend, version: str) -> None:
    """From an API with a domain to mutual TLS on it, and nothing beside it."""
    tls = [f"--tlsv{version}", "--tls-max", version]
    v2 = client("apigatewayv2", told)
    api = v2.create_api(Name="story", ProtocolType="HTTP", Target=behind.url)["ApiId"]
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
    v2.create_domain_name(DomainName=NAME, DomainNameConfigurations=[{"CertificateArn": certificate}])
    v2.create_api_mapping(DomainName=NAME, ApiId=api, Stage="$default")
    assert curl(*tls) == (0, "ok\n200")

    uri = "s3://your-name-ca-truststore/truststore.pem"
    changed = v2.update_domain_name(DomainName=NAME, MutualTlsAuthentication={"TruststoreUri": uri})
    assert changed["DomainNameConfigurations"][0]["DomainNameStatus"] == "UPDATING"
    assert "TruststoreWarnings" not in changed["MutualTlsAuthentication"]
    assert poll_until(lambda: _status(v2) == "AVAILABLE", 20)
    code, shown = curl(*tls)
    assert (code in (35, 52, 56), shown) == (True, "000")
    assert curl(*tls, "--key", "my_client.key", "--cert", "my_client.pem") == (0, "ok\n200")
    mine = ["--key", "RootCA.key", "--cert", "other.pem"]
    shell(curl._folder, "openssl req -new -x509 -days 1 -key RootCA.key -out other.pem")
    assert curl(*tls, *mine) == (0, '{"message":"Forbidden"}\n403')

    default = f"{told['endpoint']}/_aws/execute-api/{api}/$default/pets"
    assert _plainly(default) == "200"
    v2.update_api(ApiId=api, DisableExecuteApiEndpoint=True)
    assert _plainly(default) == "404"
    assert curl(*tls, "--key", "my_client.key", "--cert", "my_client.pem") == (0, "ok\n200")


def _status(v2: Any) -> str:
    return str(v2.get_domain_name(DomainName=NAME)["DomainNameConfigurations"][0]["DomainNameStatus"])


def _plainly(url: str) -> str:
    words = ["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", "-m", "20", url]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout
