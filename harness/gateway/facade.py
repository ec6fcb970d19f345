"""The mock gateway as tests use it: APIs, stages, certificates and the log, without HTTP and without an AWS SDK."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from cryptography import x509

from ..errors import UsageError
from ..pki.credential import Credential, read_certificates
from ..pki.key_pool import KeyPool
from .background import BackgroundGateway
from .domain_facade import Domain, DomainTrust, new_domain
from .functions import Function, Handler
from .gateway import Gateway, Options
from .ids import new_request_id
from .log_facade import GatewayLog
from .test_invoke import carry_out
from .wire import Service

if TYPE_CHECKING:
    import httpx

__all__ = [
    "Api",
    "ApiStage",
    "GatewayCertificate",
    "GatewayLog",
    "HasServerAuthority",
    "MockGateway",
    "TestInvocation",
    "running",
]

_T = TypeVar("_T")


class _Material(Protocol):
    @property
    def server_ca(self) -> Path: ...


@runtime_checkable
class HasServerAuthority(Protocol):
    """A backend whose server certificate's authority is known, as those of ``mtls_backend`` and ``mtls_faulty_backend``."""

    @property
    def url(self) -> str:
        """Where it answers."""
        ...

    @property
    def material(self) -> _Material | None:
        """What it was started with."""
        ...


