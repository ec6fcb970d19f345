"""Client certificates through boto3: made, listed by tags, and at the end of a quota."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pytest_mtls.harness.gateway.control_plane import ControlPlane
from pytest_mtls.harness.pki.key_pool import KeyPool

from .site import NOW, Site, code_and_text

_REAL = sorted((Path(__file__).parents[2] / "data" / "gateway-certificates").glob("*.pem"))


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

    assert answer["createdDate"] == leaf.not_valid_before_utc == NOW
    assert answer["expirationDate"] == leaf.not_valid_after_utc == NOW + timedelta(days=365)
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
    code, _ = code_and_text(site.generate)
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

    assert code_and_text(lambda: site.v1.get_tags(resourceArn=arn))[0] == "NotFoundException"


def test_stage_has_tags_of_its_own(site: Site) -> None:
    """Beside those of its API."""
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{site.api}"
    site.v1.tag_resource(resourceArn=f"{arn}/stages/prod", tags={"stage": "yes"})
    site.v1.tag_resource(resourceArn=arn, tags={"api": "yes"})

    assert site.v1.get_stage(restApiId=site.api, stageName="prod")["tags"] == {"stage": "yes"}
    assert site.v1.get_rest_api(restApiId=site.api)["tags"] == {"api": "yes"}
