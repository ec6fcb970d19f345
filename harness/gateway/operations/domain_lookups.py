"""What both services say and check of custom domain names: conditions of mutual TLS, certificates, truststores, mappings."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from ..domain_model import DomainMapping, DomainName
from ..errors import bad_request, conflict, not_found
from ..ids import API, SHORT, new_id
from ..state import State
from ..truststores import location, read
from .table import Call

__all__ = [
    "HOSTED_ZONE",
    "arn_of",
    "check_arn",
    "check_conditions",
    "check_free",
    "domain_of",
    "mapping_id",
    "new_domain",
    "status_of",
    "with_mapping",
    "with_truststore",
]

HOSTED_ZONE = "Z1UJRXOUMOOFQ8"
"""Of us-east-1; in other regions AWS has other ones, which mean nothing here."""
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_ARN = re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[\w-]+")


def domain_of(state: State, name: str, kind: str | None = None) -> DomainName:
    """The domain name; raises NotFoundException, with ``resourceType`` *kind* for v2."""
    try:
        return state.domain_names[name.lower()]
    except KeyError:
        raise not_found("Invalid domain name identifier specified", resource_type=kind) from None


def new_domain(state: State, name: str) -> DomainName:
    """A domain name with AWS's defaults, not yet among the state's; refused when it is there or can be none."""
    lower = name.lower()
    if len(lower) > 253 or not _NAME.fullmatch(lower):
        raise bad_request(f"Invalid domain name specified: {name[:300]}")
    if lower in state.domain_names:
        raise conflict("The domain name you provided already exists.")
    return DomainName(name=lower, regional_name=f"d-{new_id(API)}.execute-api.{state.region}.amazonaws.com")


def arn_of(state: State, domain: DomainName) -> str:
    """``domainNameArn``."""
    return f"arn:aws:apigateway:{state.region}::/domainnames/{domain.name}"


def status_of(domain: DomainName) -> str:
    """``domainNameStatus``."""
    return "UPDATING" if domain.is_updating(time.monotonic()) else "AVAILABLE"


def check_arn(arn: str) -> str:
    """*arn*, if it has the shape of an ACM certificate's; raises BadRequestException."""
    if not _ARN.fullmatch(arn):
        raise bad_request(f"Invalid certificate ARN: {arn[:200]}")
    return arn


def check_conditions(domain: DomainName) -> None:
    """Raises BadRequestException where mutual TLS cannot be: but for REGIONAL domains with the policy TLS_1_2."""
    if domain.truststore_uri is None:
        return
    if domain.endpoint_type != "REGIONAL":
        raise bad_request(f"Mutual TLS needs a REGIONAL domain name, not {domain.endpoint_type}")
    if domain.security_policy != "TLS_1_2":
        raise bad_request(f"Mutual TLS needs the security policy TLS_1_2, not {domain.security_policy}")


def with_truststore(state: State, call: Call, domain: DomainName, before: DomainName | None) -> DomainName:
    """*domain* with what its truststore's URI says, on its way from the truststore of *before*; without one, at once.

    Raises Needed when the object has yet to be read, BadRequestException when it is refused.
    """
    if domain.truststore_uri is None:
        return replace(domain, trust=None, former=None, truststore_version=None)
    settings = state.settings
    content = call.content(location(domain.truststore_uri, domain.truststore_version), settings.max_truststore_bytes)
    now = time.monotonic()
    return replace(
        domain,
        trust=read(content, settings, state.now()),
        former=None if before is None else before.judge(now),
        arrives=now + settings.domain_update_ms / 1000,
    )


def with_mapping(domain: DomainName, one: DomainMapping) -> DomainName:
    """*domain* with this mapping added or replaced; raises ConflictException when another one has its key."""
    check_free(domain, one.key, one.id)
    return replace(domain, mappings={**domain.mappings, one.id: one})


def check_free(domain: DomainName, key: str, own: str | None = None) -> None:
    """Raises ConflictException when a mapping other than *own* has this *key*."""
    taken = domain.mapped(key)
    if taken is not None and taken.id != own:
        raise conflict("Base path already exists for this domain name")


def mapping_id(domain: DomainName) -> str:
    """A fresh id for a mapping."""
    return new_id(SHORT, domain.mappings)
