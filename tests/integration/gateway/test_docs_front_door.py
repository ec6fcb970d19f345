"""The recipes for clients of custom domains, in README.md and docs/gateway.md, typed as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pytest_mtls.harness.backend.ports import free_port
from pytest_mtls.harness.gateway import client_verifier, custom_domain
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.truststore import Truststore
from pytest_mtls.harness.wait import poll_until

from ..checks import finished, require
from ..runs import Run, Runs
from .running import backend

ROOT = Path(__file__).parents[3]
README, PAGE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/gateway.md"))
CLIENTS = PAGE.partition("## Custom domains with mutual TLS")[2].partition("\n## ")[0]

pytestmark = pytest.mark.timeout(180)


def blocks(text: str) -> list[str]:
    """The blocks of shell commands."""
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


@dataclass
class Typed:
    """Blocks that are typed in one folder, with free ports in place of those on the page."""

    runs: Runs
    backend: int

    def __post_init__(self) -> None:
        self.ports = {"8080": str(free_port()), "8443": str(free_port()), "localhost:3000": f"127.0.0.1:{self.backend}"}
        tools = str(Path(sys.executable).parent)  # where pytest-mtls and aws are
        files = {"AWS_CONFIG_FILE": "/nonexistent/config", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials"}
        others = {
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "no_proxy": "*",
            "TMPDIR": str(self.runs.temporary),
        }
        self.environment = files | others
        self.environment["PATH"] = os.pathsep.join([tools, os.environ["PATH"]])
        for program in ("openssl", "curl", "bash"):
            require(program)
        if shutil.which("aws", path=self.environment["PATH"]) is None:
            require("aws")

    def words(self, block: str) -> str:
        """The block with our ports."""
        for shown, own in self.ports.items():
            block = block.replace(shown, own)
        return block

    def shell(self, block: str) -> str:
        """What the block prints; it may not fail."""
        words = ("bash", "-euo", "pipefail", "-c", self.words(block))
        run = finished(self.runs.folder, *words, within=120, **self.environment)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    @contextmanager
    def gateway(self, block: str, ended: list[Run]) -> Iterator[dict[str, Any]]:
        """The block, whose last line starts the gateway; it is told to end with ours."""
        process = self.runs.start("-euc", self.words(block), words=("/bin/bash",), **self.environment)
        ready = self.runs.folder / "gateway.json"
        try:
            assert poll_until(lambda: ready.exists() or process.poll() is not None, 60)
            assert process.poll() is None
            yield json.loads(ready.read_text())
        finally:
            if ready.exists():
                os.kill(json.loads(ready.read_text())["pid"], 15)
            ended.append(self.runs.end(process, within=30))


@pytest.fixture
def typed(tmp_path: Path) -> Iterator[Typed]:
    """Blocks in a folder of their own, and a backend for them."""
    with backend() as one:
        yield Typed(Runs(tmp_path), one.port)


def test_readme_s_recipe_tells_aws_s_story(typed: Typed) -> None:
    """No answer without a certificate, the backend's with it, and no way round in the end."""
    part = README.partition("**The clients that call API Gateway.**")[2].partition("\n**")[0]
    prepare, act = blocks(part)
    ended: list[Run] = []
    with typed.gateway(prepare, ended) as told:
        assert told["s3_root"] == str(typed.runs.folder / "s3")
        out = typed.shell(act)
    line, _, log = out.partition('{"message":"Not Found"}')
    entries = json.loads(log)["entries"]

    assert re.search(r"no answer: curl's exit code is (35|52|56)\nok", line)
    assert [(one["outcome"], one["subject_dn"]) for one in entries] == [("closed", None), ("accepted", "CN=My Client")]
    assert (ended[0].code, ended[0].left) == (0, ())
    assert (typed.runs.folder / "s3" / "your-name-ca-truststore" / "truststore.pem").exists()
    assert not (typed.runs.folder / "gateway.json").exists()


def test_recipe_for_clients_tells_what_each_presented(typed: Typed) -> None:
    """The page's own client, and three that are wrong: of another authority, without certificate, without trust in us."""
    prepare, act = blocks(CLIENTS)
    hierarchy, folder = new_hierarchy(2), typed.runs.folder
    for name, certificate in zip(("IntermediateCA_1", "RootCA"), reversed(hierarchy.certificates), strict=True):
        Truststore.of([certificate]).write(folder / f"{name}.pem")
    ended: list[Run] = []
    with typed.gateway(prepare, ended) as told:
        write(hierarchy.issue("client.example"), folder)
        out = typed.shell(act)
        curl = next(line for line in act.splitlines() if line.startswith("curl --connect-to"))
        write(new_hierarchy(2).issue("stranger.example"), folder)
        without = curl.replace("--key my_client.key --cert my_client.pem", "")
        for wrong in (curl, without, curl.replace("$CA", "RootCA.pem")):
            typed.shell(f'CA="{told["ca"]}"\n{wrong} || :')
        entries = httpx.get(f"{told['endpoint']}/_mtls/log?kind=front_door", trust_env=False).json()["entries"]

    assert "AVAILABLE" in out
    first = json.loads(out[out.index('{\n    "entries"') :])["entries"]
    assert [one["outcome"] for one in first] == ["accepted"]
    assert first[0]["subject_dn"].endswith("CN=client.example")
    assert [(one["outcome"], one["reason"]) for one in entries[1:]] == [
        ("forbidden", "Could not find issuer for certificate"),
        ("closed", None),
        ("closed", "the client ended the TLS handshake: alert unknown ca"),
    ]
    assert ended[0].code == 0


def write(credential: Credential, folder: Path) -> None:
    """The client's files, under the names on the page; it sends its chain along."""
    (folder / "my_client.pem").write_bytes(credential.certificate_pem)
    key = folder / "my_client.key"
    key.touch(0o600)
    key.write_bytes(credential.key_pem)


def test_every_reason_stands_in_the_page_s_table() -> None:
    """And none that there is not."""
    policy = (*client_verifier._WITH_EKU, *client_verifier._POLICY)
    reasons = {check.reason for check in policy} | {custom_domain._OTHER_HOST}
    rows = re.findall(r"^\| `forbidden` \| (.*?) \|", CLIENTS, re.MULTILINE)

    assert {reason for row in rows for reason in re.findall(r"`([^`]+)`", row)} == reasons
