"""Custom domain names and their mappings. Frozen, as all of the control plane's objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .truststores import Trust

__all__ = ["DomainMapping", "DomainName"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainMapping:
    """Which API and stage a path of a domain leads to: v1's base path mapping, v2's API mapping."""

    id: str
    key: str
    """Base path or mapping key, without slashes at its ends; empty for the whole domain."""
    api_id: str
    stage: str | None = None
    """None: the stage is the next part of the path (v1 only)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainName:
    """A custom domain name. ``trust`` is None without mutual TLS.

    After a change ``former`` judges until ``arrives`` (``time.monotonic``); it is None when there was no truststore yet.
    """

    name: str
    regional_name: str
    certificate_arn: str | None = None
    endpoint_type: str = "REGIONAL"
    security_policy: str = "TLS_1_2"
    truststore_uri: str | None = None
    truststore_version: str | None = None
    trust: Trust | None = None
    former: Trust | None = None
    arrives: float = float("-inf")
    mappings: Mapping[str, DomainMapping] = field(default_factory=dict)
    """By id."""
    tags: Mapping[str, str] = field(default_factory=dict)
    stored: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_mutual(self) -> bool:
        """Whether clients have to present a certificate."""
        return self.trust is not None

    def judge(self, moment: float) -> Trust | None:
        """The truststore in force at *moment* (``time.monotonic``); None without, or before the first has arrived."""
        return self.former if self.is_updating(moment) else self.trust

    def is_updating(self, moment: float) -> bool:
        """Whether the last change of the truststore is still on its way."""
        return self.trust is not None and moment < self.arrives

    def mapped(self, key: str) -> DomainMapping | None:
        """The mapping with this key."""
        return next((one for one in self.mappings.values() if one.key == key), None)
