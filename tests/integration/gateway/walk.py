"""A walk through all operations of the contract, each with as little input as it takes."""

from __future__ import annotations

import json
from typing import Any

from pytest_mtls.harness.pki.authority import new_hierarchy

from .sdk import Account

__all__ = ["CERTIFICATE", "CONTRACT", "FUNCTION", "Walk", "replace"]

FUNCTION = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:123456789012:function:judge/invocations"
)


def _family(plural: str, singular: str, verbs: str = "Create Get List Update Delete") -> list[str]:
    return [f"Get{plural}" if verb == "List" else f"{verb}{singular}" for verb in verbs.split()]


CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
"""Of nothing that was imported."""

CONTRACT: dict[str, list[str]] = {
    "apigateway": [
        *_family("ClientCertificates", "ClientCertificate", "Generate Get List Update Delete"),
        *_family("RestApis", "RestApi"),
        *_family("Resources", "Resource"),
        *_family("", "Method", "Put Get Update Delete"),
        *_family("", "MethodResponse", "Put Get"),
        *_family("", "Integration", "Put Get Update Delete"),
        *_family("", "IntegrationResponse", "Put Get"),
        *_family("Deployments", "Deployment", "Create Get List Delete"),
        *_family("Stages", "Stage"),
        *_family("Authorizers", "Authorizer"),
        "TestInvokeMethod",
        *_family("DomainNames", "DomainName"),
        *_family("BasePathMappings", "BasePathMapping"),
        "TagResource",
        "UntagResource",
        "GetTags",
    ],
    "apigatewayv2": [
        *_family("Apis", "Api"),
        *_family("Integrations", "Integration"),
        *_family("Routes", "Route"),
        *_family("Stages", "Stage"),
        *_family("Authorizers", "Authorizer"),
        *_family("Deployments", "Deployment", "Create Get List Delete"),
        *_family("DomainNames", "DomainName"),
        *_family("ApiMappings", "ApiMapping"),
        "TagResource",
        "UntagResource",
        "GetTags",
    ],
    "acm": [
        "ImportCertificate",
        "DescribeCertificate",
        "GetCertificate",
        "ListCertificates",
        "DeleteCertificate",
    ],
}
"""The operations of the contract's section 4."""


def replace(path: str, value: str) -> list[dict[str, str]]:
    """``patchOperations`` that replace one value."""
    return [{"op": "replace", "path": path, "value": value}]


