"""What a custom domain serves: server certificates, Host, mappings, changes of the truststore on open connections."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from OpenSSL import SSL

from pytest_mtls.harness.gateway.facade import Api, MockGateway
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.truststore import Truststore
from pytest_mtls.harness.tls.observation import TlsVersion
from pytest_mtls.harness.wait import poll_until

from .front_door_support import VERSIONS, Caller, visit
from .running import Backend, backend

NAME, OTHER = "api.example.com", "other.example.com"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def client(hierarchy: Hierarchy) -> Credential:
    """A client of theirs."""
    return hierarchy.issue()


@pytest.fixture
def gateway(mtls_gateway: MockGateway) -> MockGateway:
    """A gateway whose domains are AVAILABLE at once."""
    mtls_gateway.set(domain_update_ms=0)
    return mtls_gateway


@pytest.fixture
def api(gateway: MockGateway, behind: Backend) -> Api:
    """An API that answers 200."""
    behind.requests.clear()
    return gateway.proxy_api(behind.url)


# --- names


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_each_domain_has_its_own_truststore_on_one_port(version: TlsVersion, gateway: MockGateway, api: Api) -> None:
    """SNI chooses."""
    one, two = new_hierarchy(), new_hierarchy()
    gateway.domain(NAME, truststore=one.certificates, api=api)
    gateway.domain(OTHER, truststore=two.certificates, api=api)

    assert visit(gateway, NAME, one.issue(), version).status == 200
    assert visit(gateway, OTHER, one.issue(), version).status == 403
    assert visit(gateway, OTHER, two.issue(), version).status == 200


def test_wildcard_covers_one_label_and_gives_way_to_the_exact_name(
    gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """``*.example.com`` is for a.example.com, not for a.b.example.com."""
    gateway.domain("*.example.com", truststore=hierarchy.certificates, api=api)
    gateway.domain(NAME, truststore=new_hierarchy().certificates, api=api)

    assert visit(gateway, "a.example.com", client).status == 200
    assert visit(gateway, "A.Example.COM", client).status == 200
    assert visit(gateway, NAME, client).status == 403
    assert visit(gateway, "a.b.example.com", client).status == 403
    assert [entry["domain"] for entry in gateway.log.front_door()] == ["*.example.com", "*.example.com", NAME]


@pytest.mark.parametrize("name", [None, "unknown.example.com"])
def test_unknown_name_is_asked_for_no_certificate_and_is_forbidden(
    name: str | None, gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """Behind the gateway's own certificate; the log of the front door is of domains with mutual TLS alone."""
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    with Caller(gateway, name, client) as caller:
        seen = caller.get(host=NAME)
        names, asked = caller.server_names, caller.asked

    assert (seen.status, seen.error_type) == (403, "ForbiddenException")
    assert "*.execute-api.us-east-1.amazonaws.com" in names
    assert (asked, gateway.log.front_door()) == (False, [])


def test_host_has_to_name_the_domain_of_the_handshake(
    gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """Else one domain's truststore would open another one."""
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    gateway.domain(OTHER, truststore=new_hierarchy().certificates, api=api)

    assert visit(gateway, NAME, client, host=OTHER).status == 403
    assert visit(gateway, NAME, client, host=f"{api.id}.execute-api.us-east-1.amazonaws.com").status == 403
    assert visit(gateway, NAME, client, host=f"{NAME.upper()}:443").status == 200
    assert [entry["outcome"] for entry in gateway.log.front_door()] == ["forbidden", "forbidden", "accepted"]


def test_default_endpoint_by_name_does_not_open_a_domain(gateway: MockGateway, api: Api, hierarchy: Hierarchy) -> None:
    """A handshake without certificate, for the default endpoint, and the domain in Host."""
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)

    assert visit(gateway, f"{api.id}.execute-api.localhost", host=NAME).status == 403


def test_domain_is_not_served_on_the_plain_port(gateway: MockGateway, api: Api, behind: Backend) -> None:
    """Not even one without mutual TLS."""
    import httpx

    gateway.domain(NAME, api=api)
    seen = httpx.get(gateway.endpoint, headers={"Host": NAME}, trust_env=False)

    assert seen.status_code == 501
    assert behind.requests == []


def test_domain_without_mutual_tls_asks_for_no_certificate(gateway: MockGateway, api: Api) -> None:
    """It serves everybody, and the front door's log has nothing to say."""
    gateway.domain(NAME, api=api)
    with Caller(gateway, NAME) as caller:
        assert (caller.get().status, caller.asked) == (200, False)

    assert gateway.log.front_door() == []


# --- server certificates


def test_mocks_ca_issues_the_domains_certificate(gateway: MockGateway, api: Api) -> None:
    """For the name alone."""
    gateway.domain(NAME, api=api)
    with Caller(gateway, NAME) as caller:
        assert caller.server_names == [NAME]


