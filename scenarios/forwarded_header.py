"""Certificates in headers: what a proxy would forward, sent by somebody who is no proxy."""

from __future__ import annotations

import base64
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..harness.backend.approach import Approach
from ..harness.pki.credential import Credential
from ..harness.scenario import BOTH, MUST, scenario
from ..harness.tls.probe import Request
from ..harness.trial import Trial


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 9440 4",),
    remedy="""Take certificate headers only from connections that your own proxy has authenticated, and remove them from all others.
    The PEM is public: whoever has it could write the header.""",
)
def forged_on_direct_connection(mtls_trial: Trial) -> None:
    """A certificate header MUST NOT make up for a missing client certificate, nor for a wrong one.

    No client certificate, and a stranger's; every known header family carries the trusted certificate's PEM, subject and
    SUCCESS, one family a request. The twin sends the same headers with the good credential, so that a request that is merely
    too large or odd does not look like a refusal.
    """
    backend, stranger = mtls_trial.backend, mtls_trial.defect("stranger")
    kept_out = not backend.lets_in(stranger)  # otherwise the header is not what opens the door: trust/ tells that
    for family, headers in _families(mtls_trial.good).items():
        approach = Approach(request=Request(headers=headers))
        backend.rejects(None, f"forged {family}", approach=approach)
        if kept_out:  # what is read from a header does not depend on the TLS version
            what = f"forged {family}, beside a stranger's certificate"
            backend.rejects(stranger, what, approach=approach, versions=backend.versions[-1:])


def _families(good: Credential) -> dict[str, tuple[tuple[str, str], ...]]:
    """The header families of proxies and clouds, as they would forward *good*."""
    leaf = good.leaf
    der = base64.b64encode(leaf.public_bytes(Encoding.DER)).decode()
    pem = leaf.public_bytes(Encoding.PEM).decode()
    escaped, one_line = quote(pem, safe=""), pem.replace("\n", " ").strip()
    subject, issuer, serial = _text(leaf.subject), _text(leaf.issuer), f"{leaf.serial_number:x}"
    validity = f"NotBefore={leaf.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ};NotAfter={leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    xfcc = f'Hash={good.fingerprint};Cert="{escaped}";Subject="{subject}"'
    return {
        "Client-Cert": (("Client-Cert", f":{der}:"), ("Client-Cert-Chain", f":{der}:")),
        "X-Forwarded-Client-Cert": (("X-Forwarded-Client-Cert", xfcc),),
        "X-Amzn-Mtls-Clientcert": (
            ("X-Amzn-Mtls-Clientcert", quote(pem, safe="+=/")),
            ("X-Amzn-Mtls-Clientcert-Subject", subject),
            ("X-Amzn-Mtls-Clientcert-Issuer", issuer),
            ("X-Amzn-Mtls-Clientcert-Serial-Number", serial),
            ("X-Amzn-Mtls-Clientcert-Validity", validity),
        ),
        "X-Amzn-Mtls-Clientcert-Leaf": (("X-Amzn-Mtls-Clientcert-Leaf", quote(pem, safe="+=/")),),
        "X-ARR-ClientCert": (("X-ARR-ClientCert", der),),
        "X-Forwarded-Tls-Client-Cert": (
            ("X-Forwarded-Tls-Client-Cert", der),
            ("X-Forwarded-Tls-Client-Cert-Info", quote(f'Subject="{subject}"')),
        ),
        "Cf-Client-Cert-Der-Base64": (("Cf-Client-Cert-Der-Base64", der), ("Cf-Client-Cert-Verified", "true")),
        "CloudFront-Viewer-Cert": (
            ("CloudFront-Viewer-Cert-Pem", escaped),
            ("CloudFront-Viewer-Cert-Present", "1"),
            ("CloudFront-Viewer-Cert-Subject", subject),
            ("CloudFront-Viewer-Cert-Serial-Number", serial),
        ),
        "ssl-client": (
            ("ssl-client-verify", "SUCCESS"),
            ("ssl-client-cert", escaped),
            ("ssl-client-subject-dn", subject),
            ("ssl-client-issuer-dn", issuer),
        ),
        "X-SSL-Client": (
            ("X-SSL-Client-Cert", one_line),
            ("X-SSL-Client-Verify", "SUCCESS"),
            ("X-SSL-Client-S-DN", subject),
        ),
        "SSL_CLIENT": (
            ("SSL_CLIENT_CERT", one_line),
            ("SSL_CLIENT_VERIFY", "SUCCESS"),
            ("SSL_CLIENT_S_DN", subject),
        ),
        "X-Client-Cert": (("X-Client-Cert", one_line),),
    }


def _text(name: x509.Name) -> str:
    """A name as RFC 4514 text; what a header cannot hold is escaped by octets (2.4), as nginx does."""
    return "".join(
        letter if " " <= letter <= "~" else "".join(f"\\{octet:02X}" for octet in letter.encode())
        for letter in name.rfc4514_string()
    )
