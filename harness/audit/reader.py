"""Reads the control plane: lists, pages, and what stages and domains point to. Read-only calls, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from .model import Account, Api, Certificate, Domain, Kind, Missing, Stage, Unread
from .sdk import Clients, NotAnswered, ask, nobody_answers

__all__ = ["read"]

Tell = Callable[[str], None]
"""Is told what is being read, such as ``API 12 of 340``."""

_T = TypeVar("_T")
_HTTP = ("HTTP", "HTTP_PROXY")


def read(clients: Clients, account: Account, tell: Tell) -> None:
    """Fill *account*. What cannot be read stands there as ``Unread``, what cannot be listed as a problem.

    When nobody answers at all, that is the only problem. Raises UsageError without credentials.
    """
    _Reader(clients, account, tell).read()


class _Reader:
    def __init__(self, clients: Clients, account: Account, tell: Tell) -> None:
        self._clients, self._account, self._tell = clients, account, tell
        self._arn = account.names.arn

    def read(self) -> None:
        """APIs first, as the first list tells whether anybody answers; then their certificates, then the domains."""
        self._tell("lists of APIs")
        try:
            rest = list(self._v1_pages("get_rest_apis"))
        except NotAnswered as error:
            if nobody_answers(error):
                hint = "Look at --endpoint-url, --region and the network"
                self._account.problems.append(f"expected a control plane that answers, saw: {error}. {hint}.")
                return
            rest = self._refused(error)
        others = self._list(lambda: list(self._v2_pages("get_apis")), kind="apis")
        total = len(rest) + len(others)
        for number, item in enumerate([*rest, *others], start=1):
            self._tell(f"API {number} of {total}")
            self._account.apis.append(self._rest_api(item) if number <= len(rest) else self._other_api(item))
        self._certificates()
        self._domains()

    # --- APIs

    def _rest_api(self, item: dict[str, Any]) -> Api:
        identifier, place = item["id"], f"restapis/{item['id']}"
        stages = _try(
            lambda: self._stages(place, ask(self._clients.v1, "get_stages", restApiId=identifier).get("item", []))
        )
        return Api(
            arn=self._arn(place),
            id=identifier,
            kind=Kind.REST,
            name=item.get("name", ""),
            default_endpoint=not item.get("disableExecuteApiEndpoint", False),
            stages=stages,
            backends=_try(lambda: self._rest_backends(identifier)) if _some_present_none(stages) else None,
        )

    def _other_api(self, item: dict[str, Any]) -> Api:
        identifier, place = item["ApiId"], f"apis/{item['ApiId']}"
        kind = Kind.HTTP if item.get("ProtocolType") == "HTTP" else Kind.WEBSOCKET
        stages: tuple[Stage, ...] | Unread = ()
        if kind is Kind.WEBSOCKET:
            stages = _try(lambda: self._stages(place, self._v2_pages("get_stages", ApiId=identifier)))
        return Api(
            arn=self._arn(place),
            id=identifier,
            kind=kind,
            name=item.get("Name", ""),
            default_endpoint=not item.get("DisableExecuteApiEndpoint", False),
            stages=stages,
            backends=_try(lambda: self._other_backends(identifier))
            if kind is Kind.HTTP or _some_present_none(stages)
            else None,
        )

    def _stages(self, place: str, items: Any) -> tuple[Stage, ...]:
        found = []
        for item in items:
            name = item.get("stageName") or item.get("StageName")
            certificate = item.get("clientCertificateId") or item.get("ClientCertificateId") or None
            found.append(Stage(arn=self._arn(f"{place}/stages/{name}"), name=name, certificate=certificate))
        return tuple(found)

    def _rest_backends(self, api: str) -> tuple[str, ...]:
        found = []
        for resource in self._v1_pages("get_resources", restApiId=api, embed=["methods"]):
            for method in resource.get("resourceMethods", {}).values():
                integration = method.get("methodIntegration", {})
                if integration.get("type") in _HTTP:
                    found.append(integration.get("uri", ""))
        return tuple(found)

    def _other_backends(self, api: str) -> tuple[str, ...]:
        items = self._v2_pages("get_integrations", ApiId=api)
        return tuple(one.get("IntegrationUri", "") for one in items if one.get("IntegrationType") in _HTTP)

    # --- certificates

    def _certificates(self) -> None:
        wanted = dict.fromkeys(
            stage.certificate
            for api in self._account.apis
            if not isinstance(api.stages, Unread)
            for stage in api.stages
            if stage.certificate
        )
        for number, identifier in enumerate(wanted, start=1):
            self._tell(f"certificate {number} of {len(wanted)}")
            reads = self._in_acm if identifier.startswith("arn:") else self._generated
            try:
                self._account.certificates[identifier] = reads(identifier)
            except NotAnswered as error:
                self._account.certificates[identifier] = error.what

    def _generated(self, identifier: str) -> Certificate:
        item = ask(self._clients.v1, "get_client_certificate", clientCertificateId=identifier)
        return Certificate(id=identifier, not_before=item.get("createdDate"), not_after=item.get("expirationDate"))

    def _in_acm(self, arn: str) -> Certificate:
        item = ask(self._clients.acm, "describe_certificate", CertificateArn=arn).get("Certificate", {})
        return Certificate(
            id=arn,
            not_before=item.get("NotBefore"),
            not_after=item.get("NotAfter"),
            status=item.get("Status"),
            renews=item.get("RenewalEligibility") == "ELIGIBLE",
        )

    # --- domains

    def _domains(self) -> None:
        self._tell("list of domains")
        items = self._list(lambda: list(self._v1_pages("get_domain_names")), kind="domainnames")
        if "domainnames" not in self._account.not_emulated:
            known = {one["domainName"] for one in items}
            others = self._list(lambda: list(self._v2_pages("get_domain_names")))
            items += [_as_v1(one) for one in others if one["DomainName"] not in known]
        for number, item in enumerate(items, start=1):
            self._tell(f"domain {number} of {len(items)}")
            self._account.domains.append(self._domain(item))

    def _domain(self, item: dict[str, Any]) -> Domain:
        name, mutual = item["domainName"], item.get("mutualTlsAuthentication") or {}
        version = mutual.get("truststoreVersion")
        enabled = bool(mutual.get("truststoreUri"))
        by_rules = str(item.get("routingMode", "")).startswith("ROUTING_RULE")
        return Domain(
            arn=item.get("domainNameArn") or self._arn(f"domainnames/{name}"),
            name=name,
            mutual_tls=enabled,
            truststore=mutual.get("truststoreUri", "") + (f" (version {version})" if version else ""),
            warnings=tuple(mutual.get("truststoreWarnings") or ()),
            policy=item.get("securityPolicy"),
            status=item.get("domainNameStatus"),
            message=item.get("domainNameStatusMessage", ""),
            apis=_try(lambda: self._apis_behind(name, by_rules=by_rules)) if enabled else (),
        )

    def _apis_behind(self, domain: str, *, by_rules: bool) -> tuple[str, ...]:
        # the second version's mappings name REST APIs too, the first version's no others
        found = [one.get("ApiId") for one in self._v2_pages("get_api_mappings", DomainName=domain)]
        if by_rules:
            for rule in self._v2_pages("list_routing_rules", "RoutingRules", DomainName=domain):
                found += [one.get("InvokeApi", {}).get("ApiId") for one in rule.get("Actions", ())]
        return tuple(dict.fromkeys(one for one in found if one))

    # --- lists

    def _list(self, pages: Callable[[], list[dict[str, Any]]], *, kind: str | None = None) -> list[dict[str, Any]]:
        """A whole list; empty, with a problem, when it cannot be read. *kind* may be unknown to an emulator."""
        try:
            return pages()
        except NotAnswered as error:
            return self._refused(error, kind)

    def _refused(self, error: NotAnswered, kind: str | None = None) -> list[dict[str, Any]]:
        if kind is not None and isinstance(error.what, Unread) and error.what.unsupported:
            self._account.not_emulated[kind] = error.what.why
        else:
            self._account.problems.append(f"{error}. What it would have listed is not judged.")
        return []

    def _v1_pages(self, method: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        return _pages(self._clients.v1, method, "items", ("position", "position"), {**arguments, "limit": 500})

    def _v2_pages(self, method: str, key: str = "Items", **arguments: Any) -> Iterator[dict[str, Any]]:
        return _pages(self._clients.v2, method, key, ("NextToken", "NextToken"), arguments)


def _pages(
    client: Any, method: str, key: str, tokens: tuple[str, str], arguments: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """All items of a list. botocore has no paginator for some of these operations."""
    given, back = tokens
    seen: set[str] = set()
    while True:
        answer = ask(client, method, **arguments)
        yield from answer.get(key, [])
        token = answer.get(back)
        if not token:
            return
        if token in seen:
            raise NotAnswered(Unread(f"{method}: the pages of the list go round in a circle"))
        seen.add(token)
        arguments = {**arguments, given: token}


def _as_v1(item: dict[str, Any]) -> dict[str, Any]:
    """A domain of the second version's list with the first version's members."""
    configuration = (item.get("DomainNameConfigurations") or [{}])[0]
    mutual = item.get("MutualTlsAuthentication") or {}
    return {
        "domainName": item["DomainName"],
        "domainNameArn": item.get("DomainNameArn"),
        "mutualTlsAuthentication": {name[:1].lower() + name[1:]: value for name, value in mutual.items()},
        "securityPolicy": configuration.get("SecurityPolicy"),
        "domainNameStatus": configuration.get("DomainNameStatus"),
        "domainNameStatusMessage": configuration.get("DomainNameStatusMessage", ""),
        "routingMode": item.get("RoutingMode", ""),
    }


def _try(reads: Callable[[], _T]) -> _T | Unread:
    try:
        return reads()
    except NotAnswered as error:
        what = error.what
        return Unread(what.why) if isinstance(what, Missing) else what


def _some_present_none(stages: tuple[Stage, ...] | Unread) -> bool:
    """Whether a stage is without certificate, so that it matters whether the API has HTTP integrations."""
    return not isinstance(stages, Unread) and any(stage.certificate is None for stage in stages)
