"""What functions and backends are told of a client's certificate: whole events, key by key, behind real handshakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pytest_mtls import Credential, MockGateway
from pytest_mtls.harness.gateway.domain_facade import Domain
from pytest_mtls.harness.pki.issue import CA_EXTENSIONS, issue, self_signed
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.tls.observation import TlsVersion

from .front_door_support import VERSIONS, visit
from .guarded import Guard, guarded_http, guarded_rest, policy, simple
from .running import Backend, Running

NAME = "api.example.com"
ACCOUNT, REGION = "123456789012", "us-east-1"
BEGIN, END = datetime(2019, 5, 28, 12, 30, 2, tzinfo=UTC), datetime(2120, 8, 5, 0, 28, 21, tzinfo=UTC)
SERIAL = "a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1"
PLACE = "C=US,ST=Washington,L=Seattle,O=Amazon Web Services,OU=Security"
LINES = ("Authorization: user1", "User-Agent: agent", "Cookie: a=1; b=2", "X-Twice: one", "x-twice: two")
PATH = "/v1/pets/a%20b?q=1&q=2+3"

pytestmark = pytest.mark.timeout(60)


def named(common_name: str) -> x509.Name:
    """As AWS's sample has it."""
    pairs = zip(
        (NameOID.COUNTRY_NAME, NameOID.STATE_OR_PROVINCE_NAME, NameOID.LOCALITY_NAME, NameOID.ORGANIZATION_NAME),
        ("US", "Washington", "Seattle", "Amazon Web Services"),
        strict=True,
    )
    more = ((NameOID.ORGANIZATIONAL_UNIT_NAME, "Security"), (NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in (*pairs, *more)])


@pytest.fixture(scope="module")
def issued() -> tuple[Credential, x509.Certificate]:
    """A client with the serial of AWS's documentation and the names and end of its blog, and its authority."""
    keys = new_ec_key(), new_ec_key()
    ca, client = named("My Private CA"), named("My Client")
    root = self_signed(ca, keys[0], BEGIN, END, extensions=CA_EXTENSIONS)
    serial = int(SERIAL.replace(":", ""), 16)
    leaf = issue(client, keys[1], BEGIN, END, issuer=ca, issuer_key=keys[0], serial=serial)
    return Credential(leaf, keys[1]), root


@pytest.fixture(scope="module")
def client(issued: tuple[Credential, x509.Certificate]) -> Credential:
    """The client."""
    return issued[0]


@pytest.fixture(scope="module")
def client_cert(client: Credential) -> dict[str, Any]:
    """``clientCert`` of AWS's samples, with the PEM of ours."""
    return {
        "clientCertPem": client.leaf.public_bytes(Encoding.PEM).decode(),
        "subjectDN": f"{PLACE},CN=My Client",
        "issuerDN": f"{PLACE},CN=My Private CA",
        "serialNumber": SERIAL,
        "validity": {"notBefore": "May 28 12:30:02 2019 GMT", "notAfter": "Aug  5 00:28:21 2120 GMT"},
    }


@pytest.fixture
def domain(mtls_gateway: MockGateway, issued: tuple[Credential, x509.Certificate]) -> Domain:
    """A domain that trusts the authority; nothing is mapped yet."""
    mtls_gateway.set(domain_update_ms=0)
    return mtls_gateway.domain(NAME, truststore=[issued[1]])


def running(gateway: MockGateway) -> Running:
    """The same gateway, as the helpers for authorizers have it."""
    return Running(gateway._gateway, gateway._background._loop)


def lead(domain: Domain, guard: Guard, stage: str = "prod", key: str = "v1") -> None:
    """Map the guarded API to the domain."""
    there = {"domainName": domain.host, "apiId": guard.api, "stage": stage, "apiMappingKey": key}
    domain.gateway.perform("CreateApiMapping", "apigatewayv2", **there)


def asked(domain: Domain, guard: Guard, client: Credential, version: TlsVersion) -> tuple[dict[str, Any], str]:
    """The event of the one request that *client* sends, and the id of the request."""
    assert visit(domain.gateway, NAME, client, version, path=PATH, headers=LINES).status == 200
    (event,), (entry,) = guard.events, domain.gateway.log.authorizers()
    assert entry["event"] == event
    (accepted,) = domain.gateway.log.front_door()
    assert accepted["request_id"] == entry["request_id"]
    return event, str(entry["request_id"])


