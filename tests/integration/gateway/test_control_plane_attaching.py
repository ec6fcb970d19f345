"""Client certificates through boto3: attached to a stage, switched, detached, deleted."""

from __future__ import annotations

import dataclasses

from .site import Site, code_and_text
from .walk import replace


def test_attached_certificate_is_shown_and_presented_at_once(site: Site) -> None:
    """The PATCH, once answered, is in force."""
    name = site.generate()
    answer = site.attach(name)

    assert answer["clientCertificateId"] == name
    assert site.state.presented(site.stage) == name


def test_empty_value_detaches(site: Site) -> None:
    """And the member disappears."""
    site.attach(site.generate())
    answer = site.attach("")

    assert "clientCertificateId" not in answer
    assert site.state.presented(site.stage) is None


def test_every_stage_update_tells_the_egress(site: Site) -> None:
    """It has idle connections to close."""
    before = site.changes
    site.attach(site.generate())

    assert site.changes == before + 1


def test_refused_attachment_changes_nothing(site: Site) -> None:
    """All or nothing, the other operations of the PATCH included."""
    name = site.generate()
    site.attach(name)
    operations = replace("/description", "other") + replace("/clientCertificateId", "nobody")
    before = site.stage
    code_and_text(lambda: site.v1.update_stage(restApiId=site.api, stageName="prod", patchOperations=operations))

    assert site.stage is before


def test_change_is_held_back_until_the_next_deployment(site: Site) -> None:
    """redeploy_required: shown at once, used later."""
    first, second = site.generate(), site.generate()
    site.attach(first)
    site.set(redeploy_required=True)
    shown = site.attach(second)["clientCertificateId"]
    held = site.state.presented(site.stage)
    site.deploy()

    assert (shown, held, site.state.presented(site.stage)) == (second, first, second)


def test_former_certificate_is_presented_while_the_change_propagates(site: Site) -> None:
    """Also when it has been deleted meanwhile, as rotation scripts do."""
    site.set(propagation_ms=600_000)
    first, second = site.generate(), site.generate()
    credential = site.state.credential(first)
    site.attach(first)
    arriving = site.state.presented(site.stage)
    api = site.state.rest_apis[site.api]
    long_ago = dataclasses.replace(site.stage, arrives=float("-inf"))
    site.state.rest_apis[site.api] = dataclasses.replace(api, stages={"prod": long_ago})
    arrived = site.state.presented(site.stage)
    site.attach(second)
    site.v1.delete_client_certificate(clientCertificateId=first)

    assert (arriving, arrived, site.state.presented(site.stage)) == (None, first, first)
    assert site.state.credential(first) is credential
    assert code_and_text(lambda: site.attach(first))[0] == "BadRequestException"


def test_attached_certificate_cannot_be_deleted(site: Site) -> None:
    """The refusal names the stages."""
    name = site.generate()
    site.attach(name)
    code, text = code_and_text(lambda: site.v1.delete_client_certificate(clientCertificateId=name))
    site.attach("")
    site.v1.delete_client_certificate(clientCertificateId=name)

    assert (code, f"{site.api}/prod" in text) == ("BadRequestException", True)
    assert name not in site.state.client_certificates


def test_deleting_an_attached_certificate_can_be_a_conflict(site: Site) -> None:
    """Nobody has published which of the two it is."""
    site.set(delete_attached_status=409)
    name = site.generate()
    site.attach(name)

    assert code_and_text(lambda: site.v1.delete_client_certificate(clientCertificateId=name))[0] == "ConflictException"


def test_certificate_that_is_presented_for_want_of_a_deployment_cannot_be_deleted(site: Site) -> None:
    """It is in use, though it is not shown any more."""
    name = site.generate()
    site.attach(name)
    site.set(redeploy_required=True)
    site.attach("")

    assert (
        code_and_text(lambda: site.v1.delete_client_certificate(clientCertificateId=name))[0] == "BadRequestException"
    )


def test_deleted_stage_lets_its_certificate_go(site: Site) -> None:
    """The association goes with the stage."""
    name = site.generate()
    site.attach(name)
    site.v1.delete_stage(restApiId=site.api, stageName="prod")
    site.v1.delete_client_certificate(clientCertificateId=name)

    assert site.state.client_certificates == {}


def test_http_api_cannot_have_a_client_certificate(site: Site) -> None:
    """Supported only for WebSocket APIs."""
    name, v2 = site.generate(), site.account.v2
    http = v2.create_api(Name="x", ProtocolType="HTTP")["ApiId"]
    socket = v2.create_api(Name="x", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")["ApiId"]
    for api in (http, socket):
        v2.create_stage(ApiId=api, StageName="prod")
    code, _ = code_and_text(lambda: v2.update_stage(ApiId=http, StageName="prod", ClientCertificateId=name))
    taken = v2.update_stage(ApiId=socket, StageName="prod", ClientCertificateId=name)["ClientCertificateId"]
    used, _ = code_and_text(lambda: site.v1.delete_client_certificate(clientCertificateId=name))

    assert (code, taken, used) == ("BadRequestException", name, "BadRequestException")


def test_propagation_time_that_is_set_later_does_not_call_a_switch_back(site: Site) -> None:
    """It counts for the switches that come."""
    first = site.generate()
    site.attach(first)
    site.set(propagation_ms=600_000)

    assert site.state.presented(site.stage) == first