class Walk:
    """What each operation answered, by service and name."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.statuses: dict[tuple[str, str], int] = {}
        self.answers: dict[tuple[str, str], Any] = {}
        self.bodies: list[bytes] = []

    def all(self) -> None:
        """Call every operation."""
        self._certificates()
        self._rest_api()
        self._http_api()
        self._acm()

    def call(self, service: str, name: str, /, **members: Any) -> Any:
        """One operation by its name in the model; returns what the SDK made of the answer."""
        client = self._account.clients[service]
        method = next(own for own, modelled in client.meta.method_to_api_mapping.items() if modelled == name)
        parsed = getattr(client, method)(**members)
        answer = self._account.answers[-1]
        self.statuses[service, name] = answer.status
        self.answers[service, name] = json.loads(answer.body) if answer.body else {}
        self.bodies.append(answer.body)
        return parsed

    def v1(self, name: str, /, **members: Any) -> Any:
        """An operation of apigateway."""
        return self.call("apigateway", name, **members)

    def v2(self, name: str, /, **members: Any) -> Any:
        """An operation of apigatewayv2."""
        return self.call("apigatewayv2", name, **members)

    def _certificates(self) -> None:
        name = self.v1("GenerateClientCertificate", description="walk")["clientCertificateId"]
        self.v1("GetClientCertificate", clientCertificateId=name)
        self.v1("GetClientCertificates")
        self.v1("UpdateClientCertificate", clientCertificateId=name, patchOperations=replace("/description", "other"))
        arn = f"arn:aws:apigateway:us-east-1::/clientcertificates/{name}"
        self.v1("TagResource", resourceArn=arn, tags={"team": "edge"})
        self.v1("GetTags", resourceArn=arn)
        self.v1("UntagResource", resourceArn=arn, tagKeys=["team"])
        self.v1("DeleteClientCertificate", clientCertificateId=name)

    def _rest_api(self) -> None:
        created = self.v1("CreateRestApi", name="walk")
        api, root = created["id"], created["rootResourceId"]
        self.v1("GetRestApi", restApiId=api)
        self.v1("GetRestApis")
        self.v1("UpdateRestApi", restApiId=api, patchOperations=replace("/name", "other"))
        authorizer = self.v1(
            "CreateAuthorizer", restApiId=api, name="judge", type="TOKEN", authorizerUri=FUNCTION, authType="custom"
        )["id"]
        self.v1("GetAuthorizer", restApiId=api, authorizerId=authorizer)
        self.v1("GetAuthorizers", restApiId=api)
        self.v1("UpdateAuthorizer", restApiId=api, authorizerId=authorizer, patchOperations=replace("/name", "other"))
        resource = self.v1("CreateResource", restApiId=api, parentId=root, pathPart="pets")["id"]
        place = {"restApiId": api, "resourceId": resource}
        self._method(place)
        self.v1("GetResource", **place, embed=["methods"])
        self.v1("GetResources", restApiId=api, embed=["methods"])
        self._stage(api)
        self.v1("DeleteIntegration", **place, httpMethod="GET")
        self.v1("DeleteMethod", **place, httpMethod="GET")
        self.v1("UpdateResource", **place, patchOperations=replace("/pathPart", "cats"))
        self.v1("DeleteResource", **place)
        self.v1("DeleteAuthorizer", restApiId=api, authorizerId=authorizer)
        self.v1("DeleteRestApi", restApiId=api)

    def _method(self, place: dict[str, str]) -> None:
        method = {**place, "httpMethod": "GET"}
        self.v1("PutMethod", **method, authorizationType="NONE", requestParameters={"method.request.header.a": True})
        self.v1("GetMethod", **method)
        self.v1("UpdateMethod", **method, patchOperations=replace("/apiKeyRequired", "true"))
        self.v1("PutMethodResponse", **method, statusCode="200", responseModels={"application/json": "Empty"})
        self.v1("GetMethodResponse", **method, statusCode="200")
        uri = "https://localhost:8443/pets"
        self.v1("PutIntegration", **method, type="HTTP", integrationHttpMethod="POST", uri=uri)
        self.v1("GetIntegration", **method)
        self.v1("UpdateIntegration", **method, patchOperations=replace("/timeoutInMillis", "5000"))
        self.v1("PutIntegrationResponse", **method, statusCode="200", selectionPattern="2..")
        self.v1("GetIntegrationResponse", **method, statusCode="200")
        self.v1("TestInvokeMethod", **method)

    def _stage(self, api: str) -> None:
        deployment = self.v1("CreateDeployment", restApiId=api)["id"]
        self.v1("GetDeployment", restApiId=api, deploymentId=deployment, embed=["apisummary"])
        self.v1("GetDeployments", restApiId=api)
        self.v1("CreateStage", restApiId=api, stageName="prod", deploymentId=deployment, tags={"team": "edge"})
        operations = replace("/*/*/logging/loglevel", "INFO") + replace("/variables/host", "localhost")
        self.v1("UpdateStage", restApiId=api, stageName="prod", patchOperations=operations)
        self.v1("GetStage", restApiId=api, stageName="prod")
        self.v1("GetStages", restApiId=api)
        self._domain(api)
        self.v1("DeleteStage", restApiId=api, stageName="prod")
        self.v1("DeleteDeployment", restApiId=api, deploymentId=deployment)

    def _domain(self, api: str) -> None:
        domain = {"domainName": "api.example.com"}
        self.v1(
            "CreateDomainName",
            **domain,
            regionalCertificateArn=CERTIFICATE,
            endpointConfiguration={"types": ["REGIONAL"]},
            mutualTlsAuthentication={"truststoreUri": "s3://bucket/truststore.pem", "truststoreVersion": "1"},
            tags={"team": "edge"},
        )
        self.v1("GetDomainName", **domain)
        self.v1("GetDomainNames")
        self.v1(
            "UpdateDomainName", **domain, patchOperations=replace("/mutualTlsAuthentication/truststoreVersion", "2")
        )
        self.v1("CreateBasePathMapping", **domain, basePath="pets", restApiId=api, stage="prod")
        self.v1("GetBasePathMapping", **domain, basePath="pets")
        self.v1("GetBasePathMappings", **domain)
        self.v1("UpdateBasePathMapping", **domain, basePath="pets", patchOperations=replace("/basePath", "cats"))
        self.v1("DeleteBasePathMapping", **domain, basePath="cats")
        self.v1("DeleteDomainName", **domain)
        self._domain_2(api)

    def _domain_2(self, api: str) -> None:
        domain = {"DomainName": "other.example.com"}
        self.v2(
            "CreateDomainName",
            **domain,
            DomainNameConfigurations=[{"CertificateArn": CERTIFICATE, "SecurityPolicy": "TLS_1_2"}],
            MutualTlsAuthentication={"TruststoreUri": "s3://bucket/truststore.pem"},
            Tags={"team": "edge"},
        )
        self.v2("GetDomainName", **domain)
        self.v2("GetDomainNames")
        self.v2("UpdateDomainName", **domain, MutualTlsAuthentication={"TruststoreVersion": "2"})
        mapping = self.v2("CreateApiMapping", **domain, ApiId=api, Stage="prod", ApiMappingKey="pets/cats")
        place = {**domain, "ApiMappingId": mapping["ApiMappingId"]}
        self.v2("GetApiMapping", **place)
        self.v2("GetApiMappings", **domain)
        self.v2("UpdateApiMapping", **place, ApiId=api, ApiMappingKey="")
        self.v2("DeleteApiMapping", **place)
        self.v2("DeleteDomainName", **domain)

    def _http_api(self) -> None:
        api = self.v2("CreateApi", Name="walk", ProtocolType="HTTP")["ApiId"]
        self.v2("GetApi", ApiId=api)
        self.v2("GetApis")
        self.v2("UpdateApi", ApiId=api, Description="other")
        arn = f"arn:aws:apigateway:us-east-1::/apis/{api}"
        self.v2("TagResource", ResourceArn=arn, Tags={"team": "edge"})
        self.v2("GetTags", ResourceArn=arn)
        self.v2("UntagResource", ResourceArn=arn, TagKeys=["team"])
        authorizer = self.v2(
            "CreateAuthorizer",
            ApiId=api,
            Name="judge",
            AuthorizerType="REQUEST",
            AuthorizerUri=FUNCTION,
            IdentitySource=["$request.header.Authorization"],
        )["AuthorizerId"]
        self.v2("GetAuthorizer", ApiId=api, AuthorizerId=authorizer)
        self.v2("GetAuthorizers", ApiId=api)
        self.v2("UpdateAuthorizer", ApiId=api, AuthorizerId=authorizer, Name="other")
        self._route(api)
        self.v2("DeleteAuthorizer", ApiId=api, AuthorizerId=authorizer)
        self.v2("DeleteApi", ApiId=api)

    def _route(self, api: str) -> None:
        uri = "https://localhost:8443/"
        integration = self.v2("CreateIntegration", ApiId=api, IntegrationType="HTTP_PROXY", IntegrationUri=uri)[
            "IntegrationId"
        ]
        self.v2("GetIntegration", ApiId=api, IntegrationId=integration)
        self.v2("GetIntegrations", ApiId=api)
        self.v2("UpdateIntegration", ApiId=api, IntegrationId=integration, TimeoutInMillis=5000)
        target = f"integrations/{integration}"
        route = self.v2("CreateRoute", ApiId=api, RouteKey="GET /pets", Target=target)["RouteId"]
        self.v2("GetRoute", ApiId=api, RouteId=route)
        self.v2("GetRoutes", ApiId=api)
        self.v2("UpdateRoute", ApiId=api, RouteId=route, RouteKey="ANY /pets")
        deployment = self.v2("CreateDeployment", ApiId=api)["DeploymentId"]
        self.v2("GetDeployment", ApiId=api, DeploymentId=deployment)
        self.v2("GetDeployments", ApiId=api)
        self.v2("CreateStage", ApiId=api, StageName="prod", DeploymentId=deployment, Tags={"team": "edge"})
        self.v2("UpdateStage", ApiId=api, StageName="prod", StageVariables={"host": "localhost"})
        self.v2("GetStage", ApiId=api, StageName="prod")
        self.v2("GetStages", ApiId=api)
        self.v2("DeleteStage", ApiId=api, StageName="prod")
        self.v2("DeleteDeployment", ApiId=api, DeploymentId=deployment)
        self.v2("DeleteRoute", ApiId=api, RouteId=route)
        self.v2("DeleteIntegration", ApiId=api, IntegrationId=integration)

    def _acm(self) -> None:
        credential = new_hierarchy(2).issue()
        certificate, *chain = credential.certificate_pem.split(b"-----END CERTIFICATE-----\n")[:-1]
        end = b"-----END CERTIFICATE-----\n"
        arn = self.call(
            "acm",
            "ImportCertificate",
            Certificate=certificate + end,
            PrivateKey=credential.key_pem,
            CertificateChain=b"".join(one + end for one in chain),
        )["CertificateArn"]
        self.call("acm", "DescribeCertificate", CertificateArn=arn)
        self.call("acm", "GetCertificate", CertificateArn=arn)
        self.call("acm", "ListCertificates", Includes={"keyTypes": ["EC_prime256v1"]})
        self.call("acm", "DeleteCertificate", CertificateArn=arn)
