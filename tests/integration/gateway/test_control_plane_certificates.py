"""Client certificates and ACM certificates through boto3: made, attached, switched, deleted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pytest_mtls.harness.gateway.control_plane import ControlPlane
from pytest_mtls.harness.gateway.model import Stage
from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.issue import Extensions, self_signed
from pytest_mtls.harness.pki.key_pool import KeyPool
from pytest_mtls.harness.pki.keys import PrivateKey, new_ec_key, new_rsa_key

from .sdk import Account
from .walk import replace

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_REAL = sorted((Path(__file__).parents[2] / "data" / "gateway-certificates").glob("*.pem"))


class Site:
    """An account with a deployed API, at a fixed time."""

    def __init__(self) -> None:
        self.account = Account()
        self.state, self.v1, self.acm = self.account.state, self.account.v1, self.account.acm
        self.state.real_clock = lambda: _NOW
        self.changes = 0
        self.state.on_change.append(self._count)
        created = self.v1.create_rest_api(name="site")
        self.api = created["id"]
        method = {"restApiId": self.api, "resourceId": created["rootResourceId"], "httpMethod": "GET"}
        self.v1.put_method(**method, authorizationType="NONE")
        self.v1.put_integration(**method, type="HTTP_PROXY", integrationHttpMethod="GET", uri="https://localhost/")
        self.deploy()

    def _count(self) -> None:
        self.changes += 1

    def deploy(self) -> Any:
        """CreateDeployment to the stage."""
        return self.v1.create_deployment(restApiId=self.api, stageName="prod")

    def generate(self, **members: Any) -> str:
        """The id of a fresh certificate."""
        name: str = self.v1.generate_client_certificate(**members)["clientCertificateId"]
        return name

    def attach(self, reference: str) -> Any:
        """UpdateStage with this certificate."""
        return self.v1.update_stage(
            restApiId=self.api, stageName="prod", patchOperations=replace("/clientCertificateId", reference)
        )

    def set(self, **settings: Any) -> None:
        """Change settings."""
        self.state.settings = self.state.settings.changed(settings)

    @property
    def stage(self) -> Stage:
        """The stage as the data plane sees it."""
        return self.state.rest_apis[self.api].stages["prod"]

    def bring(self, credential: Credential, **members: Any) -> str:
        """ImportCertificate; the ARN."""
        chain = b"".join(one.public_bytes(Encoding.PEM) for one in credential.chain)
        arn: str = self.acm.import_certificate(
            Certificate=credential.leaf.public_bytes(Encoding.PEM),
            PrivateKey=credential.key_pem,
            **({"CertificateChain": chain} if chain else {}),
            **members,
        )["CertificateArn"]
        return arn


@pytest.fixture
def site() -> Site:
    """A fresh one."""
    return Site()


def _code(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


# --- generated certificates


def _skeleton(certificate: x509.Certificate) -> bytes:
    """The DER with what is random or a matter of time blotted out, and without the octet that a serial may need more."""
    whole = certificate.public_bytes(Encoding.DER)
    serial = certificate.serial_number.to_bytes(certificate.serial_number.bit_length() // 8 + 1, "big", signed=True)
    modulus = certificate.public_key().public_numbers().n.to_bytes(256, "big")  # type: ignore[union-attr]
    dates = [
        moment.strftime("%y%m%d%H%M%SZ").encode()
        for moment in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    ]
    for secret in (modulus, certificate.signature, *dates):
        assert secret in whole
        whole = whole.replace(secret, b"?" * len(secret))
    at = whole.index(bytes((2, len(serial))) + serial)
    return whole[8:at] + whole[at + 2 + len(serial) :]  # the two lengths before it count the serial too


@pytest.mark.parametrize("real", _REAL, ids=lambda path: path.stem)
def test_generated_certificate_is_amazons_octet_for_octet(real: Path, site: Site) -> None:
    """But for serial, dates, key and signature; six certificates that API Gateway made."""
    answer = site.v1.generate_client_certificate()
    ours = x509.load_pem_x509_certificate(answer["pemEncodedCertificate"].encode())
    theirs = x509.load_pem_x509_certificate(real.read_bytes())

    assert len(_REAL) == 6
    assert _skeleton(ours) == _skeleton(theirs)


def test_dates_of_the_answer_are_those_of_the_certificate(site: Site) -> None:
    """createdDate is notBefore, expirationDate notAfter, 365 days later."""
    answer = site.v1.generate_client_certificate(description="edge", tags={"team": "edge"})
    leaf = x509.load_pem_x509_certificate(answer["pemEncodedCertificate"].encode())

    assert answer["createdDate"] == leaf.not_valid_before_utc == _NOW
    assert answer["expirationDate"] == leaf.not_valid_after_utc == _NOW + timedelta(days=365)
    assert (answer["description"], answer["tags"]) == ("edge", {"team": "edge"})


def test_pem_has_crlf_and_no_final_newline(site: Site) -> None:
    """As the one capture of AWS's answer has it."""
    pem = site.v1.generate_client_certificate()["pemEncodedCertificate"]

    assert pem.startswith(
        ("-----BEGIN CERTIFICATE-----\r\nMIIC6TCCAdGgAwIBAgIJ", "-----BEGIN CERTIFICATE-----\r\nMIIC6")
    )
    assert pem.endswith("\r\n-----END CERTIFICATE-----")
    assert pem.count("\n") == pem.count("\r\n")


