"""Events of Lambda authorizers, key by key as AWS's samples have them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_mtls.harness.gateway.authorizer_event import Asked, flattened, http_event, request_event, token_event
from pytest_mtls.harness.gateway.context import Context
from pytest_mtls.harness.gateway.mapping import Call
from pytest_mtls.harness.gateway.routing import Endpoint

CLIENT_CERT = {
    "clientCertPem": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
    "subjectDN": "C=US,ST=Washington,L=Seattle,O=Example,CN=My Client",
    "issuerDN": "CN=Example issuer",
    "serialNumber": "a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1",
    "validity": {"notBefore": "May 28 12:30:02 2019 GMT", "notAfter": "Aug  5 09:36:04 2021 GMT"},
}
HEADERS = (
    ("Host", "api.example.com:443"),
    ("X-Twice", "one"),
    ("x-twice", "two"),
    ("Cookie", "a=1; b=2"),
    ("User-Agent", "agent"),
    ("x-api-key", "key"),
    ("X-Octets", "caf\udce9"),
)


def asked(client_cert: Mapping[str, Any] | None = CLIENT_CERT, *, stage: str = "test", verb: str = "ANY") -> Asked:
    """GET /test/pets/a%20b?q=1&q=2+3&e."""
    context = Context(
        account_id="123456789012",
        api_id="abcdef1234",
        stage=stage,
        request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        extended_request_id="x",
        moment=datetime(2020, 3, 12, 19, 3, 58, 390_000, UTC),
        http_method="GET",
        path="/pets/a%20b" if stage == "$default" else f"/{stage}/pets/a%20b",
        resource_id="05c7jb",
        resource_path="/pets/{id}" if verb else "$default",
        domain_name="api.example.com",
        source_ip="192.0.2.1",
        user_agent="agent",
    )
    call = Call("GET", "/pets/a%20b", "q=1&q=2+3&e", HEADERS, {"id": "a%20b"}, {"colour": "blue"}, context)
    endpoint = Endpoint("05c7jb", context.resource_path, verb, "CUSTOM", "auth01", None)
    return Asked(region="us-east-1", endpoint=endpoint, call=call, context=context, client_cert=client_cert)


ARN = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/test/GET/pets/a%20b"
REQUEST_EVENT = {
    "type": "REQUEST",
    "methodArn": ARN,
    "resource": "/pets/{id}",
    "path": "/pets/a%20b",
    "httpMethod": "GET",
    "headers": {
        "Host": "api.example.com:443",
        "X-Twice": "two",
        "Cookie": "a=1; b=2",
        "User-Agent": "agent",
        "x-api-key": "key",
        "X-Octets": "caf�",
    },
    "multiValueHeaders": {
        "Host": ["api.example.com:443"],
        "X-Twice": ["one", "two"],
        "Cookie": ["a=1; b=2"],
        "User-Agent": ["agent"],
        "x-api-key": ["key"],
        "X-Octets": ["caf�"],
    },
    "queryStringParameters": {"q": "2 3", "e": ""},
    "multiValueQueryStringParameters": {"q": ["1", "2 3"], "e": [""]},
    "pathParameters": {"id": "a%20b"},
    "stageVariables": {"colour": "blue"},
    "requestContext": {
        "path": "/test/pets/a%20b",
        "accountId": "123456789012",
        "resourceId": "05c7jb",
        "stage": "test",
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "identity": {"apiKey": "key", "sourceIp": "192.0.2.1", "userAgent": "agent", "clientCert": CLIENT_CERT},
        "resourcePath": "/pets/{id}",
        "httpMethod": "GET",
        "apiId": "abcdef1234",
    },
}


def test_request_event_of_a_rest_api() -> None:
    assert request_event(asked()) == REQUEST_EVENT


def test_payload_1_of_an_http_api_has_three_keys_more() -> None:
    more = {"version": "1.0", "identitySource": "user1,123", "authorizationToken": "user1,123"}

    assert request_event(asked(), ["user1", "123"]) == {**REQUEST_EVENT, **more}


def test_token_event_has_no_certificate() -> None:
    assert token_event(asked(), "Bearer x") == {
        "type": "TOKEN",
        "authorizationToken": "Bearer x",
        "methodArn": ARN,
    }


HTTP_EVENT = {
    "version": "2.0",
    "type": "REQUEST",
    "routeArn": ARN,
    "identitySource": ["user1", "123"],
    "routeKey": "ANY /pets/{id}",
    "rawPath": "/test/pets/a%20b",
    "rawQueryString": "q=1&q=2+3&e",
    "cookies": ["a=1", "b=2"],
    "headers": {
        "host": "api.example.com:443",
        "x-twice": "one,two",
        "user-agent": "agent",
        "x-api-key": "key",
        "x-octets": "caf�",
    },
    "queryStringParameters": {"q": "1,2 3", "e": ""},
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "abcdef1234",
        "authentication": {"clientCert": CLIENT_CERT},
        "domainName": "api.example.com",
        "domainPrefix": "api",
        "http": {
            "method": "GET",
            "path": "/test/pets/a%20b",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "agent",
        },
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "routeKey": "ANY /pets/{id}",
        "stage": "test",
        "time": "12/Mar/2020:19:03:58 +0000",
        "timeEpoch": 1584039838390,
    },
    "pathParameters": {"id": "a b"},
    "stageVariables": {"colour": "blue"},
}


def test_payload_2_of_an_http_api() -> None:
    assert http_event(asked(), ["user1", "123"]) == HTTP_EVENT


def test_payload_2_of_the_default_route_and_stage() -> None:
    event = http_event(asked(stage="$default", verb=""), [])

    assert event["routeArn"] == ARN.replace("/test/", "/$default/")
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == ("/pets/a%20b", "/pets/a%20b")
    assert (event["routeKey"], event["requestContext"]["routeKey"]) == ("$default", "$default")
    assert event["identitySource"] == []


def test_without_a_verified_certificate_there_is_no_clientcert() -> None:
    assert "clientCert" not in request_event(asked(None))["requestContext"]["identity"]
    assert http_event(asked(None), [])["requestContext"]["authentication"] == {}


@pytest.mark.parametrize(
    "event", [request_event(asked()), http_event(asked(), ["\udcff"]), token_event(asked(), "\udcff")]
)
def test_events_are_utf_8(event: dict[str, Any]) -> None:
    assert json.loads(json.dumps(event, ensure_ascii=False).encode()) == event


def test_mappings_have_flat_names() -> None:
    flat = flattened(CLIENT_CERT)

    assert set(flat) == {
        *("clientCertPem", "subjectDN", "issuerDN", "serialNumber", "validity.notBefore", "validity.notAfter")
    }
    assert flat["validity.notAfter"] == "Aug  5 09:36:04 2021 GMT"
