"""The operations of the control plane, one module a resource. Importing this package fills the table."""

from __future__ import annotations

from . import (
    acm,
    authorizers,
    client_certificates,
    deployments,
    http_apis,
    http_authorizers,
    http_deployments,
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
    "client_certificates",
    "deployments",
    "http_apis",
    "http_authorizers",
    "http_deployments",
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