class MockGateway:
    """A running mock gateway. Operations that AWS would refuse raise ApiError with AWS's code and words."""

    def __init__(self, background: BackgroundGateway) -> None:
        self._background = background
        self._gateway = background.gateway
        self.log = GatewayLog(self)
        self._clients: list[httpx.Client] = []

    # --- where it is

    @property
    def s3_root(self) -> Path | None:
        """The folder that stands in for S3, with a bucket in each folder; None when an S3 server does."""
        return self._gateway.s3_root

    @property
    def endpoint(self) -> str:
        """The URL of the control plane, for ``endpoint_url`` of an SDK."""
        return self._gateway.endpoint

    def boto3_client(self, service: str) -> Any:
        """A client of boto3 for ``apigateway``, ``apigatewayv2`` or ``acm``; needs the extra ``aws``."""
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise UsageError("boto3: expected it to be installed, saw none. pip install 'pytest-mtls[aws]'") from error
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self._gateway.state.region,
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
        )

    # --- certificates

    def generate_client_certificate(self, description: str | None = None) -> GatewayCertificate:
        """GenerateClientCertificate. Unlike AWS, a test gets at the private key (``credential``)."""
        members = {} if description is None else {"description": description}
        return GatewayCertificate(self, self.perform("GenerateClientCertificate", **members)["clientCertificateId"])

    def import_certificate(self, credential: Credential) -> GatewayCertificate:
        """ACM's ImportCertificate: *credential*, leaf and chain, for stages to present."""
        whole = credential.certificate_pem
        end = whole.index(b"-----END CERTIFICATE-----\n") + len(b"-----END CERTIFICATE-----\n")
        members = {"Certificate": _blob(whole[:end]), "PrivateKey": _blob(credential.key_pem)}
        if credential.chain:
            members["CertificateChain"] = _blob(whole[end:])
        return GatewayCertificate(self, self.perform("ImportCertificate", "acm", **members)["CertificateArn"])

    def trust(self, *authorities: x509.Certificate | Path) -> None:
        """Trust backends whose server certificates lead to one of *authorities* (certificates, or PEM files)."""
        certificates = [
            certificate
            for one in authorities
            for certificate in (read_certificates(one, "server authority") if isinstance(one, Path) else [one])
        ]
        self.call(lambda: self._gateway.trust(*certificates))

    # --- APIs

    def proxy_api(
        self,
        backend: str | HasServerAuthority,
        *,
        name: str = "proxy",
        insecure_skip_verification: bool = False,
        timeout_ms: int | None = None,
    ) -> Api:
        """A REST API that passes every method and path on to *backend*: a URL, or a backend whose authority is trusted then."""
        url = backend if isinstance(backend, str) else backend.url
        if not isinstance(backend, str) and backend.material is not None:
            self.trust(backend.material.server_ca)
        created = self.perform("CreateRestApi", name=name)
        api = Api(self, created["id"])
        options: dict[str, Any] = {} if timeout_ms is None else {"timeoutInMillis": timeout_ms}
        if insecure_skip_verification:
            options["tlsConfig"] = {"insecureSkipVerification": True}
        root = created["rootResourceId"]
        rest = self.perform("CreateResource", restApiId=api.id, parentId=root, pathPart="{proxy+}")["id"]
        base = url.rstrip("/")
        api._pass_on(root, f"{base}/", {}, {}, options)
        api._pass_on(
            rest,
            f"{base}/{{proxy}}",
            {"method.request.path.proxy": True},
            {"integration.request.path.proxy": "method.request.path.proxy"},
            options,
        )
        return api

    def domain(
        self,
        name: str = "localhost",
        *,
        truststore: DomainTrust | None = None,
        api: Api | ApiStage | None = None,
    ) -> Domain:
        """A custom domain name on the TLS port, ready to be called, with *truststore* (None: without mutual TLS).

        *api* is mapped to it whole: an Api by its stage ``prod``. The default name is one that every machine resolves.
        """
        stage = api.stage() if isinstance(api, Api) else api
        return new_domain(self, name, truststore, None if stage is None else (stage.api.id, stage.name))

    # --- how it behaves

    def set(self, **settings: str | int | bool) -> None:
        """Change settings by name (docs/gateway.md), until the next reset. Raises SettingError for an unfit one."""

        def change() -> None:
            self._gateway.state.settings = self._gateway.state.settings.changed(settings)
            self._gateway.state.changed()
            self._gateway.egress.close_idle()

        self.call(change)

    def set_clock(self, offset: timedelta) -> None:
        """Let the gateway's clock be *offset* ahead of the real one: for issuing, judging and logging.

        Raises ValueError when that leads out of the years 1970 to 2105.
        """

        def change() -> None:
            self._gateway.state.set_clock(offset)
            self._gateway.state.changed()
            self._gateway.egress.close_idle()

        self.call(change)

    def resolve(self, name: str, host: str, port: int) -> None:
        """Connect to *host* and *port* for backends of *name*; SNI, Host and verification keep the name."""
        self.call(lambda: self._gateway.names.update({name: (host, port)}))

    def function(self, name: str, handler: Handler) -> str:
        """Bind *name* to ``handler(event, context)``, sync or async, until the next reset; gives the ``authorizerUri``."""
        bound = Function(
            f"{handler.__module__}:{getattr(handler, '__qualname__', type(handler).__qualname__)}", handler
        )
        self.call(lambda: self._gateway.functions.update({name: bound}))
        region, account = self._gateway.state.region, self._gateway.state.account_id
        function = f"arn:aws:lambda:{region}:{account}:function:{name}"
        return f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function}/invocations"

    def connections(self) -> list[dict[str, Any]]:
        """The open connections to backends, as ``GET /_mtls/connections`` shows them."""
        return [dict(one) for one in self.call(self._gateway.egress.connections)]

    def reset(self) -> None:
        """Drop resources, logs, connections, added trust; clock and settings as at the start. Clients are closed."""
        self.close_clients()
        self.call(self._gateway.reset)

    def close_clients(self) -> None:
        """Close what ``ApiStage.client`` gave."""
        while self._clients:
            self._clients.pop().close()

    # --- the way in

    def perform(self, operation: str, service: Service = "apigateway", /, **members: Any) -> dict[str, Any]:
        """Any operation of the control plane by its name and members, as boto3 would send it."""
        return self._background.wait_for(lambda: self._gateway.perform(operation, service, **members))

    def call(self, function: Callable[[], _T]) -> _T:
        """What *function* gives on the gateway's own thread, to which its state belongs."""
        return self._background.call(function)


