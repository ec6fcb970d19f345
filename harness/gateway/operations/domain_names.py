"""Custom domain names (v1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..domain_model import DomainName
from ..errors import bad_request
from ..patch import ALL, Rule, apply
from ..state import State
from .domain_lookups import (
    HOSTED_ZONE,
    arn_of,
    check_arn,
    check_conditions,
    domain_of,
    new_domain,
    status_of,
    with_truststore,
)
from .rest_apis import POLICIES
from .table import PATCH_MEMBERS, Call, not_emulated, operation

__all__ = ["rendered", "warnings_of"]

_PATH = "/domainnames/{domainName}"
_STORED = "certificateName regionalCertificateName ownershipVerificationCertificateArn policy endpointAccessMode"
_ROUTING = "BASE_PATH_MAPPING_ONLY"
_TRUSTSTORE = "/mutualTlsAuthentication/"


def rendered(state: State, one: DomainName, *, warn: bool = False) -> dict[str, Any]:
    """The domain's members; *warn* says whether with ``truststoreWarnings``, which only Create and Update tell."""
    edge = one.endpoint_type == "EDGE"
    return {
        "domainName": one.name,
        "domainNameArn": arn_of(state, one),
        "certificateArn": one.certificate_arn if edge else None,
        "regionalCertificateArn": None if edge else one.certificate_arn,
        "distributionDomainName": f"{one.regional_name.partition('.')[0]}.cloudfront.net" if edge else None,
        "regionalDomainName": None if edge else one.regional_name,
        "regionalHostedZoneId": None if edge else HOSTED_ZONE,
        "endpointConfiguration": {
            "types": [one.endpoint_type],
            "ipAddressType": one.stored.get("ipAddressType", "ipv4"),
        },
        "domainNameStatus": status_of(one),
        "securityPolicy": one.security_policy,
        "mutualTlsAuthentication": mutual_tls(one, warn=warn),
        "routingMode": _ROUTING,
        "tags": dict(one.tags) or None,
        **{name: value for name, value in one.stored.items() if name in _STORED.split()},
    }


def mutual_tls(one: DomainName, *, warn: bool) -> dict[str, Any] | None:
    """``mutualTlsAuthentication``, for both services."""
    if one.trust is None:
        return None
    return {
        "truststoreUri": one.truststore_uri,
        "truststoreVersion": one.truststore_version,
        "truststoreWarnings": warnings_of(one) if warn else None,
    }


def warnings_of(one: DomainName) -> list[str] | None:
    """A sentence for each member of the truststore that does not count."""
    return None if one.trust is None else list(one.trust.warnings) or None


@operation(
    "apigateway",
    "CreateDomainName",
    "POST",
    "/domainnames",
    201,
    body=f"""domainName* certificateName certificateBody certificatePrivateKey certificateChain certificateArn
        regionalCertificateName regionalCertificateArn ownershipVerificationCertificateArn policy tags:<string>
        endpointConfiguration:{{types:[EDGE|REGIONAL|PRIVATE] ipAddressType:ipv4|dualstack vpcEndpointIds:[string]}}
        mutualTlsAuthentication:{{truststoreUri truststoreVersion}} securityPolicy:{POLICIES}
        endpointAccessMode:BASIC|STRICT
        routingMode:BASE_PATH_MAPPING_ONLY|ROUTING_RULE_ONLY|ROUTING_RULE_THEN_BASE_PATH_MAPPING""",
)
def _create(state: State, call: Call) -> dict[str, Any]:
    for name in ("certificateBody", "certificatePrivateKey", "certificateChain"):
        if call.has(name):
            raise not_emulated(f"{name} of CreateDomainName (import the certificate into ACM)")
    domain = _made(state, call)
    check_conditions(domain)
    if domain.endpoint_type == "PRIVATE":
        raise not_emulated("A private domain name")
    domain = with_truststore(state, call, domain, None)
    state.domain_names[domain.name] = domain
    state.changed()
    return rendered(state, domain, warn=True)


def _made(state: State, call: Call) -> DomainName:
    """What the members ask for, the truststore not yet read."""
    configuration, mutual = call.get("endpointConfiguration", {}), call.get("mutualTlsAuthentication", {})
    regional = call.has("regionalCertificateArn") or call.has("mutualTlsAuthentication")
    types = configuration.get("types") or ["REGIONAL" if regional or not call.has("certificateArn") else "EDGE"]
    if len(types) != 1:
        raise bad_request("Only one endpoint type is supported for a domain name")
    if call.has("mutualTlsAuthentication") and not mutual.get("truststoreUri"):
        raise bad_request("Missing required member: mutualTlsAuthentication.truststoreUri")
    arn = call.get("regionalCertificateArn", call.get("certificateArn"))
    if call.has("ownershipVerificationCertificateArn"):
        check_arn(call["ownershipVerificationCertificateArn"])
    stored = {
        **call.stored(_STORED),
        **({"ipAddressType": configuration["ipAddressType"]} if "ipAddressType" in configuration else {}),
    }
    return replace(
        new_domain(state, call["domainName"]),
        certificate_arn=None if arn is None else check_arn(arn),
        endpoint_type=types[0],
        security_policy=call.get("securityPolicy", "TLS_1_2"),
        truststore_uri=mutual.get("truststoreUri"),
        truststore_version=mutual.get("truststoreVersion") or None,
        tags=call.get("tags", {}),
        stored=_routed(stored, call.get("routingMode", _ROUTING)),
    )