def test_imported_certificate_is_served_and_a_new_import_at_once(gateway: MockGateway, api: Api) -> None:
    """ACM's, by ``regionalCertificateArn``; while it is in use, it cannot be deleted."""
    first, second = new_hierarchy(2).issue(NAME), new_hierarchy().issue(NAME)
    arn = gateway.import_certificate(first).id
    gateway.perform(
        "CreateDomainName",
        domainName=NAME,
        regionalCertificateArn=arn,
        endpointConfiguration={"types": ["REGIONAL"]},
    )
    assert _served(gateway) == list(first.certificates)

    whole = second.certificate_pem
    gateway.perform("ImportCertificate", "acm", CertificateArn=arn, Certificate=whole, PrivateKey=second.key_pem)
    assert _served(gateway) == [second.leaf]
    with pytest.raises(Exception, match="in use"):
        gateway.perform("DeleteCertificate", "acm", CertificateArn=arn)


def _served(gateway: MockGateway) -> list[Any]:
    with Caller(gateway, NAME) as caller:
        return list(caller.tls.get_peer_cert_chain(as_cryptography=True) or [])


# --- mappings


def test_longest_mapping_by_whole_segments_wins_and_is_cut_off(gateway: MockGateway, behind: Backend) -> None:
    """Base paths of v1 beside keys of v2; what fits none is forbidden."""
    behind.requests.clear()
    domain = gateway.domain(NAME)
    stages = [gateway.proxy_api(f"{behind.url}/{which}").stage() for which in ("short", "long", "keyed")]
    domain.map(stages[0].api.id, "prod", "v1")
    domain.map(stages[1].api.id, "prod", "v12")
    gateway.perform(
        "CreateApiMapping", "apigatewayv2", domainName=NAME, apiId=stages[2].api.id, stage="prod", apiMappingKey="v1/in"
    )
    paths = ["/v1/a?b=c", "/v12/a", "/v1/in/a", "/v1/inn", "/v1"]

    assert [visit(gateway, NAME, path=path).status for path in paths] == [200] * 5
    lines = [request.split(b" ")[1].decode() for request in behind.requests]
    assert lines == ["/short/a?b=c", "/long/a", "/keyed/a", "/short/inn", "/short/"]
    assert [visit(gateway, NAME, path=path).status for path in ("/", "/v", "/v123/a")] == [403] * 3


def test_mapping_without_stage_takes_it_from_the_path(gateway: MockGateway, api: Api, behind: Backend) -> None:
    """v1 alone can have it."""
    api.deploy("beta")
    gateway.domain(NAME)
    gateway.perform("CreateBasePathMapping", domainName=NAME, restApiId=api.id, basePath="(none)")

    assert visit(gateway, NAME, path="/beta/pets").status == 200
    assert visit(gateway, NAME, path="/gamma/pets").status == 403
    assert behind.requests[-1].startswith(b"GET /pets ")


