"""ACM certificates through boto3: imported, judged when they are attached, replaced, deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pytest_mtls.harness.pki.authority import new_hierarchy
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.issue import Extensions, self_signed
from pytest_mtls.harness.pki.keys import PrivateKey, new_ec_key, new_rsa_key

from .site import NOW, Site, code_and_text


def _leaf(
    key: PrivateKey | None = None,
    *,
    begin: datetime = NOW - timedelta(days=1),
    end: datetime = NOW + timedelta(days=1),
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
        (lambda: _leaf(end=NOW - timedelta(seconds=1)), "has expired"),
        (lambda: _leaf(begin=NOW + timedelta(seconds=1)), "is not yet valid"),
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
    code, text = code_and_text(lambda: site.attach(arn))

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

    assert code_and_text(lambda: site.attach(arn))[0] == "BadRequestException"


def test_judgement_follows_the_gateways_clock(site: Site) -> None:
    """What has expired there has expired."""
    arn = site.bring(_leaf())
    site.state.offset = timedelta(days=2)
    code, _ = code_and_text(lambda: site.attach(arn))
    status = site.acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"]
    site.state.offset = timedelta()

    assert (code, status, site.attach(arn)["clientCertificateId"]) == ("BadRequestException", "EXPIRED", arn)


def test_acm_certificates_are_not_among_the_generated_ones(site: Site) -> None:
    """Neither listed nor found."""
    arn = site.bring(_leaf())

    assert site.v1.get_client_certificates()["items"] == []
    assert code_and_text(lambda: site.v1.get_client_certificate(clientCertificateId=arn))[0] == "NotFoundException"


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
    code, _ = code_and_text(lambda: site.acm.delete_certificate(CertificateArn=arn))
    users = site.acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"]
    site.attach("")
    site.acm.delete_certificate(CertificateArn=arn)

    assert code == "ResourceInUseException"
    assert users == [f"arn:aws:apigateway:us-east-1::/restapis/{site.api}/stages/prod"]
    assert code_and_text(lambda: site.acm.get_certificate(CertificateArn=arn))[0] == "ResourceNotFoundException"


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
        "NotBefore": NOW - timedelta(days=1),
        "ImportedAt": NOW,
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

    assert code_and_text(lambda: site.acm.import_certificate(**members))[0] == "ValidationException"
    assert site.state.acm_certificates == {}
