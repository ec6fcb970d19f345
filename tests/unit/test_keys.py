"""Private keys: the kinds that API Gateway presents, and the key of somebody who has the certificate alone."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pytest_mtls.harness.pki.keys import new_ec_key, new_rsa_key, rsa_key_without_its_secret

_MESSAGE = b"what a CertificateVerify signs"


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """One RSA-2048 key for the whole module."""
    return new_rsa_key()


@pytest.fixture(scope="module")
def copied_key(rsa_key: rsa.RSAPrivateKey) -> rsa.RSAPrivateKey:
    """What somebody has who copied the certificate of *rsa_key*."""
    return rsa_key_without_its_secret(rsa_key)


def _sign(key: rsa.RSAPrivateKey) -> bytes:
    return key.sign(_MESSAGE, padding.PKCS1v15(), hashes.SHA256())


def _verify(key: rsa.RSAPrivateKey, signature: bytes) -> None:
    key.public_key().verify(signature, _MESSAGE, padding.PKCS1v15(), hashes.SHA256())


def test_an_ec_key_is_on_p256() -> None:
    """Where nothing else is asked for, keys are on the curve that every TLS stack has."""

    assert isinstance(new_ec_key().curve, ec.SECP256R1)


def test_an_rsa_key_is_like_api_gateways(rsa_key: rsa.RSAPrivateKey) -> None:
    """Without a size an RSA key has the size and exponent of API Gateway's."""

    assert (rsa_key.key_size, rsa_key.public_key().public_numbers().e) == (2048, 65537)


def test_an_rsa_key_has_the_size_asked_for() -> None:
    """Defects need keys that are too short."""

    assert new_rsa_key(1024).key_size == 1024


def test_keys_are_fresh() -> None:
    """No two calls give the same key."""

    assert new_ec_key().public_key() != new_ec_key().public_key()


def test_a_copied_key_has_the_public_half(rsa_key: rsa.RSAPrivateKey, copied_key: rsa.RSAPrivateKey) -> None:
    """OpenSSL compares the public halves of certificate and key, so these must be equal."""

    assert copied_key.public_key() == rsa_key.public_key()


def test_a_copied_key_lacks_the_secret(rsa_key: rsa.RSAPrivateKey, copied_key: rsa.RSAPrivateKey) -> None:
    """None of the three secret exponents may be the true one."""

    wrong, true = copied_key.private_numbers(), rsa_key.private_numbers()
    assert {wrong.d, wrong.dmp1, wrong.dmq1}.isdisjoint({true.d, true.dmp1, true.dmq1})


def test_a_copied_keys_signature_does_not_verify(rsa_key: rsa.RSAPrivateKey, copied_key: rsa.RSAPrivateKey) -> None:
    """It signs without an error, and what it signs is worth nothing."""

    with pytest.raises(InvalidSignature):
        _verify(rsa_key, _sign(copied_key))


def test_the_true_keys_signature_verifies(rsa_key: rsa.RSAPrivateKey) -> None:
    """The twin: the same check passes for the key's owner."""

    _verify(rsa_key, _sign(rsa_key))  # raises InvalidSignature otherwise
