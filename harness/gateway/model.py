"""The control plane's objects. All are frozen: a change is a new object in its place, a deployment a snapshot for free.

``stored`` keeps members that the mock takes and shows, as AWS does, but does not act on; their names are the wire's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cryptography import x509

from ..pki.credential import Credential

__all__ = [
    "AcmCertificate",
    "Authorizer",
    "ClientCertificate",
    "Deployment",
    "HttpApi",
    "HttpAuthorizer",
    "HttpDeployment",
    "HttpIntegration",
    "HttpRoute",
    "HttpStage",
    "Integration",
    "IntegrationResponse",
    "Method",
    "Resource",
    "RestApi",
    "Stage",
    "TestInvoke",
]

Members = Mapping[str, Any]
Strings = Mapping[str, str]
IntegrationType = Literal["HTTP", "HTTP_PROXY", "MOCK", "AWS", "AWS_PROXY"]


# --- certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate that the gateway generated, with its key, which never leaves the process."""

    id: str
    credential: Credential
    description: str | None = None
    tags: Strings = field(default_factory=dict)

    @property
    def created(self) -> datetime:
        """``createdDate``: the certificate's notBefore."""
        return self.credential.leaf.not_valid_before_utc

    @property
    def expires(self) -> datetime:
        """``expirationDate``: the certificate's notAfter."""
        return self.credential.leaf.not_valid_after_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmCertificate:
    """A certificate that was imported into ACM; a stage may present it, a custom domain serve it."""

    arn: str
    credential: Credential
    imported: datetime
    tags: Strings = field(default_factory=dict)

    @property
    def leaf(self) -> x509.Certificate:
        """The end-entity certificate."""
        return self.credential.leaf


# --- REST APIs (apigateway, v1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationResponse:
    """What an HTTP integration makes of the backend's answer; chosen by the status."""

    status_code: str
    selection_pattern: str | None = None
    response_parameters: Strings = field(default_factory=dict)
    response_templates: Strings = field(default_factory=dict)
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """What stands behind a method."""

    type: IntegrationType
    http_method: str | None = None
    uri: str | None = None
    request_parameters: Strings = field(default_factory=dict)
    request_templates: Strings = field(default_factory=dict)
    timeout_ms: int = 29_000
    insecure_skip_verification: bool = False
    responses: Mapping[str, IntegrationResponse] = field(default_factory=dict)
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A verb of a resource; ``ANY`` stands for all that have no method of their own."""

    http_method: str
    authorization_type: str = "NONE"
    authorizer_id: str | None = None
    api_key_required: bool = False
    integration: Integration | None = None
    responses: Mapping[str, Members] = field(default_factory=dict)
    """Method responses by status code, as on the wire."""
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A node of a REST API's path tree; the root has no parent and no part."""

    id: str
    path: str
    parent_id: str | None = None
    path_part: str | None = None
    methods: Mapping[str, Method] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorizer:
    """A Lambda authorizer of a REST API."""

    id: str
    name: str
    type: str
    """TOKEN or REQUEST."""
    uri: str | None = None
    identity_source: str | None = None
    ttl_seconds: int = 300
    stored: Members = field(default_factory=dict)

    @property
    def validation_expression(self) -> str:
        """What the token of a TOKEN authorizer must match; empty for any token."""
        return self.stored.get("identityValidationExpression") or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a stage runs: the API as it was at one moment."""

    id: str
    created: datetime
    resources: tuple[Resource, ...]
    authorizers: Mapping[str, Authorizer]
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a REST API. ``client_certificate`` is what GetStage shows, ``in_force`` what the integrations present.

    The two differ while ``redeploy_required`` holds a change back; ``former`` is what is presented until
    ``arrives`` (``time.monotonic``), when a switch has propagated.
    """

    name: str
    deployment_id: str
    created: datetime
    updated: datetime
    client_certificate: str | None = None
    """A clientCertificateId or the ARN of an ACM certificate."""
    in_force: str | None = None
    former: str | None = None
    arrives: float = float("-inf")
    description: str | None = None
    variables: Strings = field(default_factory=dict)
    tracing_enabled: bool = False
    tags: Strings = field(default_factory=dict)
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestApi:
    """A REST API with all that belongs to it, by id or name."""

    id: str
    name: str
    created: datetime
    root_resource_id: str
    resources: Mapping[str, Resource]
    description: str | None = None
    disabled: bool = False
    """``disableExecuteApiEndpoint`` as shown."""
    disabled_in_force: bool = False
    """The same as it acts: from the next deployment or stage update on, unless ``disable_needs_deployment`` is off."""
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)
    authorizers: Mapping[str, Authorizer] = field(default_factory=dict)
    tags: Strings = field(default_factory=dict)
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestInvoke:
    """What TestInvokeMethod is to carry out: checked by the control plane, done by the data plane, which may wait."""

    __test__ = False  # pytest takes it for a class of tests otherwise

    api: RestApi
    resource: Resource
    method: Method
    http_method: str
    """The verb of the call; *method* may be the resource's ANY."""
    path_with_query_string: str | None = None
    body: str | None = None
    headers: Strings = field(default_factory=dict)
    multi_value_headers: Mapping[str, list[str]] = field(default_factory=dict)
    client_certificate: str | None = None
    """A clientCertificateId or ACM ARN that is known."""
    stage_variables: Strings = field(default_factory=dict)


# --- HTTP and WebSocket APIs (apigatewayv2)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpIntegration:
    """An integration of an HTTP or WebSocket API. An HTTP API presents no client certificate."""

    id: str
    type: str
    method: str | None = None
    uri: str | None = None
    timeout_ms: int = 30_000
    request_parameters: Strings = field(default_factory=dict)
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute:
    """A route: ``GET /pets/{id}``, ``ANY /{proxy+}`` or ``$default``."""

    id: str
    key: str
    target: str | None = None
    """``integrations/{id}``."""
    authorization_type: str = "NONE"
    authorizer_id: str | None = None
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAuthorizer:
    """A REQUEST authorizer of an HTTP or WebSocket API."""

    id: str
    name: str
    type: str
    uri: str | None = None
    identity_source: tuple[str, ...] = ()
    payload_format: str | None = None
    simple_responses: bool = False
    ttl_seconds: int = 0
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDeployment:
    """What a stage of an HTTP API runs: its routes as they were at one moment."""

    id: str
    created: datetime
    routes: tuple[HttpRoute, ...]
    integrations: Mapping[str, HttpIntegration]
    authorizers: Mapping[str, HttpAuthorizer]
    description: str | None = None
    auto: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpStage:
    """A stage of an HTTP or WebSocket API; only a WebSocket API's may have a client certificate."""

    name: str
    created: datetime
    updated: datetime
    deployment_id: str | None = None
    auto_deploy: bool = False
    client_certificate: str | None = None
    description: str | None = None
    variables: Strings = field(default_factory=dict)
    tags: Strings = field(default_factory=dict)
    stored: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApi:
    """An HTTP or WebSocket API with all that belongs to it."""

    id: str
    name: str
    protocol: str
    """HTTP or WEBSOCKET."""
    created: datetime
    description: str | None = None
    disabled: bool = False
    routes: Mapping[str, HttpRoute] = field(default_factory=dict)
    integrations: Mapping[str, HttpIntegration] = field(default_factory=dict)
    authorizers: Mapping[str, HttpAuthorizer] = field(default_factory=dict)
    deployments: Mapping[str, HttpDeployment] = field(default_factory=dict)
    stages: Mapping[str, HttpStage] = field(default_factory=dict)
    tags: Strings = field(default_factory=dict)
    stored: Members = field(default_factory=dict)
