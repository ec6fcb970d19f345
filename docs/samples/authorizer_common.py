"""What the sample authorizers share: the client certificate of an event, its issuers, a bounded download, the answer.

Put this file beside the authorizer, into the same Lambda function. It needs the package cryptography.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

__all__ = ["Refused", "Unreachable", "authorize", "download", "issued_by", "path_to_root", "read_truststore"]

SECONDS = 2.0
"""How long a server may stay silent: API Gateway waits 10 s for an authorizer, which may have to ask for four certificates."""

MOST_OCTETS = 20_000_000
"""What is longer is not read to its end."""


class Refused(Exception):
    """This client is not let in; the text says why."""


class Unreachable(Exception):
    """There was nothing to judge by; the text says why."""


def read_truststore() -> list[x509.Certificate]:
    """All CA certificates of the custom domain's truststore, from the PEM file that the variable TRUSTSTORE names."""
    return x509.load_pem_x509_certificates(Path(os.environ.get("TRUSTSTORE", "truststore.pem")).read_bytes())


def authorize(event: Mapping[str, Any], check: Callable[[x509.Certificate], None]) -> dict[str, Any]:
    """The answer to an *event*: an IAM policy, or to payload format 2.0 a simple response. *check* raises Refused.

    Whoever presented no certificate is refused: the default endpoint asks for none, and may have been left open.
    """
    reason, subject = "good", "nobody"
    try:
        certificate = _client_certificate(event)
        subject = certificate.subject.rfc4514_string() or "no name"
        check(certificate)
    except Refused as refused:
        reason = str(refused)
        print(json.dumps({"refused": subject, "reason": reason}))  # goes to CloudWatch
    allowed = reason == "good"
    if event.get("version") == "2.0":
        return {"isAuthorized": allowed, "context": {"revocation": reason}}
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if allowed else "Deny",
        "Resource": event["methodArn"],
    }
    return {
        "principalId": subject,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"revocation": reason},
    }


def _client_certificate(event: Mapping[str, Any]) -> x509.Certificate:
    place = "authentication" if event.get("version") == "2.0" else "identity"
    found = ((event.get("requestContext") or {}).get(place) or {}).get("clientCert") or {}
    if not found.get("clientCertPem"):
        raise Refused("no client certificate")
    try:
        return x509.load_pem_x509_certificate(found["clientCertPem"].encode())
    except ValueError as error:
        raise Refused("unreadable client certificate") from error


def path_to_root(
    certificate: x509.Certificate, truststore: Sequence[x509.Certificate]
) -> Iterator[tuple[x509.Certificate, x509.Certificate]]:
    """The *certificate* with its issuer, that one with its own, up to a root of the *truststore*, which nobody can revoke.

    The event has the leaf alone, and API Gateway takes issuers from the truststore alone. Dates and constraints are its part.
    """
    for _ in range(5):  # a leaf and four CA certificates: API Gateway allows no more
        if certificate in truststore and issued_by(certificate, certificate):
            return
        issuer = next((one for one in truststore if issued_by(certificate, one)), None)
        if issuer is None:
            break
        yield certificate, issuer
        certificate = issuer
    raise Refused("no path to a root of the truststore")


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether *issuer* signed the *certificate*, which names it."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def download(url: str, question: bytes | None = None, content_type: str = "") -> bytes:
    """What a GET of *url* gives, or a POST of the *question*; raises Unreachable when that is nothing, or endless."""
    if not url.startswith(("http://", "https://")):  # urllib would open files too
        raise Unreachable("no URL of HTTP")
    headers = {"Content-Type": content_type} if question is not None else {}
    try:
        request = urllib.request.Request(url, data=question, headers=headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            body: bytes = answer.read(MOST_OCTETS + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(f"{type(error).__name__} at {url}") from error
    if len(body) > MOST_OCTETS:
        raise Unreachable(f"more than {MOST_OCTETS} octets at {url}")
    return body
