"""Private keys: P-256 where nothing else is asked for, RSA-2048 for gateway certificates (as API Gateway makes them)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa

__all__ = ["PrivateKey", "new_ec_key", "new_rsa_key", "rsa_key_without_its_secret"]

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
"""The kinds of private key that API Gateway can present."""


def new_ec_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key (about 0.02 ms)."""
    return ec.generate_private_key(ec.SECP256R1())


def new_rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A fresh RSA key of *bits* bits with e = 65537 (2048 bits take 30 to 60 ms)."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def rsa_key_without_its_secret(key: rsa.RSAPrivateKey) -> rsa.RSAPrivateKey:
    """A key with the public half of *key* and a wrong secret: what somebody has who copied the certificate alone.

    OpenSSL compares the public halves only, so it sends the certificate and signs a CertificateVerify that cannot be
    verified (RFC 8446 4.4.3). The factors must be the true ones, or OpenSSL refuses to sign at all. The public half
    alone would do for an attacker; that we borrow the factors from *key* changes nothing on the wire.
    """
    true = key.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        p=true.p,
        q=true.q,
        d=true.d - 2,
        dmp1=true.dmp1 - 2,
        dmq1=true.dmq1 - 2,
        iqmp=true.iqmp,
        public_numbers=true.public_numbers,
    )
    return wrong.private_key(unsafe_skip_rsa_key_validation=True)