def _routed(stored: dict[str, Any], mode: str) -> dict[str, Any]:
    if mode != _ROUTING:
        raise not_emulated(f"routingMode {mode}")
    return stored


def _only_public(call: Call) -> None:
    if call.has("domainNameId"):
        raise not_emulated("domainNameId, which private domain names have,")


@operation("apigateway", "GetDomainName", "GET", _PATH, 200, query="domainNameId")
def _get(state: State, call: Call) -> dict[str, Any]:
    _only_public(call)
    return rendered(state, domain_of(state, call["domainName"]))


@operation(
    "apigateway",
    "GetDomainNames",
    "GET",
    "/domainnames",
    200,
    query="position limit:int resourceOwner:SELF|OTHER_ACCOUNTS",
)
def _list(state: State, call: Call) -> dict[str, Any]:
    own = state.domain_names if call.get("resourceOwner", "SELF") == "SELF" else {}
    return call.page(own, lambda one: rendered(state, one))


@operation("apigateway", "DeleteDomainName", "DELETE", _PATH, 202, query="domainNameId")
def _delete(state: State, call: Call) -> None:
    _only_public(call)
    del state.domain_names[domain_of(state, call["domainName"]).name]
    state.changed()


# --- UpdateDomainName

_Change = Callable[[DomainName, Sequence[str], str | None], DomainName]


def _uri(one: DomainName, _: Sequence[str], value: str | None) -> DomainName:
    return replace(one, truststore_uri=value or None)  # an empty one switches mutual TLS off


def _version(one: DomainName, _: Sequence[str], value: str | None) -> DomainName:
    if value and one.truststore_uri is None:
        raise bad_request("A truststore version needs a truststore URI")
    return replace(one, truststore_version=value or None)


def _policy(one: DomainName, _: Sequence[str], value: str | None) -> DomainName:
    if value not in POLICIES.split("|"):
        raise bad_request(f"Invalid security policy: {value}")
    return replace(one, security_policy=value)


def _certificate(one: DomainName, _: Sequence[str], value: str | None) -> DomainName:
    return replace(one, certificate_arn=check_arn(value or ""))


def _type(one: DomainName, stars: Sequence[str], value: str | None) -> DomainName:
    if stars[0] not in (one.endpoint_type, "0") or value not in ("EDGE", "REGIONAL"):
        raise bad_request(
            f"Invalid endpoint type: expected EDGE or REGIONAL in place of {one.endpoint_type}, saw {value}"
        )
    return replace(one, endpoint_type=value)


def _routing(one: DomainName, _: Sequence[str], value: str | None) -> DomainName:
    _routed({}, value or "")
    return one


def _ip(one: DomainName, _: Sequence[str], value: str | None) -> DomainName:
    if value not in ("ipv4", "dualstack"):
        raise bad_request(f"Invalid IP address type: {value}")
    return replace(one, stored={**one.stored, "ipAddressType": value})


def _keep(name: str, check: Callable[[str], str] = str) -> _Change:
    def change(one: DomainName, _: Sequence[str], value: str | None) -> DomainName:
        rest: Mapping[str, Any] = {key: kept for key, kept in one.stored.items() if key != name}
        return replace(one, stored={**rest, **({name: check(value)} if value else {})})

    return change


_RULES: tuple[Rule[DomainName], ...] = (
    Rule(f"{_TRUSTSTORE}truststoreUri", _uri, ALL),
    Rule(f"{_TRUSTSTORE}truststoreVersion", _version, ALL),
    Rule("/securityPolicy", _policy),
    Rule("/certificateArn", _certificate),
    Rule("/regionalCertificateArn", _certificate),
    Rule("/certificateName", _keep("certificateName")),
    Rule("/regionalCertificateName", _keep("regionalCertificateName")),
    Rule("/ownershipVerificationCertificateArn", _keep("ownershipVerificationCertificateArn", check_arn), ALL),
    Rule("/endpointConfiguration/types/*", _type),
    Rule("/endpointConfiguration/ipAddressType", _ip),
    Rule("/policy", _keep("policy")),
    Rule("/routingMode", _routing),
)


@operation("apigateway", "UpdateDomainName", "PATCH", _PATH, 200, body=PATCH_MEMBERS, query="domainNameId")
def _update(state: State, call: Call) -> dict[str, Any]:
    _only_public(call)
    operations = call.get("patchOperations", [])
    before = domain_of(state, call["domainName"])
    domain = apply(before, operations, _RULES)
    check_conditions(domain)
    touched = any(one.get("path", "").startswith(_TRUSTSTORE) for one in operations)
    if touched:
        domain = with_truststore(state, call, domain, before)
    state.domain_names[domain.name] = domain
    state.changed()
    return rendered(state, domain, warn=touched)