def test_pem_can_have_lf_and_a_final_newline(site: Site) -> None:
    """For clients that write it to a file as it is."""
    site.set(certificate_pem_newlines="lf")
    pem = site.v1.generate_client_certificate()["pemEncodedCertificate"]

    assert ("\r" in pem, pem.endswith("-----END CERTIFICATE-----\n")) == (False, True)


def test_every_certificate_has_a_key_of_its_own(site: Site) -> None:
    """No key is used twice."""
    keys = KeyPool(1)
    plane = ControlPlane(site.state, keys)
    pems = [plane.perform("GenerateClientCertificate")["pemEncodedCertificate"].encode() for _ in range(3)]
    keys.close()
    moduli = {x509.load_pem_x509_certificate(pem).public_key().public_numbers().n for pem in pems}  # type: ignore[union-attr]

    assert len(moduli) == 3


def test_quota_ends_the_making_of_certificates(site: Site) -> None:
    """60 on AWS."""
    site.set(quota_client_certificates=2)
    first = site.generate()
    site.generate()
    code, _ = _code(site.generate)
    site.v1.delete_client_certificate(clientCertificateId=first)

    assert (code, len(site.generate())) == ("LimitExceededException", 6)


def test_tags_come_and_go_by_arn(site: Site) -> None:
    """And show in the object's own answer."""
    name = site.generate(tags={"a": "1"})
    arn = f"arn:aws:apigateway:us-east-1::/clientcertificates/{name}"
    site.v1.tag_resource(resourceArn=arn, tags={"b": "2", "c": "3"})
    site.v1.untag_resource(resourceArn=arn, tagKeys=["a", "c"])

    assert site.v1.get_tags(resourceArn=arn)["tags"] == {"b": "2"}
    assert site.v1.get_client_certificate(clientCertificateId=name)["tags"] == {"b": "2"}


@pytest.mark.parametrize(
    "path", ["clientcertificates/nobody", "restapis/nobody", "restapis/{api}/stages/nobody", "x/y"]
)
def test_tags_of_what_does_not_exist_are_a_404(path: str, site: Site) -> None:
    """Whatever kind it is of."""
    arn = f"arn:aws:apigateway:us-east-1::/{path.format(api=site.api)}"

    assert _code(lambda: site.v1.get_tags(resourceArn=arn))[0] == "NotFoundException"


def test_stage_has_tags_of_its_own(site: Site) -> None:
    """Beside those of its API."""
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{site.api}"
    site.v1.tag_resource(resourceArn=f"{arn}/stages/prod", tags={"stage": "yes"})
    site.v1.tag_resource(resourceArn=arn, tags={"api": "yes"})

    assert site.v1.get_stage(restApiId=site.api, stageName="prod")["tags"] == {"stage": "yes"}
    assert site.v1.get_rest_api(restApiId=site.api)["tags"] == {"api": "yes"}


# --- attaching


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
    _code(lambda: site.v1.update_stage(restApiId=site.api, stageName="prod", patchOperations=operations))

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
    assert _code(lambda: site.attach(first))[0] == "BadRequestException"


def test_attached_certificate_cannot_be_deleted(site: Site) -> None:
    """The refusal names the stages."""
    name = site.generate()
    site.attach(name)
    code, text = _code(lambda: site.v1.delete_client_certificate(clientCertificateId=name))
    site.attach("")
    site.v1.delete_client_certificate(clientCertificateId=name)

    assert (code, f"{site.api}/prod" in text) == ("BadRequestException", True)
    assert name not in site.state.client_certificates


