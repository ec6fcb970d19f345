"""TestInvokeMethod: checked here, carried out by the data plane, since it has to wait for the backend."""

from __future__ import annotations

from ..errors import not_found
from ..model import TestInvoke
from ..state import State
from .lookups import VERBS, integration_of, method_of, resource_of
from .table import Call, operation

__all__ = ["prepare"]


@operation(
    "apigateway",
    "TestInvokeMethod",
    "POST",
    "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}",
    200,
    body="""pathWithQueryString body headers:<string> multiValueHeaders:<[string]> clientCertificateId
        stageVariables:<string>""",
)
def prepare(state: State, call: Call) -> TestInvoke:
    """What is to be carried out, all of it known to exist; raises NotFoundException otherwise."""
    api = state.rest_api(call["restApiId"])
    resource = resource_of(api, call["resourceId"])
    verb = call["httpMethod"]
    found = verb if verb in resource.methods or verb not in VERBS else "ANY"
    method = method_of(resource, found)
    integration_of(method)
    certificate = call.get("clientCertificateId") or None
    if certificate is not None and not state.knows_certificate(certificate):
        raise not_found("Invalid Client Certificate identifier specified")
    return TestInvoke(
        api=api,
        resource=resource,
        method=method,
        http_method=verb,
        path_with_query_string=call.get("pathWithQueryString"),
        body=call.get("body"),
        headers=call.get("headers", {}),
        multi_value_headers=call.get("multiValueHeaders", {}),
        client_certificate=certificate,
        stage_variables=call.get("stageVariables", {}),
    )
