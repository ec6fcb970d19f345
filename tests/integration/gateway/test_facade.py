"""The fixture ``mtls_gateway``: a test's own view of the mock gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from pytest_mtls import ApiError, Credential, Instance, MockGateway, new_hierarchy
from pytest_mtls.harness.gateway.facade import Api, ApiStage, GatewayCertificate
from pytest_mtls.harness.gateway.settings import SettingError

Faulty = Callable[..., Instance]


@pytest.fixture
def certificate(mtls_gateway: MockGateway) -> GatewayCertificate:
    """A certificate that the gateway generated."""
    return mtls_gateway.generate_client_certificate()


@pytest.fixture
def api(mtls_gateway: MockGateway, mtls_faulty_backend: Faulty, certificate: GatewayCertificate) -> Api:
    """A proxy before a correct backend that trusts the certificate."""
    return mtls_gateway.proxy_api(mtls_faulty_backend(trusted=[certificate.leaf]))


def status_of(stage: ApiStage, path: str = "/") -> int:
    """What a caller of the stage gets."""
    with stage.client() as client:
        return client.get(path).status_code


def test_attached_certificate_is_let_in_and_no_certificate_is_not(
    mtls_gateway: MockGateway, api: Api, certificate: GatewayCertificate
) -> None:
    """Without, attached, detached: each request goes out with what the stage has at that moment."""
    stage = api.stage()
    before = status_of(stage)
    stage.attach(certificate)
    attached = status_of(stage, "/pets/7?size=2")
    stage.detach()

    assert (before, attached, status_of(stage)) == (500, 200, 500)
    assert mtls_gateway.log.presented(api) == [None, certificate.id, None]
    assert mtls_gateway.log.integrations(api)[0]["tls"]["alert_received"]["name"] == "handshake_failure"
    assert mtls_gateway.log.integrations(api)[1]["uri"].endswith("/pets/7?size=2")


def test_test_invoke_presents_the_certificate_of_the_call(
    mtls_gateway: MockGateway, api: Api, certificate: GatewayCertificate
) -> None:
    """No stage is needed, and none is changed."""
    refused, let_in = api.test_invoke("/pets"), api.test_invoke("/", certificate)

    assert (refused.status, let_in.status) == (500, 200)
    assert "Received fatal alert: handshake_failure" in refused.log
    assert "hello from the pytest-mtls reference backend" in let_in.body
    assert mtls_gateway.log.presented(api) == [None, certificate.id]


def test_imported_certificate_is_presented_with_its_chain(
    mtls_gateway: MockGateway, mtls_faulty_backend: Faulty
) -> None:
    """ACM's certificates of a private CA: the backend trusts the root alone."""
    hierarchy = new_hierarchy(3)
    imported = mtls_gateway.import_certificate(hierarchy.issue())
    stage = mtls_gateway.proxy_api(mtls_faulty_backend(trusted=[hierarchy.root])).stage()
    stage.attach(imported)

    assert status_of(stage) == 200
    assert imported.id.startswith("arn:aws:acm:")
    assert mtls_gateway.log.presented() == [imported.id]


def test_certificate_shows_its_pem_and_gives_the_test_its_key(certificate: GatewayCertificate) -> None:
    """AWS shows the former alone."""
    assert isinstance(certificate.credential, Credential)
    assert certificate.pem.replace("\r\n", "\n").strip() == certificate.credential.certificate_pem.decode().strip()
    assert "PRIVATE" not in certificate.pem


def test_refusals_are_errors_in_the_words_of_aws(api: Api, certificate: GatewayCertificate) -> None:
    """As boto3's ClientError has them."""
    api.stage("prod").attach(certificate)
    with pytest.raises(ApiError) as refused:
        certificate.delete()

    assert (refused.value.code, refused.value.status) == ("BadRequestException", 400)
    assert "prod" in refused.value.message


def test_settings_and_clock_count_at_once(mtls_gateway: MockGateway, api: Api, certificate: GatewayCertificate) -> None:
    """An expired certificate that is not presented, though the connection of the request before was still open."""
    stage = api.stage()
    stage.attach(certificate)
    assert status_of(stage) == 200
    mtls_gateway.set(present_expired=False, alert_status=504)
    mtls_gateway.set_clock(timedelta(days=366))

    assert status_of(stage) == 504
    assert mtls_gateway.log.integrations(api)[-1]["tls"]["not_presented"] == "expired"
    with pytest.raises(SettingError, match="no_such_setting"):
        mtls_gateway.set(no_such_setting=1)


@pytest.mark.parametrize("years", [-90, 90, 9_000])
def test_clock_stays_within_what_certificates_and_trace_ids_can_tell(mtls_gateway: MockGateway, years: int) -> None:
    """And stays as it was."""
    with pytest.raises(ValueError, match="from 1970 to 2105"):
        mtls_gateway.set_clock(timedelta(days=365 * years))

    created = mtls_gateway.perform("GenerateClientCertificate")["createdDate"]
    assert abs(created - datetime.now(UTC).timestamp()) < 300


def test_state_is_fresh_for_each_test(mtls_gateway: MockGateway) -> None:
    """Nothing of the tests before is left, whatever their order."""
    assert mtls_gateway.perform("GetRestApis")["item"] == []
    assert mtls_gateway.perform("GetClientCertificates")["item"] == []
    assert mtls_gateway.log.entries() == []
    assert mtls_gateway.connections() == []


def test_server_that_is_not_trusted_gets_no_request(mtls_gateway: MockGateway, mtls_faulty_backend: Faulty) -> None:
    """By its URL alone nothing is known of its authority."""
    stage = mtls_gateway.proxy_api(mtls_faulty_backend().url).stage()

    assert status_of(stage) == 500
    assert mtls_gateway.log.integrations()[0]["tls"]["server_certificate"]["verdict"] == "untrusted"


def test_backend_under_test_is_trusted_by_its_url(
    mtls_gateway: MockGateway, mtls_backend: Instance, mtls_gateway_certificate: Credential
) -> None:
    """The fixture knows the authority of ``mtls_backend``."""
    stage = mtls_gateway.proxy_api(mtls_backend.url).stage()
    stage.attach(mtls_gateway.import_certificate(mtls_gateway_certificate))

    assert status_of(stage) == 200


def test_boto3_drives_the_same_gateway(mtls_gateway: MockGateway, api: Api) -> None:
    """An SDK's client and the facade see one state."""
    pytest.importorskip("boto3")
    client = mtls_gateway.boto3_client("apigateway")
    made = client.generate_client_certificate(description="by boto3")

    assert [one["id"] for one in client.get_rest_apis()["items"]] == [api.id]
    assert made["clientCertificateId"] in {
        one["clientCertificateId"] for one in mtls_gateway.perform("GetClientCertificates")["item"]
    }
    assert [entry["operation"] for entry in mtls_gateway.log.control()] == ["GenerateClientCertificate", "GetRestApis"]
