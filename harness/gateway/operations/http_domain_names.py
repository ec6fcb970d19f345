"""Custom domain names and API mappings (apigatewayv2): the same domain names as v1's, in its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..domain_model import DomainMapping, DomainName
from ..errors import bad_request
from ..state import State
from .domain_lookups import (
    HOSTED_ZONE,
    arn_of,
    check_arn,
    check_conditions,
    domain_of,
    mapping_id,
    new_domain,
    status_of,
    with_mapping,
    with_truststore,
)
from .domain_names import mutual_tls
from .http_lookups import part_of
from .table import Call, not_emulated, operation

__all__ = ["rendered"]

_PATH = "/v2/domainnames/{domainName}"
_MAPPINGS = f"{_PATH}/apimappings"
_MAPPING = f"{_MAPPINGS}/{{apiMappingId}}"
_KIND = "DomainName"
_STATUSES = "AVAILABLE|UPDATING|PENDING_CERTIFICATE_REIMPORT|PENDING_OWNERSHIP_VERIFICATION"
_MEMBERS = f"""domainNameConfigurations:[{{apiGatewayDomainName certificateArn certificateName
    certificateUploadDate domainNameStatus:{_STATUSES} domainNameStatusMessage endpointType:REGIONAL|EDGE
    hostedZoneId ipAddressType:ipv4|dualstack securityPolicy:TLS_1_0|TLS_1_2 ownershipVerificationCertificateArn}}]
    mutualTlsAuthentication:{{truststoreUri truststoreVersion}}
    routingMode:API_MAPPING_ONLY|ROUTING_RULE_ONLY|ROUTING_RULE_THEN_API_MAPPING"""
_STORED = ("certificateName", "ipAddressType", "ownershipVerificationCertificateArn")
_KEY = re.compile(r"[A-Za-z0-9$_.+!*'()-]+(?:/[A-Za-z0-9$_.+!*'()-]+)*")
_LONGEST_KEY = 300


def rendered(state: State, one: DomainName, *, warn: bool = False) -> dict[str, Any]:
    """The domain's members, with ``truststoreWarnings`` if *warn*."""
    configuration = {
        "apiGatewayDomainName": one.regional_name,
        "certificateArn": one.certificate_arn,
        "domainNameStatus": status_of(one),
        "endpointType": one.endpoint_type,
        "hostedZoneId": HOSTED_ZONE,
        "securityPolicy": one.security_policy,
        "ipAddressType": "ipv4",
        **{name: value for name, value in one.stored.items() if name in _STORED},
    }
    return {
        "apiMappingSelectionExpression": "$request.basepath",
        "domainName": one.name,
        "domainNameArn": arn_of(state, one),
        "domainNameConfigurations": [configuration],
        "mutualTlsAuthentication": mutual_tls(one, warn=warn),
        "routingMode": "API_MAPPING_ONLY",
        "tags": dict(one.tags),
    }


@operation(
    "apigatewayv2", "CreateDomainName", "POST", "/v2/domainnames", 201, body=f"domainName* {_MEMBERS} tags:<string>"
)
def _create(state: State, call: Call) -> dict[str, Any]:
    configured = _configured(call, new_domain(state, call["domainName"]), required=True)
    domain = replace(_mutual(call, configured), tags=call.get("tags", {}))
    if call.has("mutualTlsAuthentication") and domain.truststore_uri is None:
        raise bad_request("Missing required member: mutualTlsAuthentication.truststoreUri")
    check_conditions(domain)
    domain = with_truststore(state, call, domain, None)
    state.domain_names[domain.name] = domain
    state.changed()
    return rendered(state, domain, warn=True)


def _configured(call: Call, domain: DomainName, *, required: bool) -> DomainName:
    """*domain* by the one configuration that there may be."""
    if call.get("routingMode", "API_MAPPING_ONLY") != "API_MAPPING_ONLY":
        raise not_emulated(f"routingMode {call['routingMode']}")
    configurations = call.get("domainNameConfigurations")
    if configurations is None and not required:
        return domain
    if configurations is None or len(configurations) != 1:
        raise bad_request("Invalid input. Expected one domain name configuration")
    given: Mapping[str, Any] = configurations[0]
    for name in ("certificateArn", "ownershipVerificationCertificateArn"):
        if name in given:
            check_arn(given[name])
    return replace(
        domain,
        certificate_arn=given.get("certificateArn", domain.certificate_arn),
        endpoint_type=given.get("endpointType", domain.endpoint_type),
        security_policy=given.get("securityPolicy", domain.security_policy),
        stored={**domain.stored, **{name: given[name] for name in _STORED if name in given}},
    )


