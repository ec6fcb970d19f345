"""AWS's story (generate, attach, test invoke, rotate, delete) against AWS's own Node sample, by boto3 and the AWS CLI."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from pytest_mtls import Instance, MockGateway, Truststore, new_hierarchy
from pytest_mtls.harness.backend.process import find_program
from pytest_mtls.harness.backend.servers import factory_of, find_server
from pytest_mtls.harness.backend.started import ServerSide, started
from pytest_mtls.harness.backend.target import Target
from pytest_mtls.harness.pki.authority import server_credential
from pytest_mtls.harness.pki.credential import read_certificates
from pytest_mtls.harness.pki.gateway_certificate import control_credential

from ..checks import finished, require

PAGE = Path(__file__).parents[3] / "docs" / "gateway.md"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Instance]:
    """AWS's sample server, which so far trusts nobody but a control of ours."""
    require("node")
    server = find_server("node")
    hierarchy, control = new_hierarchy(1), control_credential()
    side = ServerSide(server_credential(hierarchy=hierarchy), hierarchy)
    target = Target(kind="server", name="node", factory=factory_of(server, server.reload))
    with started(target, tmp_path, server=side, control=control, truststore=Truststore((control.leaf,))) as instance:
        yield instance


@pytest.fixture
def gateway(mtls_gateway: MockGateway, node: Instance) -> MockGateway:
    """The mock gateway; it trusts the server's authority."""
    assert node.material is not None
    mtls_gateway.trust(node.material.server_ca)
    return mtls_gateway


def trust(node: Instance, *pems: str) -> None:
    """Put these certificates into the server's truststore, and restart it."""
    certificates = [one for pem in pems for one in Truststore.parse(pem.encode(), "certificate")]
    assert node.replace_truststore(certificates).in_effect


# --- boto3


def proxy(client: Any, url: str) -> tuple[str, str]:
    """A REST API that passes everything on; its id and the resource's."""
    api = client.create_rest_api(name="pets")
    resource = client.create_resource(restApiId=api["id"], parentId=api["rootResourceId"], pathPart="{proxy+}")["id"]
    there = {"restApiId": api["id"], "resourceId": resource, "httpMethod": "ANY"}
    client.put_method(**there, authorizationType="NONE", requestParameters={"method.request.path.proxy": True})
    client.put_integration(
        **there,
        type="HTTP_PROXY",
        integrationHttpMethod="ANY",
        uri=f"{url.rstrip('/')}/{{proxy}}",
        requestParameters={"integration.request.path.proxy": "method.request.path.proxy"},
    )
    client.create_deployment(restApiId=api["id"], stageName="prod")
    return api["id"], resource


def present(client: Any, api: str, certificate: str) -> dict[str, Any]:
    """UpdateStage."""
    change = {"op": "replace", "path": "/clientCertificateId", "value": certificate}
    answer: dict[str, Any] = client.update_stage(restApiId=api, stageName="prod", patchOperations=[change])
    return answer


def call(gateway: MockGateway, api: str) -> tuple[int, str | None]:
    """One call through the stage: the caller's status, and what was presented."""
    with httpx.Client(trust_env=False) as client:
        status = client.get(f"{gateway.endpoint}/_aws/execute-api/{api}/prod/pets").status_code
    return status, gateway.log.presented()[-1]