def test_deleting_an_attached_certificate_can_be_a_conflict(site: Site) -> None:
    """Nobody has published which of the two it is."""
    site.set(delete_attached_status=409)
    name = site.generate()
    site.attach(name)

    assert _code(lambda: site.v1.delete_client_certificate(clientCertificateId=name))[0] == "ConflictException"


def test_certificate_that_is_presented_for_want_of_a_deployment_cannot_be_deleted(site: Site) -> None:
    """It is in use, though it is not shown any more."""
    name = site.generate()
    site.attach(name)
    site.set(redeploy_required=True)
    site.attach("")

    assert _code(lambda: site.v1.delete_client_certificate(clientCertificateId=name))[0] == "BadRequestException"


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
    code, _ = _code(lambda: v2.update_stage(ApiId=http, StageName="prod", ClientCertificateId=name))
    taken = v2.update_stage(ApiId=socket, StageName="prod", ClientCertificateId=name)["ClientCertificateId"]
    used, _ = _code(lambda: site.v1.delete_client_certificate(clientCertificateId=name))

    assert (code, taken, used) == ("BadRequestException", name, "BadRequestException")


# --- ACM certificates


def _leaf(
    key: PrivateKey | None = None,
    *,
    begin: datetime = _NOW - timedelta(days=1),
    end: datetime = _NOW + timedelta(days=1),
    extensions: Extensions = (),
) -> Credential:
    private = key or new_ec_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edge.example")])
    return Credential(self_signed(name, private, begin, end, extensions=extensions), private)


def _usage(**true: bool) -> Extensions:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return ((x509.KeyUsage(**{name: true.get(name, False) for name in names.split()}), True),)


def _purpose(*oids: x509.ObjectIdentifier) -> Extensions:
    return ((x509.ExtendedKeyUsage(oids), False),)


_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def _chained(length: int) -> Credential:
    leaf = _leaf()
    return Credential(leaf.leaf, leaf.key, tuple(_leaf().leaf for _ in range(length - 1)))


@pytest.mark.parametrize(
    "make",
    [
        _leaf,
        lambda: _leaf(new_rsa_key(2048)),
        lambda: _leaf(new_rsa_key(3072)),
        lambda: _leaf(ec.generate_private_key(ec.SECP384R1())),
        lambda: _leaf(ec.generate_private_key(ec.SECP521R1())),
        lambda: _leaf(extensions=_purpose(_SERVER, _CLIENT)),
        lambda: _leaf(extensions=_usage(digital_signature=True)),
        lambda: _leaf(extensions=_usage(key_agreement=True)),
        lambda: _chained(5),
    ],
    ids=["p256", "rsa2048", "rsa3072", "p384", "p521", "eku", "digitalSignature", "keyAgreement", "chain of 5"],
)
def test_acm_certificate_is_attached(make: Callable[[], Credential], site: Site) -> None:
    """With its whole chain."""
    credential = make()
    arn = site.bring(credential)
    site.attach(arn)
    presented = site.state.credential(site.state.presented(site.stage))

    assert presented is not None
    assert presented.certificates == credential.certificates


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: _leaf(end=_NOW - timedelta(seconds=1)), "has expired"),
        (lambda: _leaf(begin=_NOW + timedelta(seconds=1)), "is not yet valid"),
        (lambda: _leaf(extensions=_purpose(_SERVER)), "lacks clientAuth"),
        (lambda: _leaf(extensions=_usage(key_encipherment=True)), "neither digitalSignature nor keyAgreement"),
        (lambda: _chained(6), "at most 5"),
        (lambda: _leaf(new_rsa_key(1024)), "RSA_1024"),
        (lambda: _leaf(ec.generate_private_key(ec.SECP256K1())), "EC_secp256k1"),
    ],
    ids=["expired", "early", "eku", "ku", "chain of 6", "rsa1024", "secp256k1"],
)
def test_acm_certificate_is_refused(make: Callable[[], Credential], reason: str, site: Site) -> None:
    """When it is attached, and with the reason."""
    arn = site.bring(make())
    code, text = _code(lambda: site.attach(arn))

    assert (code, reason in text, site.stage.client_certificate) == ("BadRequestException", True, None)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:acm:eu-west-1:123456789012:certificate/11111111-2222-3333-4444-555555555555",
        "arn:aws:acm:us-east-1:210987654321:certificate/11111111-2222-3333-4444-555555555555",
        "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555",
        "arn:aws:iam::123456789012:server-certificate/x",
    ],
    ids=["other region", "other account", "unknown", "no certificate"],
)
def test_foreign_arn_is_refused(arn: str, site: Site) -> None:
    """Only this account's certificates of this region."""

    assert _code(lambda: site.attach(arn))[0] == "BadRequestException"


