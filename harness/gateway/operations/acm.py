"""As much of AWS Certificate Manager as a stage's certificate needs: import, look at, list, delete."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..certificates import key_algorithm
from ..errors import ApiError
from ..imports import read_credential
from ..model import AcmCertificate
from ..paging import page
from ..state import State
from .table import Call, not_emulated, operation

__all__ = ["described"]

_MOST_ITEMS = 1_000
_STATUSES = "PENDING_VALIDATION|ISSUED|INACTIVE|EXPIRED|VALIDATION_TIMED_OUT|REVOKED|FAILED"
_KEY_TYPES = "RSA_1024|RSA_2048|RSA_3072|RSA_4096|EC_prime256v1|EC_secp384r1|EC_secp521r1"
_EXTENDED = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS_WEB_SERVER_AUTHENTICATION",
    ExtendedKeyUsageOID.CLIENT_AUTH: "TLS_WEB_CLIENT_AUTHENTICATION",
    ExtendedKeyUsageOID.CODE_SIGNING: "CODE_SIGNING",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "EMAIL_PROTECTION",
    ExtendedKeyUsageOID.TIME_STAMPING: "TIME_STAMPING",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP_SIGNING",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "ANY",
}
_USAGES = {
    "digital_signature": "DIGITAL_SIGNATURE",
    "content_commitment": "NON_REPUDIATION",
    "key_encipherment": "KEY_ENCIPHERMENT",
    "data_encipherment": "DATA_ENCIPHERMENT",
    "key_agreement": "KEY_AGREEMENT",
    "key_cert_sign": "CERTIFICATE_SIGNING",
    "crl_sign": "CRL_SIGNING",
}


def _found(state: State, call: Call) -> AcmCertificate:
    arn = call["CertificateArn"]
    try:
        return state.acm_certificates[arn]
    except KeyError:
        raise ApiError("ResourceNotFoundException", f"Could not find certificate {arn}.") from None


def _summary(state: State, one: AcmCertificate) -> dict[str, Any]:
    """What the certificate's description and its line in the list have in common."""
    leaf, names = one.leaf, list(_dns_names(one.leaf))
    return {
        "CertificateArn": one.arn,
        "DomainName": next(iter([*_common_names(leaf), *names]), None),
        "Status": _status(state, one),
        "Type": "IMPORTED",
        "KeyAlgorithm": key_algorithm(one.credential.key),
        "NotBefore": leaf.not_valid_before_utc,
        "NotAfter": leaf.not_valid_after_utc,
        "CreatedAt": one.imported,
        "ImportedAt": one.imported,
        "RenewalEligibility": "INELIGIBLE",
    }


def described(state: State, one: AcmCertificate) -> dict[str, Any]:
    """DescribeCertificate's answer about *one*."""
    leaf, serial = one.leaf, f"{one.leaf.serial_number:x}"
    octets = bytes.fromhex(serial if len(serial) % 2 == 0 else f"0{serial}") if one.leaf.serial_number > 0 else b"\0"
    digest = leaf.signature_hash_algorithm
    return {
        **_summary(state, one),
        "SubjectAlternativeNames": list(_dns_names(leaf)),
        "Serial": octets.hex(":"),
        "Subject": leaf.subject.rfc4514_string(),
        "Issuer": leaf.issuer.rfc4514_string(),
        "SignatureAlgorithm": f"{digest.name.upper()}WITH{_signer(leaf)}" if digest else _signer(leaf),
        "InUseBy": [
            f"arn:aws:apigateway:{state.region}::/restapis/{user.replace('/', '/stages/')}"
            for user in state.users(one.arn)
        ]
        + [f"arn:aws:apigateway:{state.region}::/domainnames/{name}" for name in state.domains_with(one.arn)],
        "KeyUsages": [{"Name": name} for name in _usages(leaf)],
        "ExtendedKeyUsages": [
            {"Name": _EXTENDED.get(oid, "CUSTOM"), "OID": oid.dotted_string} for oid in _extended_usages(leaf)
        ],
    }


def _status(state: State, one: AcmCertificate) -> str:
    return "EXPIRED" if state.now() > one.leaf.not_valid_after_utc else "ISSUED"


def _signer(leaf: x509.Certificate) -> str:
    # The dotted names of ECDSA's algorithms begin with ANSI X9.62's arc.
    return "ECDSA" if leaf.signature_algorithm_oid.dotted_string.startswith("1.2.840.10045") else "RSA"