def test_domain_stays_when_the_default_endpoint_is_disabled(
    gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """And until it is, it stays open without a certificate: mutual TLS can be gone around."""
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    stage = api.stage()
    assert stage.client().get("/").status_code == 200

    disable = [{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "True"}]
    gateway.perform("UpdateRestApi", restApiId=api.id, patchOperations=disable)
    api.deploy("prod")
    assert stage.client().get("/").status_code == 403
    assert visit(gateway, NAME, client).status == 200


def test_http_api_behind_a_domain(
    gateway: MockGateway, behind: Backend, hierarchy: Hierarchy, client: Credential
) -> None:
    """Also with its default endpoint disabled."""
    made = gateway.perform("CreateApi", "apigatewayv2", name="h", protocolType="HTTP", target=behind.url)
    gateway.perform("UpdateApi", "apigatewayv2", apiId=made["apiId"], disableExecuteApiEndpoint=True)
    gateway.domain(NAME, truststore=hierarchy.certificates)
    gateway.perform("CreateApiMapping", "apigatewayv2", domainName=NAME, apiId=made["apiId"], stage="$default")

    assert visit(gateway, NAME, client, path="/pets").status == 200


def test_backend_is_told_of_the_certificate_by_mapping(
    gateway: MockGateway, api: Api, behind: Backend, hierarchy: Hierarchy, client: Credential
) -> None:
    """What a caller sends under the same name is overwritten; at the default endpoint there is nothing to tell."""
    resource = gateway.perform("GetRestApi", restApiId=api.id)["rootResourceId"]
    name = "integration.request.header.X-Client"
    operation = {"op": "add", "path": f"/requestParameters/{name}", "value": "context.identity.clientCert.subjectDN"}
    place = {"restApiId": api.id, "resourceId": resource, "httpMethod": "ANY"}
    gateway.perform("UpdateIntegration", **place, patchOperations=[operation])
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    assert visit(gateway, NAME, client).status == 200
    told = behind.header("X-Client")
    api.stage().client().get("/")

    assert told == [gateway.log.front_door()[0]["subject_dn"]]
    assert behind.header("X-Client") == []


# --- changes


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_open_connection_does_not_outlive_its_truststore(
    version: TlsVersion, gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """Idle ones are closed when it changes; one of another domain stays."""
    domain = gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    gateway.domain(OTHER, truststore=hierarchy.certificates, api=api)
    with Caller(gateway, NAME, client, version) as caller, Caller(gateway, OTHER, client, version) as other:
        assert (caller.get().status, other.get().status) == (200, 200)
        domain.trust(new_hierarchy().certificates)

        assert caller.wait_for_close()
        assert other.get().status == 200
    assert visit(gateway, NAME, client, version).status == 403


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_session_does_not_outlive_its_truststore(
    version: TlsVersion, gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """A session of before is not resumed without another look at the certificate."""
    domain = gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    with Caller(gateway, NAME, client, version) as caller:
        assert caller.get().status == 200
        session = caller.tls.get_session()
    domain.trust(new_hierarchy().certificates)
    with Caller(gateway, NAME, client, version, session=(caller.context, session)) as again:
        assert again.get().status == 403


@pytest.mark.parametrize("change", ["delete", "off", "reset"])
def test_connection_ends_with_its_domain_or_mutual_tls(
    change: str, gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """Whatever takes the truststore away."""
    domain = gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    with Caller(gateway, NAME, client) as caller:
        assert caller.get().status == 200
        {"delete": domain.delete, "off": lambda: domain.trust(None), "reset": gateway.reset}[change]()

        assert caller.wait_for_close()
    assert visit(gateway, NAME).status == (200 if change == "off" else 403)


def test_former_truststore_judges_until_the_domain_is_available(
    gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """Then the idle connection that it let in is closed by itself."""
    domain = gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    other = new_hierarchy()
    gateway.set(domain_update_ms=2_000)
    assert gateway.s3_root is not None
    (gateway.s3_root / "truststores" / "next.pem").write_bytes(Truststore.of(other.certificates).pem)
    change = {"op": "replace", "path": "/mutualTlsAuthentication/truststoreUri", "value": "s3://truststores/next.pem"}
    with Caller(gateway, NAME, client) as caller:
        answer = gateway.perform("UpdateDomainName", domainName=NAME, patchOperations=[change])
        before = caller.get().status, visit(gateway, NAME, other.issue()).status

        assert (answer["domainNameStatus"], before) == ("UPDATING", (200, 403))
        assert caller.wait_for_close()
    assert domain.status == "AVAILABLE"
    assert visit(gateway, NAME, other.issue()).status == 200
    assert visit(gateway, NAME, client).status == 403


def test_connections_are_closed_before_the_first_truststore_has_arrived(
    gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """Even those with the right certificate."""
    gateway.domain(NAME, truststore=hierarchy.certificates, api=api)
    gateway.set(domain_update_ms=60_000)
    there = gateway.perform("GetDomainName", domainName=NAME)["mutualTlsAuthentication"]
    gateway.perform("CreateDomainName", domainName=OTHER, mutualTlsAuthentication=there)
    seen = visit(gateway, OTHER, client)

    assert (seen.status, seen.octets_after_certificate, seen.closed) == (None, 0, True)
    assert [entry["outcome"] for entry in gateway.log.front_door()] == ["closed"]


# --- the end of connections


def test_streamed_answer_ends_before_the_connection_does(
    gateway: MockGateway, api: Api, hierarchy: Hierarchy, client: Credential
) -> None:
    """A change of the truststore while a request is answered lets the answer out, then closes."""
    import threading

    release, came = threading.Event(), threading.Event()

    def answer(_: bytes) -> bytes:
        came.set()
        release.wait(10)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    with backend(answer) as slow:
        domain = gateway.domain(NAME, truststore=hierarchy.certificates, api=gateway.proxy_api(slow.url))
        with Caller(gateway, NAME, client) as caller:
            seen: list[Any] = []
            thread = threading.Thread(target=lambda: seen.append(caller.get()))
            thread.start()
            assert came.wait(10)
            domain.trust(new_hierarchy().certificates)
            release.set()
            thread.join(10)

            assert seen[0].status == 200
            assert caller.wait_for_close()


def test_no_connection_is_kept_in_mind_after_its_end(gateway: MockGateway, api: Api) -> None:
    """Also one that was closed for want of a certificate."""
    gateway.domain(NAME, truststore=new_hierarchy().certificates, api=api)
    visit(gateway, NAME)
    visit(gateway, NAME, new_hierarchy().issue())
    front = gateway._gateway.front_door

    assert poll_until(lambda: not gateway.call(lambda: len(front._connections)), 5)


@pytest.mark.parametrize("version", [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION], ids=["1.0", "1.1"])
def test_older_tls_is_not_spoken(gateway: MockGateway, version: int) -> None:
    """The security policy TLS_1_2: whoever offers less gets the alert protocol_version(70)."""
    gateway.domain(NAME, truststore=new_hierarchy().certificates)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", gateway._gateway.tls_port), timeout=10) as raw:
        raw.settimeout(None)  # pyOpenSSL would not block
        connection = SSL.Connection(context, raw)
        connection.set_tlsext_host_name(NAME.encode())
        connection.set_connect_state()
        with pytest.raises(SSL.Error, match="alert protocol version"):
            connection.do_handshake()


def test_context_of_the_tls_port_never_resumes(gateway: MockGateway) -> None:
    """The reason why no session outlives anything."""
    front = gateway._gateway.front_door

    assert front._default.get_session_cache_mode() == SSL.SESS_CACHE_OFF