@dataclass(frozen=True, slots=True)
class GatewayCertificate:
    """A certificate that stages can present; ``id`` is its clientCertificateId, or its ARN in ACM."""

    gateway: MockGateway
    id: str

    @property
    def credential(self) -> Credential:
        """Certificate and private key. Only a test can have it; AWS shows the certificate alone."""
        return self.gateway.call(lambda: self.gateway._gateway.state.require_credential(self.id))

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate, for a truststore."""
        return self.credential.leaf

    @property
    def pem(self) -> str:
        """``pemEncodedCertificate``, exactly as API Gateway shows it."""
        return str(self.gateway.perform("GetClientCertificate", clientCertificateId=self.id)["pemEncodedCertificate"])

    def delete(self) -> None:
        """DeleteClientCertificate; refused while a stage uses it."""
        self.gateway.perform("DeleteClientCertificate", clientCertificateId=self.id)


@dataclass(frozen=True, slots=True)
class Api:
    """A REST API of the mock."""

    gateway: MockGateway
    id: str

    def stage(self, name: str = "prod") -> ApiStage:
        """The stage called *name*; the API is deployed to it when it is not there yet."""
        known = self.gateway.perform("GetStages", restApiId=self.id)["item"]
        if name not in {one["stageName"] for one in known}:
            self.deploy(name)
        return ApiStage(self, name)

    def deploy(self, stage: str) -> None:
        """CreateDeployment to *stage*, which keeps its settings."""
        self.gateway.perform("CreateDeployment", restApiId=self.id, stageName=stage)

    def test_invoke(
        self, path: str = "/", certificate: GatewayCertificate | None = None, *, method: str = "GET"
    ) -> TestInvocation:
        """TestInvokeMethod: the API as it is now, without stage, with *certificate*, on a fresh connection."""
        members: dict[str, Any] = {} if certificate is None else {"clientCertificateId": certificate.id}
        resources = self.gateway.perform("GetResources", restApiId=self.id)["item"]
        wanted = "/" if path.partition("?")[0] == "/" else "/{proxy+}"
        (resource,) = (one["id"] for one in resources if one["path"] == wanted)
        own = self.gateway._gateway
        test = self.gateway.call(
            lambda: own.control_plane.prepare_test(
                restApiId=self.id, resourceId=resource, httpMethod=method, pathWithQueryString=path, **members
            )
        )
        answer = self.gateway._background.wait_for(lambda: carry_out(test, new_request_id(), own.state, own.invoker))
        return TestInvocation(answer["status"], answer["body"], answer["headers"], answer["log"])

    def _pass_on(
        self, resource: str, uri: str, asked: dict[str, bool], mapped: dict[str, str], options: dict[str, Any]
    ) -> None:
        there = {"restApiId": self.id, "resourceId": resource, "httpMethod": "ANY"}
        self.gateway.perform("PutMethod", **there, authorizationType="NONE", requestParameters=asked)
        self.gateway.perform(
            "PutIntegration",
            **there,
            type="HTTP_PROXY",
            integrationHttpMethod="ANY",
            uri=uri,
            requestParameters=mapped,
            **options,
        )


@dataclass(frozen=True, slots=True)
class ApiStage:
    """A stage of an API of the mock."""

    api: Api
    name: str

    @property
    def url(self) -> str:
        """Where callers reach it, without a slash at the end."""
        return f"{self.api.gateway.endpoint}/_aws/execute-api/{self.api.id}/{self.name}"

    def attach(self, certificate: GatewayCertificate) -> None:
        """UpdateStage: present *certificate* from now on."""
        self._present(certificate.id)

    def detach(self) -> None:
        """UpdateStage: present no certificate any more."""
        self._present("")

    def client(self, **options: Any) -> httpx.Client:
        """A client whose requests go to this stage; *options* are httpx's. It is closed at the gateway's next ``reset``."""
        import httpx

        nobody = ssl.SSLContext(
            ssl.PROTOCOL_TLS_CLIENT
        )  # the stage is plain http; reading the platform's CAs takes time
        usual = {"base_url": self.url, "trust_env": False, "timeout": 35.0, "verify": nobody}
        client = httpx.Client(**{**usual, **options})
        self.api.gateway._clients.append(client)
        return client

    def _present(self, value: str) -> None:
        change = {"op": "replace", "path": "/clientCertificateId", "value": value}
        self.api.gateway.perform("UpdateStage", restApiId=self.api.id, stageName=self.name, patchOperations=[change])


@dataclass(frozen=True, slots=True)
class TestInvocation:
    """What a test invoke gave: the backend's answer, and AWS's execution log."""

    __test__ = False  # pytest would take it for a class of tests

    status: int
    body: str
    headers: dict[str, str]
    log: str


@contextmanager
def running(options: Options = Options(), keys: KeyPool | None = None) -> Iterator[MockGateway]:
    """A mock gateway in a thread of this process for the length of the block; *keys* spares making new ones."""
    background = BackgroundGateway(Gateway(options, keys=keys))
    background.start()
    try:
        yield MockGateway(background)
    finally:
        background.stop()


def _blob(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
