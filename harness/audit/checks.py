"""The checks of an audit: what each requires, why, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ACM_EXPIRING",
    "ATTACHED",
    "CHECKS",
    "DEFAULT_ENDPOINT",
    "DOMAIN_STATUS",
    "HTTP_API",
    "OVERLAP",
    "ROTATION",
    "SECURITY_POLICY",
    "TRUSTSTORE",
    "VALID",
    "Check",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One requirement; ``level`` is MUST (its failure is exit code 1), SHOULD (a warning; fails with --strict) or INFO."""

    id: str
    level: str
    title: str
    references: tuple[str, ...]
    remedy: str


_GUIDE = "API Gateway developer guide"

ATTACHED = Check(
    id="audit/client-certificate-attached",
    level="MUST",
    title="A stage with HTTP integrations MUST present a client certificate to its backends.",
    references=(
        "Security Hub APIGateway.2",
        "AWS Config api-gw-ssl-enabled",
        "CloudSploit apigatewayClientCertificate",
    ),
    remedy="Generate a client certificate (or take one of ACM), let the backend trust it, then attach it to the stage: "
    "update-stage, replace /clientCertificateId. Then prove with 'pytest-mtls check' that the backend asks for it.",
)
VALID = Check(
    id="audit/client-certificate-valid",
    level="MUST",
    title="The certificate that a stage presents MUST exist and be valid now.",
    references=("RFC 5280 6.1.3", f"{_GUIDE}: rest-api-backend-authentication"),
    remedy="Attach a certificate that is valid. A backend that verifies refuses every call of this stage; one that does not "
    "refuse does not look at the validity.",
)
ROTATION = Check(
    id="audit/client-certificate-rotation",
    level="MUST",
    title="A generated client certificate MUST be rotated before it expires: in good time, as nothing rotates it by itself.",
    references=("CloudSploit apigatewayCertificateRotation", f"{_GUIDE}: rest-api-backend-authentication"),
    remedy="Generate a new one, let the backend trust both, attach the new one to the stage, then remove the old one from the "
    "backend. Try it with 'pytest-mtls check --scenario \"rotation/*\"' first: many servers accept only one of the two.",
)
ACM_EXPIRING = Check(
    id="audit/acm-certificate-expiring",
    level="MUST",
    title="An ACM certificate that stages present MUST be renewed in good time before it expires.",
    references=(f"{_GUIDE}: rest-api-acm-client-certificates",),
    remedy="Import a renewed certificate under the same ARN, or find out why ACM has not renewed it "
    "(describe-certificate, RenewalSummary). The stages take it over by themselves.",
)
OVERLAP = Check(
    id="audit/rotation-overlap",
    level="SHOULD",
    title="The stages of an API SHOULD NOT all present the same certificate.",
    references=(f"{_GUIDE}: rest-api-backend-authentication",),
    remedy="Give each stage a certificate of its own: then a new one is tried on one stage, while the others go on with what "
    "the backends know.",
)
DEFAULT_ENDPOINT = Check(
    id="audit/default-endpoint-disabled",
    level="MUST",
    title="An API behind a domain with mutual TLS MUST have its default endpoint disabled: it asks for no certificate.",
    references=("CloudSploit apigatewayDefaultEndpointDisabled", f"{_GUIDE}: rest-api-disable-default-endpoint"),
    remedy="update-rest-api, replace /disableExecuteApiEndpoint with true, and deploy the API (v2: update-api "
    "--disable-execute-api-endpoint).",
)
SECURITY_POLICY = Check(
    id="audit/mutual-tls-security-policy",
    level="MUST",
    title="A domain with mutual TLS MUST have the security policy TLS_1_2.",
    references=(f"{_GUIDE}: rest-api-mutual-tls", f"{_GUIDE}: apigateway-custom-domain-tls-version"),
    remedy="Set the security policy to TLS_1_2, which speaks TLS 1.3 too. The enhanced ones (SecurityPolicy_…) and mutual TLS "
    "exclude each other, so Security Hub APIGateway.11 cannot hold for such a domain: suppress it there.",
)
DOMAIN_STATUS = Check(
    id="audit/mutual-tls-domain-status",
    level="SHOULD",
    title="A domain with mutual TLS SHOULD be AVAILABLE, without warnings.",
    references=(f"{_GUIDE}: rest-api-mutual-tls",),
    remedy="Do what the message says: after a change of the truststore wait for AVAILABLE, and import the certificate or "
    "prove the ownership of the domain anew where that is asked for.",
)
TRUSTSTORE = Check(
    id="audit/truststore-members",
    level="SHOULD",
    title="Every certificate in a truststore SHOULD be valid, and strong enough for API Gateway.",
    references=(f"{_GUIDE}: rest-api-mutual-tls, Troubleshooting certificate warnings",),
    remedy="Upload a truststore without the named certificates as a new version, then update truststoreVersion: API Gateway "
    "reads the object only then.",
)
HTTP_API = Check(
    id="audit/http-api-client-certificate",
    level="SHOULD",
    title="A backend that authenticates its gateway SHOULD NOT be behind an HTTP API, which presents no client certificate.",
    references=("API Gateway V2 API reference: Stage.clientCertificateId is for WebSocket APIs alone",),
    remedy="Make it a REST API, or let the backend authenticate its gateway in another way.",
)

CHECKS: tuple[Check, ...] = (
    ATTACHED,
    VALID,
    ROTATION,
    ACM_EXPIRING,
    OVERLAP,
    HTTP_API,
    DEFAULT_ENDPOINT,
    SECURITY_POLICY,
    DOMAIN_STATUS,
    TRUSTSTORE,
)
"""All, in the order of the report."""