def _common_names(leaf: x509.Certificate) -> Iterator[str]:
    return (str(name.value) for name in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def _dns_names(leaf: x509.Certificate) -> Iterator[str]:
    for extension in leaf.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            yield from extension.value.get_values_for_type(x509.DNSName)


def _usages(leaf: x509.Certificate) -> Iterator[str]:
    for extension in leaf.extensions:
        if isinstance(extension.value, x509.KeyUsage):
            yield from (name for field, name in _USAGES.items() if getattr(extension.value, field))


def _extended_usages(leaf: x509.Certificate) -> Iterator[x509.ObjectIdentifier]:
    for extension in leaf.extensions:
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            yield from extension.value


@operation(
    "acm",
    "ImportCertificate",
    "POST",
    "/",
    200,
    body="CertificateArn Certificate*:blob PrivateKey*:blob CertificateChain:blob Tags:[{Key* Value}]",
)
def _import(state: State, call: Call) -> dict[str, Any]:
    arn = call.get("CertificateArn")
    before = _found(state, call) if arn else None
    if before is not None and call.get("Tags"):
        raise ApiError("ValidationException", "You cannot apply tags when reimporting a certificate.")
    name = arn or f"arn:aws:acm:{state.region}:{state.account_id}:certificate/{uuid.uuid4()}"
    credential = read_credential(call["Certificate"], call["PrivateKey"], call.get("CertificateChain"), name=name)
    if before is None:
        tags = {tag["Key"]: tag.get("Value", "") for tag in call.get("Tags", [])}
        one = AcmCertificate(arn=name, credential=credential, imported=state.now(), tags=tags)
    else:
        one = replace(before, credential=credential, imported=state.now())
    state.acm_certificates[name] = one
    if before is not None:
        state.changed()
    return {"CertificateArn": name}


@operation("acm", "DescribeCertificate", "POST", "/", 200, body="CertificateArn*")
def _describe(state: State, call: Call) -> dict[str, Any]:
    return {"Certificate": described(state, _found(state, call))}


@operation("acm", "GetCertificate", "POST", "/", 200, body="CertificateArn*")
def _get(state: State, call: Call) -> dict[str, Any]:
    leaf, *chain = [
        certificate.public_bytes(Encoding.PEM).decode("ascii")
        for certificate in _found(state, call).credential.certificates
    ]
    return {"Certificate": leaf, "CertificateChain": "".join(chain) or None}


@operation(
    "acm",
    "ListCertificates",
    "POST",
    "/",
    200,
    body=f"""CertificateStatuses:[{_STATUSES}] NextToken MaxItems:int SortBy:CREATED_AT
        SortOrder:ASCENDING|DESCENDING CertificateKeyPairOrigins:[AWS_MANAGED|ACME|CUSTOMER_PROVIDED]
        Includes:{{extendedKeyUsage:[string] keyUsage:[string] keyTypes:[{_KEY_TYPES}] exportOption managedBy}}""",
)
def _list(state: State, call: Call) -> dict[str, Any]:
    includes = call.get("Includes", {})
    for name in [*call.stored("CertificateKeyPairOrigins SortBy SortOrder"), *(includes.keys() - {"keyTypes"})]:
        raise not_emulated(f"{name} of ListCertificates")
    statuses, kinds = call.get("CertificateStatuses"), includes.get("keyTypes")
    chosen = {
        arn: one
        for arn, one in state.acm_certificates.items()
        if (not statuses or _status(state, one) in statuses)
        and (not kinds or key_algorithm(one.credential.key) in kinds)
    }
    keys, following = page(
        chosen,
        limit=call.get("MaxItems", _MOST_ITEMS),
        token=call.get("NextToken"),
        scope="ListCertificates",
        most=_MOST_ITEMS,
    )
    lines = [
        {**_summary(state, chosen[key]), "InUse": bool(state.users(key) or state.domains_with(key))} for key in keys
    ]
    return {"CertificateSummaryList": lines, "NextToken": following}


@operation("acm", "DeleteCertificate", "POST", "/", 200, body="CertificateArn*")
def _delete(state: State, call: Call) -> None:
    one = _found(state, call)
    users, domains = state.users(one.arn), state.domains_with(one.arn)
    if users:
        raise ApiError("ResourceInUseException", f"Certificate {one.arn} is in use by stages: {', '.join(users)}")
    if domains:
        raise ApiError("ResourceInUseException", f"Certificate {one.arn} is in use by domains: {', '.join(domains)}")
    del state.acm_certificates[one.arn]