def test_judgement_follows_the_gateways_clock(site: Site) -> None:
    """What has expired there has expired."""
    arn = site.bring(_leaf())
    site.state.offset = timedelta(days=2)
    code, _ = _code(lambda: site.attach(arn))
    status = site.acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"]
    site.state.offset = timedelta()

    assert (code, status, site.attach(arn)["clientCertificateId"]) == ("BadRequestException", "EXPIRED", arn)


def test_acm_certificates_are_not_among_the_generated_ones(site: Site) -> None:
    """Neither listed nor found."""
    arn = site.bring(_leaf())

    assert site.v1.get_client_certificates()["items"] == []
    assert _code(lambda: site.v1.get_client_certificate(clientCertificateId=arn))[0] == "NotFoundException"


def test_reimport_replaces_the_certificate_and_tells_the_egress(site: Site) -> None:
    """New connections get the new one at once."""
    arn = site.bring(_leaf())
    site.attach(arn)
    before, renewed = site.changes, _leaf()
    site.bring(renewed, CertificateArn=arn)
    presented = site.state.credential(site.state.presented(site.stage))

    assert presented is not None
    assert (presented.leaf, site.changes) == (renewed.leaf, before + 1)


def test_acm_certificate_in_use_cannot_be_deleted(site: Site) -> None:
    """And says who uses it."""
    arn = site.bring(_leaf())
    site.attach(arn)
    code, _ = _code(lambda: site.acm.delete_certificate(CertificateArn=arn))
    users = site.acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"]
    site.attach("")
    site.acm.delete_certificate(CertificateArn=arn)

    assert code == "ResourceInUseException"
    assert users == [f"arn:aws:apigateway:us-east-1::/restapis/{site.api}/stages/prod"]
    assert _code(lambda: site.acm.get_certificate(CertificateArn=arn))[0] == "ResourceNotFoundException"


def test_acm_gives_certificate_and_chain_back(site: Site) -> None:
    """As PEM, and never the key."""
    credential = new_hierarchy(3).issue()
    answer = site.acm.get_certificate(CertificateArn=site.bring(credential))
    chain = x509.load_pem_x509_certificates(answer["CertificateChain"].encode())

    assert x509.load_pem_x509_certificate(answer["Certificate"].encode()) == credential.leaf
    assert tuple(chain) == credential.chain


def test_acm_describes_what_it_holds(site: Site) -> None:
    """In its own words."""
    arn = site.bring(_leaf(extensions=(*_usage(digital_signature=True), *_purpose(_CLIENT))))
    found = site.acm.describe_certificate(CertificateArn=arn)["Certificate"]
    wanted = {
        "CertificateArn": arn,
        "DomainName": "edge.example",
        "Subject": "CN=edge.example",
        "Status": "ISSUED",
        "Type": "IMPORTED",
        "KeyAlgorithm": "EC_prime256v1",
        "SignatureAlgorithm": "SHA256WITHECDSA",
        "KeyUsages": [{"Name": "DIGITAL_SIGNATURE"}],
        "ExtendedKeyUsages": [{"Name": "TLS_WEB_CLIENT_AUTHENTICATION", "OID": _CLIENT.dotted_string}],
        "NotBefore": _NOW - timedelta(days=1),
        "ImportedAt": _NOW,
    }

    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize("part", ["Certificate", "PrivateKey", "CertificateChain", "another key", "two certificates"])
def test_unusable_import_is_refused(part: str, site: Site) -> None:
    """Nothing is kept of it."""
    credential = _leaf()
    members = {"Certificate": credential.leaf.public_bytes(Encoding.PEM), "PrivateKey": credential.key_pem}
    if part == "another key":
        members["PrivateKey"] = _leaf().key_pem
    elif part == "two certificates":
        members["Certificate"] *= 2
    else:
        members[part] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

    assert _code(lambda: site.acm.import_certificate(**members))[0] == "ValidationException"
    assert site.state.acm_certificates == {}


def test_propagation_time_that_is_set_later_does_not_call_a_switch_back(site: Site) -> None:
    """It counts for the switches that come."""
    first = site.generate()
    site.attach(first)
    site.set(propagation_ms=600_000)

    assert site.state.presented(site.stage) == first