def _mutual(call: Call, domain: DomainName) -> DomainName:
    """*domain* with the truststore that the call names; an empty URI switches mutual TLS off."""
    given: Mapping[str, str] = call.get("mutualTlsAuthentication", {})
    uri = given.get("truststoreUri", domain.truststore_uri) or None
    version = given.get("truststoreVersion", domain.truststore_version) or None
    if version and uri is None and given.get("truststoreVersion"):
        raise bad_request("A truststore version needs a truststore URI")
    return replace(domain, truststore_uri=uri, truststore_version=version)


@operation("apigatewayv2", "GetDomainName", "GET", _PATH, 200)
def _get(state: State, call: Call) -> dict[str, Any]:
    return rendered(state, domain_of(state, call["domainName"], _KIND))


@operation("apigatewayv2", "GetDomainNames", "GET", "/v2/domainnames", 200, query="maxResults nextToken")
def _list(state: State, call: Call) -> dict[str, Any]:
    return call.page(state.domain_names, lambda one: rendered(state, one))


@operation("apigatewayv2", "UpdateDomainName", "PATCH", _PATH, 200, body=_MEMBERS)
def _update(state: State, call: Call) -> dict[str, Any]:
    before = domain_of(state, call["domainName"], _KIND)
    domain = _mutual(call, _configured(call, before, required=False))
    check_conditions(domain)
    touched = bool(call.get("mutualTlsAuthentication"))
    if touched:
        domain = with_truststore(state, call, domain, before)
    state.domain_names[domain.name] = domain
    state.changed()
    return rendered(state, domain, warn=touched)


@operation("apigatewayv2", "DeleteDomainName", "DELETE", _PATH, 204)
def _delete(state: State, call: Call) -> None:
    del state.domain_names[domain_of(state, call["domainName"], _KIND).name]
    state.changed()


# --- API mappings


def _mapping(one: DomainMapping) -> dict[str, Any]:
    return {"apiId": one.api_id, "apiMappingId": one.id, "apiMappingKey": one.key, "stage": one.stage}


def _key(text: str) -> str:
    key = text.strip("/")
    if key and (len(key) > _LONGEST_KEY or not _KEY.fullmatch(key)):
        raise bad_request(f"Invalid API mapping key specified: {key[:_LONGEST_KEY]}")
    return key


def _checked(state: State, one: DomainMapping) -> DomainMapping:
    """*one*, if its API and its stage are there; raises BadRequestException."""
    api = state.http_apis.get(one.api_id) or state.rest_apis.get(one.api_id)
    if api is None:
        raise bad_request(f"Invalid API identifier specified {state.account_id}:{one.api_id}")
    if one.stage not in api.stages:
        raise bad_request("Invalid stage identifier specified")
    return one


def _found(state: State, call: Call) -> tuple[DomainName, DomainMapping]:
    domain = domain_of(state, call["domainName"], _KIND)
    return domain, part_of(domain.mappings, call["apiMappingId"], "ApiMapping")


@operation("apigatewayv2", "CreateApiMapping", "POST", _MAPPINGS, 201, body="apiId* apiMappingKey stage*")
def _create_mapping(state: State, call: Call) -> dict[str, Any]:
    domain = domain_of(state, call["domainName"], _KIND)
    key = _key(call.get("apiMappingKey", ""))
    one = DomainMapping(id=mapping_id(domain), key=key, api_id=call["apiId"], stage=call["stage"])
    state.domain_names[domain.name] = with_mapping(domain, _checked(state, one))
    return _mapping(one)


@operation("apigatewayv2", "GetApiMapping", "GET", _MAPPING, 200)
def _get_mapping(state: State, call: Call) -> dict[str, Any]:
    return _mapping(_found(state, call)[1])


@operation("apigatewayv2", "GetApiMappings", "GET", _MAPPINGS, 200, query="maxResults nextToken")
def _list_mappings(state: State, call: Call) -> dict[str, Any]:
    return call.page(domain_of(state, call["domainName"], _KIND).mappings, _mapping)


@operation("apigatewayv2", "UpdateApiMapping", "PATCH", _MAPPING, 200, body="apiId* apiMappingKey stage")
def _update_mapping(state: State, call: Call) -> dict[str, Any]:
    domain, before = _found(state, call)
    key = _key(call["apiMappingKey"]) if call.has("apiMappingKey") else before.key
    one = _checked(state, replace(before, key=key, api_id=call["apiId"], stage=call.get("stage", before.stage)))
    state.domain_names[domain.name] = with_mapping(domain, one)
    return _mapping(one)


@operation("apigatewayv2", "DeleteApiMapping", "DELETE", _MAPPING, 204)
def _delete_mapping(state: State, call: Call) -> None:
    domain, gone = _found(state, call)
    kept = {name: one for name, one in domain.mappings.items() if name != gone.id}
    state.domain_names[domain.name] = replace(domain, mappings=kept)
