"""A custom domain of the mock gateway, as tests use it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from ..errors import UsageError
from ..pki.truststore import Truststore, write_atomically
from ..wait import poll_until

if TYPE_CHECKING:
    from .facade import MockGateway

__all__ = ["Domain", "DomainTrust", "new_domain"]

DomainTrust = Truststore | bytes | Iterable[x509.Certificate]
"""A truststore, as a bundle, as the octets of a PEM file, or as certificates."""
_BUCKET = "truststores"
_MARGIN = 10.0
"""Seconds to wait for AVAILABLE beyond the time that it takes by ``domain_update_ms``."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A custom domain name. A client connects to ``port`` on loopback, by ``host`` in SNI and in its Host header."""

    gateway: MockGateway
    host: str

    @property
    def port(self) -> int:
        """The gateway's TLS port."""
        return self.gateway._gateway.tls_port

    @property
    def url(self) -> str:
        """Where clients reach it, without a slash at the end, as far as ``host`` resolves to loopback."""
        return f"https://{self.host}:{self.port}"

    @property
    def ca(self) -> Path:
        """The CA of its server certificate, as PEM."""
        return self.gateway._gateway.ca_file

    @property
    def status(self) -> str:
        """``domainNameStatus``."""
        return str(self.gateway.perform("GetDomainName", domainName=self.host)["domainNameStatus"])

    def map(self, api_id: str, stage: str, base_path: str = "") -> None:
        """Lead *base_path* (empty: all) to a stage."""
        there = {"basePath": base_path, "restApiId": api_id, "stage": stage}
        self.gateway.perform("CreateBasePathMapping", domainName=self.host, **there)

    def trust(self, truststore: DomainTrust | None) -> list[str]:
        """Put another truststore in the former one's place (None: no mutual TLS any more), and wait until it is in force.

        Returns ``truststoreWarnings``.
        """
        value = "" if truststore is None else _upload(self.gateway, self.host, truststore)
        change = {"op": "replace", "path": "/mutualTlsAuthentication/truststoreUri", "value": value}
        answer = self.gateway.perform("UpdateDomainName", domainName=self.host, patchOperations=[change])
        self._wait()
        return _warnings(answer)

    def delete(self) -> None:
        """DeleteDomainName."""
        self.gateway.perform("DeleteDomainName", domainName=self.host)

    def _wait(self) -> None:
        longest = self.gateway.call(lambda: self.gateway._gateway.state.settings.domain_update_ms) / 1000 + _MARGIN
        if not poll_until(lambda: self.status == "AVAILABLE", longest):
            raise TimeoutError(f"domain ({self.host}): expected AVAILABLE within {longest:.0f} s, saw {self.status}")


def new_domain(
    gateway: MockGateway, name: str, truststore: DomainTrust | None, target: tuple[str, str] | None
) -> Domain:
    """The domain *name*, mapped to *target* (API and stage) and AVAILABLE. Raises ApiError where AWS would refuse it."""
    members: dict[str, Any] = {"endpointConfiguration": {"types": ["REGIONAL"]}, "securityPolicy": "TLS_1_2"}
    if truststore is not None:
        members["mutualTlsAuthentication"] = {"truststoreUri": _upload(gateway, name, truststore)}
    gateway.perform("CreateDomainName", domainName=name, **members)
    domain = Domain(gateway, name)
    if target is not None:
        domain.map(*target)
    domain._wait()
    return domain


def _upload(gateway: MockGateway, name: str, truststore: DomainTrust) -> str:
    """The URI of *truststore* in the folder that stands in for S3, as a new object."""
    root = gateway.s3_root
    if root is None:
        raise UsageError(
            "s3_endpoint: expected a folder that stands in for S3, saw a server. Upload the truststore to it and use perform()."
        )
    if isinstance(truststore, bytes):
        content = truststore
    else:
        content = (truststore if isinstance(truststore, Truststore) else Truststore.of(truststore)).pem
    key = f"{name.replace('*', '_')}-{secrets.token_hex(4)}.pem"
    folder = root / _BUCKET
    folder.mkdir(exist_ok=True)
    write_atomically(folder / key, content)
    return f"s3://{_BUCKET}/{key}"


def _warnings(answer: dict[str, Any]) -> list[str]:
    return list(answer.get("mutualTlsAuthentication", {}).get("truststoreWarnings", []))
