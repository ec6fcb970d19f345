"""An account with a deployed API at a fixed time, whose stage takes certificates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import Encoding

from pytest_mtls.harness.gateway.model import Stage
from pytest_mtls.harness.pki.credential import Credential

from .sdk import Account
from .walk import replace

__all__ = ["NOW", "Site", "code_and_text"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Site:
    """An account with a deployed API, at a fixed time."""

    def __init__(self) -> None:
        self.account = Account()
        self.state, self.v1, self.acm = self.account.state, self.account.v1, self.account.acm
        self.state.real_clock = lambda: NOW
        self.changes = 0
        self.state.on_change.append(self._count)
        created = self.v1.create_rest_api(name="site")
        self.api = created["id"]
        method = {"restApiId": self.api, "resourceId": created["rootResourceId"], "httpMethod": "GET"}
        self.v1.put_method(**method, authorizationType="NONE")
        self.v1.put_integration(**method, type="HTTP_PROXY", integrationHttpMethod="GET", uri="https://localhost/")
        self.deploy()

    def _count(self) -> None:
        self.changes += 1

    def deploy(self) -> Any:
        """CreateDeployment to the stage."""
        return self.v1.create_deployment(restApiId=self.api, stageName="prod")

    def generate(self, **members: Any) -> str:
        """The id of a fresh certificate."""
        name: str = self.v1.generate_client_certificate(**members)["clientCertificateId"]
        return name

    def attach(self, reference: str) -> Any:
        """UpdateStage with this certificate."""
        return self.v1.update_stage(
            restApiId=self.api, stageName="prod", patchOperations=replace("/clientCertificateId", reference)
        )

    def set(self, **settings: Any) -> None:
        """Change settings."""
        self.state.settings = self.state.settings.changed(settings)

    @property
    def stage(self) -> Stage:
        """The stage as the data plane sees it."""
        return self.state.rest_apis[self.api].stages["prod"]

    def bring(self, credential: Credential, **members: Any) -> str:
        """ImportCertificate; the ARN."""
        chain = b"".join(one.public_bytes(Encoding.PEM) for one in credential.chain)
        arn: str = self.acm.import_certificate(
            Certificate=credential.leaf.public_bytes(Encoding.PEM),
            PrivateKey=credential.key_pem,
            **({"CertificateChain": chain} if chain else {}),
            **members,
        )["CertificateArn"]
        return arn


def code_and_text(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]
