"""The certificates that a stage can present: generated ones, with keys made in advance, and ACM's, judged when attached."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..pki.credential import Credential
from ..pki.gateway_certificate import gateway_credential
from ..pki.key_pool import KeyPool
from ..pki.keys import PrivateKey
from .errors import bad_request, limit_exceeded
from .ids import SHORT, new_id
from .model import ClientCertificate
from .state import State

__all__ = ["check_attachable", "generate", "key_algorithm", "pem_text"]

MAX_CHAIN = 5
"""Certificates of an ACM certificate that a stage may present, the leaf included."""


def generate(state: State, keys: KeyPool, *, description: str | None, tags: Mapping[str, str]) -> ClientCertificate:
    """A fresh client certificate, not yet among the state's. Raises LimitExceededException beyond the quota."""
    quota = state.settings.quota_client_certificates
    if len(state.client_certificates) >= quota:
        raise limit_exceeded(
            f"Maximum number of client certificates for this account has been reached ({quota}). Delete one that is not in use"
        )
    now = state.now().replace(microsecond=0)
    name = new_id(SHORT, state.client_certificates)
    credential = gateway_credential(not_before=now, key=keys.take(), name=name)
    return ClientCertificate(id=name, credential=credential, description=description, tags=dict(tags))


def pem_text(certificate: x509.Certificate, newlines: str) -> str:
    """*certificate* as ``pemEncodedCertificate``: ``crlf`` without a final newline, as AWS writes it, or ``lf`` with one."""
    text = certificate.public_bytes(Encoding.PEM).decode("ascii")
    return text if newlines == "lf" else text.removesuffix("\n").replace("\n", "\r\n")


# --- ACM certificates for stages


def check_attachable(state: State, reference: str) -> None:
    """Refuse what UpdateStage may not attach: BadRequestException that says why.

    Section "ACM certificate requirements" of AWS's developer guide; links and CA flags of the chain are not looked at.
    """
    if reference.startswith("arn:"):
        _check_place(state, reference)
    credential = state.require_credential(reference)
    if reference not in state.acm_certificates:
        return
    problem = _problem(state, credential)
    if problem:
        raise bad_request(f"Invalid ACM certificate {reference}: {problem}")


_ARN = re.compile(r"arn:aws[a-z-]*:acm:(?P<region>[^:]*):(?P<account>[^:]*):certificate/[\w-]+")


def _check_place(state: State, arn: str) -> None:
    found = _ARN.fullmatch(arn)
    if found is None:
        raise bad_request(f"Invalid ACM certificate ARN: {arn}")
    if (found["region"], found["account"]) != (state.region, state.account_id):
        raise bad_request(
            f"Invalid ACM certificate {arn}: expected one of region {state.region} and account {state.account_id}"
        )


def _problem(state: State, credential: Credential) -> str | None:
    leaf, now = credential.leaf, state.now()
    if now > leaf.not_valid_after_utc:
        return "the certificate has expired"
    if now < leaf.not_valid_before_utc:
        return "the certificate is not yet valid"
    if len(credential.certificates) > MAX_CHAIN:
        return f"the chain has {len(credential.certificates)} certificates, expected at most {MAX_CHAIN}"
    if key_algorithm(credential.key) not in _ATTACHABLE:
        return f"the key is {key_algorithm(credential.key)}, expected one of {', '.join(sorted(_ATTACHABLE))}"
    return _usage_problem(leaf)


def _usage_problem(leaf: x509.Certificate) -> str | None:
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH not in value:
            return "the extended key usage lacks clientAuth"
        if isinstance(value, x509.KeyUsage) and not (value.digital_signature or value.key_agreement):
            return "the key usage has neither digitalSignature nor keyAgreement"
    return None


_CURVES = {"secp256r1": "EC_prime256v1", "secp384r1": "EC_secp384r1", "secp521r1": "EC_secp521r1"}
_ATTACHABLE = {"RSA_2048", "RSA_3072", "RSA_4096", *_CURVES.values()}


def key_algorithm(key: PrivateKey) -> str:
    """The kind of *key* in ACM's words: ``RSA_2048``, ``EC_prime256v1`` …"""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _CURVES.get(key.curve.name, f"EC_{key.curve.name}")
    return f"RSA_{key.key_size}"
