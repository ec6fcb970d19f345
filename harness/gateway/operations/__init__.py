"""The operations of the control plane, one module a resource. Importing this package fills the table."""

from __future__ import annotations

from . import (
    acm,
    authorizers,
    base_path_mappings,
    client_certificates,
    deployments,
    domain_names,
    http_apis,
    http_authorizers,
    http_deployments,
    http_domain_names,
    http_integrations,
    http_routes,
    http_stages,
    integrations,
    methods,
    resources,
    rest_apis,
    stages,
    tags,
    test_invoke_method,
)
from .table import OPERATIONS, Call, Operation

__all__ = [
    "OPERATIONS",
    "Call",
    "Operation",
    "acm",
    "authorizers",
    "base_path_mappings",
    "client_certificates",
    "deployments",
    "domain_names",
    "http_apis",
    "http_authorizers",
    "http_deployments",
    "http_domain_names",
    "http_integrations",
    "http_routes",
    "http_stages",
    "integrations",
    "methods",
    "resources",
    "rest_apis",
    "stages",
    "tags",
    "test_invoke_method",
]