def test_story_by_boto3(gateway: MockGateway, node: Instance) -> None:
    """Empty, attached, switched, detached: the caller's status, and which certificate carried the request."""
    client = gateway.boto3_client("apigateway")
    api, resource = proxy(client, node.url)
    old = client.generate_client_certificate(description="old")
    trust(node, old["pemEncodedCertificate"])
    assert call(gateway, api) == (500, None)

    assert present(client, api, old["clientCertificateId"])["clientCertificateId"] == old["clientCertificateId"]
    assert call(gateway, api) == (200, old["clientCertificateId"])

    new = client.generate_client_certificate(description="new")
    tried = client.test_invoke_method(
        restApiId=api,
        resourceId=resource,
        httpMethod="GET",
        pathWithQueryString="/pets",
        clientCertificateId=new["clientCertificateId"],
    )
    assert (tried["status"], "Network error" in tried["body"]) == (504, True)  # Node closes without an alert
    assert tried["log"].startswith("Execution log for request ")

    trust(node, new["pemEncodedCertificate"])
    assert call(gateway, api) == (504, old["clientCertificateId"])
    present(client, api, new["clientCertificateId"])
    assert call(gateway, api) == (200, new["clientCertificateId"])

    client.delete_client_certificate(clientCertificateId=old["clientCertificateId"])
    assert "clientCertificateId" not in present(client, api, "")
    assert call(gateway, api) == (500, None)


def test_boto3_sees_dates_pages_and_errors_as_on_aws(mtls_gateway: MockGateway) -> None:
    """Aware datetimes of 365 days; a paginator over pages of one; error codes by ClientError."""
    client = mtls_gateway.boto3_client("apigateway")
    made = [client.generate_client_certificate() for _ in range(3)]

    first = made[0]
    assert first["expirationDate"] - first["createdDate"] == timedelta(days=365)
    assert abs(first["createdDate"] - datetime.now(UTC)) < timedelta(minutes=5)

    pages = list(client.get_paginator("get_client_certificates").paginate(PaginationConfig={"PageSize": 1}))
    listed = [one["clientCertificateId"] for page in pages for one in page.get("items", [])]
    assert sorted(listed) == sorted(one["clientCertificateId"] for one in made)
    assert len(pages) >= 3

    with pytest.raises(ClientError) as missing:
        client.get_client_certificate(clientCertificateId="aaaaaa")
    assert missing.value.response["Error"]["Code"] == "NotFoundException"
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


# --- the AWS CLI, as docs/gateway.md has it


def story() -> str:
    """The page's block of AWS CLI commands; where it says so, the backend is reloaded."""
    (block,) = re.findall(r"## With the AWS CLI\n.*?```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block.count("# and reload the backend") == 3
    return str(block).replace("# and reload the backend", "; reload_backend")


def test_documented_commands_of_the_aws_cli_tell_the_story(
    gateway: MockGateway, node: Instance, tmp_path: Path
) -> None:
    """Typed as they stand on the page: both calls get through, the old certificate is gone at the end."""
    aws = find_program(str(Path(sys.executable).with_name("aws"))) or require("aws")
    folder = tmp_path / "shell"
    folder.mkdir()
    for name in ("ask", "done"):
        os.mkfifo(folder / name)

    def reload() -> None:
        for _ in range(3):
            with (folder / "ask").open("rb") as ask:
                ask.read()
            node.replace_truststore(read_certificates(folder / "truststore.pem", "truststore"))
            (folder / "done").write_text("done\n")

    reloader = threading.Thread(target=reload, daemon=True)
    reloader.start()
    shell = "set -euo pipefail\nreload_backend() { echo > ask; read -r _ < done; }\n" + story()
    path = os.pathsep.join([str(Path(aws).parent), os.environ["PATH"]])
    own = {"PATH": path, "ENDPOINT": gateway.endpoint, "BACKEND": node.url.rstrip("/"), "HOME": str(folder)}
    told = finished(folder, "bash", "-c", shell, within=240, **own)
    assert (told.returncode, told.stderr) == (0, "")
    assert "Successfully completed execution" in told.stdout  # the test invoke
    assert told.stdout.endswith("hello world\n")  # the last call
    attempts = [(entry["stage"], entry["returned_status"]) for entry in gateway.log.integrations()]
    assert attempts == [(None, 200), ("prod", 200), ("prod", 200)]
    left = [one["clientCertificateId"] for one in gateway.perform("GetClientCertificates")["item"]]
    assert left == [gateway.log.presented()[-1]]
