"""Caddy with a line of its own for each certificate, because Caddy 2.6 reads only the first one of a file."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .caddy import CONFIG
from .caddy import SERVER as _STOCK

__all__ = ["SERVER"]


def _pin(certificate: x509.Certificate) -> str:
    return f"      trusted_ca_cert {b64encode(certificate.public_bytes(Encoding.DER)).decode()}"


SERVER = replace(
    _STOCK,
    name="caddy-pinned",
    cures="caddy",
    about="client_auth require_and_verify, and a trusted_ca_cert line for each certificate",
    config=replace(
        CONFIG,
        stock=CONFIG.stock.replace("      trusted_ca_cert_file {truststore}", "{pins}"),
        required=("port", "server_cert", "server_key", "pins"),
    ),
    pin=_pin,
)
