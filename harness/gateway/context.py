"""What ``context.NAME`` stands for in mappings (API Gateway's ``$context``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["MONTHS", "Context", "on_demand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A request as ``context`` tells of it; called with a name it gives the value, None for what is not there."""

    account_id: str
    api_id: str
    stage: str | None
    request_id: str
    extended_request_id: str
    moment: datetime
    http_method: str
    path: str
    """As the caller sent it to the API's own name: with the stage, but ``$default`` stands in no path."""
    protocol: str = "HTTP/1.1"
    resource_id: str
    resource_path: str
    domain_name: str
    source_ip: str
    user_agent: str
    deployment_id: str | None = None
    route_key: str | None = None
    """``GET /pets/{id}``, or ``$default``: an HTTP API's alone."""
    client_cert: Mapping[str, str] = field(default_factory=dict)
    """``subjectDN`` and the others of ``identity.clientCert``; empty without a verified client certificate."""
    authorizer: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, name: str) -> str | None:
        """The value of ``context.``\\ *name*."""
        if name.startswith("authorizer."):
            return self.authorizer.get(name.removeprefix("authorizer."))
        if name.startswith("identity.clientCert."):
            return self.client_cert.get(name.removeprefix("identity.clientCert."))
        read = _NAMES.get(name)
        return None if read is None else read(self)


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_NAMES: Mapping[str, Callable[[Context], str | None]] = {
    "accountId": lambda one: one.account_id,
    "apiId": lambda one: one.api_id,
    "deploymentId": lambda one: one.deployment_id,
    "domainName": lambda one: one.domain_name,
    "domainPrefix": lambda one: one.domain_name.partition(".")[0],
    "extendedRequestId": lambda one: one.extended_request_id,
    "httpMethod": lambda one: one.http_method,
    "identity.sourceIp": lambda one: one.source_ip,
    "identity.userAgent": lambda one: one.user_agent,
    "path": lambda one: one.path,
    "protocol": lambda one: one.protocol,
    "requestId": lambda one: one.request_id,
    "requestTime": lambda one: f"{one.moment:%d}/{MONTHS[one.moment.month - 1]}/{one.moment:%Y:%H:%M:%S} +0000",
    "requestTimeEpoch": lambda one: str(int(one.moment.timestamp() * 1000)),
    "resourceId": lambda one: one.resource_id,
    "resourcePath": lambda one: one.resource_path,
    "routeKey": lambda one: one.route_key,
    "stage": lambda one: one.stage,
}


def on_demand(make: Callable[[], Context]) -> Callable[[str], str | None]:
    """What a Context gives, made when it is first asked: most requests have no mapping that does."""
    made: list[Context] = []

    def value(name: str) -> str | None:
        if not made:
            made.append(make())
        return made[0](name)

    return value