def rest_event(domain: Domain, guard: Guard, request_id: str, client_cert: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 of the event, whole."""
    host = f"{NAME}:{domain.port}"
    headers = {"Host": host, "Authorization": "user1", "User-Agent": "agent", "Cookie": "a=1; b=2"}
    arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{guard.api}/prod/GET/pets/a%20b"
    return {
        "type": "REQUEST",
        "methodArn": arn,
        "resource": "/{proxy+}",
        "path": "/pets/a%20b",
        "httpMethod": "GET",
        "headers": {**headers, "X-Twice": "two"},
        "multiValueHeaders": {**{name: [value] for name, value in headers.items()}, "X-Twice": ["one", "two"]},
        "queryStringParameters": {"q": "2 3"},
        "multiValueQueryStringParameters": {"q": ["1", "2 3"]},
        "pathParameters": {"proxy": "pets/a%20b"},
        "stageVariables": {},
        "requestContext": {
            "path": "/v1/pets/a%20b",
            "accountId": ACCOUNT,
            "resourceId": guard.events[0]["requestContext"]["resourceId"],
            "stage": "prod",
            "requestId": request_id,
            "identity": {"apiKey": None, "sourceIp": "127.0.0.1", "userAgent": "agent", "clientCert": client_cert},
            "resourcePath": "/{proxy+}",
            "httpMethod": "GET",
            "apiId": guard.api,
        },
    }


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_event_of_a_rest_api(
    version: TlsVersion, domain: Domain, server: Backend, client: Credential, client_cert: dict[str, Any]
) -> None:
    """Payload 1.0."""
    guard = guarded_rest(running(domain.gateway), f"{server.url}/")
    guard.answers(policy())
    lead(domain, guard)
    event, request_id = asked(domain, guard, client, version)
    resources = domain.gateway.perform("GetResources", restApiId=guard.api)["item"]

    assert event == rest_event(domain, guard, request_id, client_cert)
    assert event["requestContext"]["resourceId"] in {one["id"] for one in resources if one["path"] == "/{proxy+}"}


def test_event_of_a_token_authorizer_has_no_certificate(domain: Domain, server: Backend, client: Credential) -> None:
    """Three members, whoever presents what."""
    guard = guarded_rest(running(domain.gateway), f"{server.url}/", kind="TOKEN", source=None)
    guard.answers(policy())
    lead(domain, guard)
    event, _ = asked(domain, guard, client, TlsVersion.TLS13)

    arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{guard.api}/prod/GET/pets/a%20b"
    assert event == {"type": "TOKEN", "authorizationToken": "user1", "methodArn": arn}


def test_event_of_an_http_api_with_payload_1(
    domain: Domain, server: Backend, client: Credential, client_cert: dict[str, Any]
) -> None:
    """That of a REST API, and three members more."""
    guard = guarded_http(running(domain.gateway), f"{server.url}/", payload="1.0", simple_responses=False)
    guard.answers(policy())
    lead(domain, guard)
    event, request_id = asked(domain, guard, client, TlsVersion.TLS13)
    more = {"version": "1.0", "identitySource": "user1", "authorizationToken": "user1"}

    assert event == {**rest_event(domain, guard, request_id, client_cert), **more}


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_event_of_an_http_api_with_payload_2(
    version: TlsVersion, domain: Domain, server: Backend, client: Credential, client_cert: dict[str, Any]
) -> None:
    """Payload 2.0: the certificate stands under ``authentication``."""
    guard = guarded_http(running(domain.gateway), f"{server.url}/")
    guard.answers(simple())
    lead(domain, guard)
    event, request_id = asked(domain, guard, client, version)
    moment = event["requestContext"]["timeEpoch"]

    assert datetime.strptime(event["requestContext"]["time"], "%d/%b/%Y:%H:%M:%S %z").timestamp() == moment // 1000
    assert event == {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{guard.api}/prod/GET/pets/a%20b",
        "identitySource": ["user1"],
        "routeKey": "GET /{proxy+}",
        "rawPath": "/v1/pets/a%20b",
        "rawQueryString": "q=1&q=2+3",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "host": f"{NAME}:{domain.port}",
            "authorization": "user1",
            "user-agent": "agent",
            "x-twice": "one,two",
        },
        "queryStringParameters": {"q": "1,2 3"},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": guard.api,
            "authentication": {"clientCert": client_cert},
            "domainName": NAME,
            "domainPrefix": "api",
            "http": {
                "method": "GET",
                "path": "/v1/pets/a%20b",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "agent",
            },
            "requestId": request_id,
            "routeKey": "GET /{proxy+}",
            "stage": "prod",
            "time": event["requestContext"]["time"],
            "timeEpoch": moment,
        },
        "pathParameters": {"proxy": "pets/a b"},
        "stageVariables": {},
    }


@pytest.mark.parametrize("make", [guarded_rest, guarded_http])
def test_default_endpoint_tells_of_no_certificate(make: Callable[..., Guard], domain: Domain, server: Backend) -> None:
    """It has asked for none: there is no member of that name, not even an empty one."""
    guard = make(running(domain.gateway), f"{server.url}/")
    guard.answers(policy() if make is guarded_rest else simple())
    lead(domain, guard)
    assert guard.get().status == 200
    (event,) = guard.events

    shown = event["requestContext"]
    assert "clientCert" not in (shown["identity"] if make is guarded_rest else shown["authentication"])


def test_verdict_on_one_certificate_is_given_to_another(
    domain: Domain, server: Backend, issued: tuple[Credential, x509.Certificate]
) -> None:
    """The trap of the cache, by two clients with one token; the log shows whose certificate it was this time."""
    good, root = issued
    other = Credential(self_signed(named("Other"), key := new_ec_key(), BEGIN, END), key)
    domain.trust([root, other.leaf])
    guard = guarded_rest(running(domain.gateway), f"{server.url}/", ttl=300)
    guard.answers(lambda event, context: policy("Allow" if "My Client" in subject(event) else "Deny"))
    lead(domain, guard)
    seen = [visit(domain.gateway, NAME, one, path=PATH, headers=LINES).status for one in (good, other)]
    first, second = domain.gateway.log.authorizers()

    assert (seen, first["cached"], second["cached"]) == ([200, 200], False, True)
    assert (subject(first["event"]), subject(second["event"])) == (f"{PLACE},CN=My Client", f"{PLACE},CN=Other")


def subject(event: Mapping[str, Any]) -> str:
    """Who presented a certificate."""
    return str(event["requestContext"]["identity"]["clientCert"]["subjectDN"])


# --- what the backend is told

FLAT = ("clientCertPem", "subjectDN", "issuerDN", "serialNumber", "validity.notBefore", "validity.notAfter")


def expected(client_cert: Mapping[str, Any]) -> dict[str, list[str]]:
    """The headers by number; a line end would begin another header, so PEM has blanks in their place."""
    flat = {**client_cert, **{f"validity.{name}": value for name, value in client_cert["validity"].items()}}
    return {f"X-{number}": [flat[name].replace("\n", " ").strip()] for number, name in enumerate(FLAT)}


def told(server: Backend) -> dict[str, list[str]]:
    """The headers that the backend got."""
    return {f"X-{number}": [one.strip() for one in server.header(f"X-{number}")] for number in range(len(FLAT))}


def test_rest_api_maps_each_part_of_the_certificate_and_what_the_authorizer_says(
    domain: Domain, server: Backend, client: Credential, client_cert: dict[str, Any]
) -> None:
    """What the caller claims under these names is overwritten."""
    mapped = {f"integration.request.header.X-{n}": f"context.identity.clientCert.{one}" for n, one in enumerate(FLAT)}
    mapped["integration.request.header.X-Who"] = "context.authorizer.who"
    guard = guarded_rest(running(domain.gateway), f"{server.url}/", requestParameters=mapped)
    guard.answers(lambda event, context: policy(context={"who": subject(event)}))
    lead(domain, guard)
    forged = [f"X-{number}: forged" for number in range(len(FLAT))]
    seen = visit(domain.gateway, NAME, client, path=PATH, headers=(*LINES, *forged, "X-Who: me"))

    assert seen.status == 200
    assert told(server) == expected(client_cert)
    assert server.header("X-Who") == [client_cert["subjectDN"]]


def test_http_api_maps_each_part_of_the_certificate_and_what_the_authorizer_says(
    domain: Domain, server: Backend, client: Credential, client_cert: dict[str, Any]
) -> None:
    """By its own syntax."""
    mapped = {f"overwrite:header.X-{n}": f"$context.identity.clientCert.{one}" for n, one in enumerate(FLAT)}
    mapped["overwrite:header.X-Who"] = "$context.authorizer.who"
    guard = guarded_http(running(domain.gateway), f"{server.url}/", mapped=mapped)
    guard.answers(simple(context={"who": "ours"}))
    lead(domain, guard)
    seen = visit(domain.gateway, NAME, client, path=PATH, headers=(*LINES, "X-1: forged", "X-Who: me"))

    assert seen.status == 200
    assert told(server) == expected(client_cert)
    assert server.header("X-Who") == ["ours"]
