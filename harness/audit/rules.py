"""The rules of an audit: from what was read to one judgement for each check and resource. No network, no clock of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..outcome import Result
from ..pki.truststore import Truststore
from .checks import (
    ACM_EXPIRING,
    ATTACHED,
    CHECKS,
    DEFAULT_ENDPOINT,
    DOMAIN_STATUS,
    HTTP_API,
    OVERLAP,
    ROTATION,
    SECURITY_POLICY,
    TRUSTSTORE,
    VALID,
    Check,
)
from .members import problems_of
from .model import Account, Api, Certificate, Domain, Kind, Missing, Stage, Unread

__all__ = ["Judgement", "Terms", "judge"]

_DAY = timedelta(days=1)
_SHOWN = 5
"""How many warnings of one truststore are told in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """By what is judged: the present moment, how early rotation is due, and truststores that the user gave, by domain."""

    now: datetime
    rotation_days: int = 30
    strict: bool = False
    truststores: Mapping[str, Truststore] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one check on one resource (its ARN)."""

    check: Check
    resource: str
    outcome: Result
    reason: str


def judge(account: Account, terms: Terms) -> list[Judgement]:
    """Every check on every resource that it applies to, in the order of the checks."""
    found = [*_stages(account, terms), *_certificates(account, terms), *_apis(account, terms)]
    found += [*_default_endpoints(account, terms), *_domains(account, terms), *_not_emulated(account)]
    order = {check.id: number for number, check in enumerate(CHECKS)}
    return sorted(found, key=lambda one: (order[one.check.id], one.resource))


def _bad(check: Check, resource: str, reason: str, terms: Terms) -> Judgement:
    """It does not hold: a failure of a MUST, a warning of a SHOULD unless *terms* are strict."""
    fails = check.level == "MUST" or terms.strict
    return Judgement(check, resource, Result.FAILED if fails else Result.WARNED, reason)


def _unread(check: Check, resource: str, unread: Unread) -> Judgement:
    return Judgement(check, resource, Result.INCONCLUSIVE, unread.why)


# --- stages


def _stages(account: Account, terms: Terms) -> Iterator[Judgement]:
    for api in account.apis:
        if api.kind is Kind.HTTP:
            continue
        if isinstance(api.stages, Unread):
            yield _unread(ATTACHED, api.arn, api.stages)
            continue
        if not api.stages:
            yield Judgement(ATTACHED, api.arn, Result.SKIPPED, "not applicable: it has no stage")
        for stage in api.stages:
            yield _attached(api, stage, terms)
            if stage.certificate is not None:
                certificate = account.certificates.get(stage.certificate, Unread("it was not read"))
                yield _valid(stage, certificate, terms)
                yield _rotation(stage, certificate, terms)


def _attached(api: Api, stage: Stage, terms: Terms) -> Judgement:
    if stage.certificate is not None:
        return Judgement(ATTACHED, stage.arn, Result.PASSED, f"presents {stage.certificate}")
    if isinstance(api.backends, Unread):
        return _unread(ATTACHED, stage.arn, api.backends)
    if not api.backends:
        return Judgement(ATTACHED, stage.arn, Result.SKIPPED, "not applicable: no integration is HTTP or HTTP_PROXY")
    count = len(api.backends)
    return _bad(
        ATTACHED,
        stage.arn,
        f"presents no client certificate to the backend{'s' * (count > 1)} of {count} HTTP integration{'s' * (count > 1)}",
        terms,
    )


def _valid(stage: Stage, certificate: Certificate | Missing | Unread, terms: Terms) -> Judgement:
    if isinstance(certificate, Unread):
        return _unread(VALID, stage.arn, certificate)
    if isinstance(certificate, Missing):
        return _bad(VALID, stage.arn, f"{stage.certificate} does not exist: {certificate.why}", terms)
    if certificate.not_after is None:
        reason = f"{certificate.id}: the answer does not say when it expires"
        if certificate.status not in (None, "ISSUED"):
            return _bad(VALID, stage.arn, f"{certificate.id} is {certificate.status} in ACM", terms)
        return Judgement(VALID, stage.arn, Result.INCONCLUSIVE, reason)
    if terms.now > certificate.not_after:
        return _bad(VALID, stage.arn, f"{certificate.id} expired on {_moment(certificate.not_after)}", terms)
    if certificate.not_before is not None and terms.now < certificate.not_before:
        return _bad(VALID, stage.arn, f"{certificate.id} is not valid before {_moment(certificate.not_before)}", terms)
    if certificate.status not in (None, "ISSUED"):
        return _bad(VALID, stage.arn, f"{certificate.id} is {certificate.status} in ACM, expected ISSUED", terms)
    return Judgement(
        VALID, stage.arn, Result.PASSED, f"{certificate.id} is valid until {_moment(certificate.not_after)}"
    )


def _rotation(stage: Stage, certificate: Certificate | Missing | Unread, terms: Terms) -> Judgement:
    if isinstance(certificate, Unread):
        return _unread(ROTATION, stage.arn, certificate)
    if _is_acm(stage.certificate or ""):
        return Judgement(
            ROTATION, stage.arn, Result.SKIPPED, f"not applicable: it is renewed in ACM, see {ACM_EXPIRING.id}"
        )
    if isinstance(certificate, Missing):
        return Judgement(ROTATION, stage.arn, Result.SKIPPED, f"{stage.certificate} does not exist, see {VALID.id}")
    return _in_time(ROTATION, stage.arn, certificate, terms)


def _in_time(check: Check, resource: str, certificate: Certificate, terms: Terms) -> Judgement:
    """Whether more days are left than the limit; rounded as CloudSploit does, so that both say the same."""
    if certificate.not_after is None:
        reason = f"{certificate.id}: the answer does not say when it expires"
        return Judgement(check, resource, Result.INCONCLUSIVE, reason)
    days = math.floor((certificate.not_after - terms.now) / _DAY + 0.5)
    limit = f"limit {terms.rotation_days} days"
    if days > terms.rotation_days:
        return Judgement(check, resource, Result.PASSED, f"{certificate.id} expires in {days} days, {limit}")
    when = f"expires in {days} days" if days >= 0 else f"expired {-days} days ago"
    renews = "; ACM renews it by itself, and has not yet" if certificate.renews and days >= 0 else ""
    return _bad(check, resource, f"{certificate.id} {when}, {limit}{renews}", terms)


# --- certificates and APIs


def _certificates(account: Account, terms: Terms) -> Iterator[Judgement]:
    for name, certificate in account.certificates.items():
        if not _is_acm(name):
            continue
        if isinstance(certificate, Unread):
            yield _unread(ACM_EXPIRING, name, certificate)
        elif isinstance(certificate, Certificate):
            yield _in_time(ACM_EXPIRING, name, certificate, terms)


def _apis(account: Account, terms: Terms) -> Iterator[Judgement]:
    for api in account.apis:
        if api.kind is Kind.HTTP:
            yield _http_api(api, terms)
        elif not isinstance(api.stages, Unread):
            yield from _overlap(api, api.stages, terms)


def _overlap(api: Api, stages: tuple[Stage, ...], terms: Terms) -> Iterator[Judgement]:
    # those of ACM are left out: their backends trust the issuer, and the stages follow a renewal by themselves
    shown = [(one.name, one.certificate) for one in stages if one.certificate and not _is_acm(one.certificate)]
    different = {certificate for _, certificate in shown}
    if len(shown) < 2:
        return
    names = ", ".join(name for name, _ in shown)
    if len(different) > 1:
        reason = f"{len(different)} certificates on {len(shown)} stages ({names})"
        yield Judgement(OVERLAP, api.arn, Result.PASSED, reason)
    else:
        reason = f"all its stages ({names}) present {shown[0][1]}: a new one cannot be tried on one of them first"
        yield _bad(OVERLAP, api.arn, reason, terms)


def _http_api(api: Api, terms: Terms) -> Judgement:
    if isinstance(api.backends, Unread):
        return _unread(HTTP_API, api.arn, api.backends)
    if not api.backends:
        return Judgement(HTTP_API, api.arn, Result.SKIPPED, "not applicable: no integration is HTTP_PROXY")
    count = len(api.backends)
    reason = (
        f"the backend{'s' * (count > 1)} of {count} HTTP integration{'s' * (count > 1)} cannot tell it by certificate"
    )
    return _bad(HTTP_API, api.arn, reason, terms)


# --- domains


def _default_endpoints(account: Account, terms: Terms) -> Iterator[Judgement]:
    leading: dict[str, list[str]] = {}
    for domain in account.domains:
        if domain.mutual_tls and isinstance(domain.apis, Unread):
            yield _unread(DEFAULT_ENDPOINT, domain.arn, domain.apis)
        elif domain.mutual_tls and not isinstance(domain.apis, Unread):
            for one in domain.apis:
                leading.setdefault(one, []).append(domain.name)
    known = {api.id: api for api in account.apis}
    for identifier, domains in leading.items():
        names, api = ", ".join(domains), known.get(identifier)
        if api is None:
            reason = f"{names} leads to it, and it was not listed: whether its default endpoint is open is not known"
            yield Judgement(DEFAULT_ENDPOINT, account.names.arn(f"restapis/{identifier}"), Result.INCONCLUSIVE, reason)
        elif api.default_endpoint:
            reason = f"{names} asks for a client certificate, the default endpoint lets everybody in without one"
            yield _bad(DEFAULT_ENDPOINT, api.arn, reason, terms)
        else:
            yield Judgement(DEFAULT_ENDPOINT, api.arn, Result.PASSED, f"disabled; reached by {names} alone")


def _domains(account: Account, terms: Terms) -> Iterator[Judgement]:
    for domain in account.domains:
        if domain.mutual_tls:
            yield _policy(domain, terms)
            yield _status(domain, terms)
            yield _truststore(domain, terms)
        elif (domain.policy or "").startswith("SecurityPolicy_"):
            reason = f"no mutual TLS, and none possible as long as the policy is {domain.policy}"
            yield Judgement(SECURITY_POLICY, domain.arn, Result.SKIPPED, reason)


def _policy(domain: Domain, terms: Terms) -> Judgement:
    if domain.policy is None:
        return Judgement(SECURITY_POLICY, domain.arn, Result.INCONCLUSIVE, "the answer names no security policy")
    if domain.policy == "TLS_1_2":
        return Judgement(SECURITY_POLICY, domain.arn, Result.PASSED, "TLS_1_2")
    return _bad(SECURITY_POLICY, domain.arn, f"{domain.policy} together with mutual TLS, expected TLS_1_2", terms)


def _status(domain: Domain, terms: Terms) -> Judgement:
    said = f"{domain.status}{': ' if domain.message else ''}{domain.message}"
    if domain.status is None:
        return Judgement(DOMAIN_STATUS, domain.arn, Result.INCONCLUSIVE, "the answer names no status")
    if domain.status == "AVAILABLE" and not domain.message:
        return Judgement(DOMAIN_STATUS, domain.arn, Result.PASSED, said)
    if domain.status == "UPDATING":
        return Judgement(DOMAIN_STATUS, domain.arn, Result.INCONCLUSIVE, f"{said}; ask again when that is over")
    return _bad(DOMAIN_STATUS, domain.arn, said, terms)


def _truststore(domain: Domain, terms: Terms) -> Judgement:
    given = terms.truststores.get(domain.name)
    found = [*domain.warnings, *(() if given is None else problems_of(given, terms.now))]
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return _bad(TRUSTSTORE, domain.arn, f"{domain.truststore}: {'; '.join(found[:_SHOWN])}{more}", terms)
    if given is None:
        # silence proves nothing: warnings come with the answer to a change, and none when a member expires afterwards
        reason = (
            f"not assessed: API Gateway says nothing of {domain.truststore} now. Give --truststore {domain.name}=FILE"
        )
        return Judgement(TRUSTSTORE, domain.arn, Result.SKIPPED, reason)
    reason = f"{len(given)} certificate{'s' * (len(given) != 1)}, all valid and strong enough in the file given"
    return Judgement(TRUSTSTORE, domain.arn, Result.PASSED, reason)


def _not_emulated(account: Account) -> Iterator[Judgement]:
    concerned = {"domainnames": (DEFAULT_ENDPOINT, SECURITY_POLICY, DOMAIN_STATUS, TRUSTSTORE), "apis": (HTTP_API,)}
    for kind, why in account.not_emulated.items():
        for check in concerned[kind]:
            yield Judgement(check, account.names.arn(kind), Result.INCONCLUSIVE, f"not assessed: {why}")


# --- words


def _is_acm(certificate: str) -> bool:
    return certificate.startswith("arn:")


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
