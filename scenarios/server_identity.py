"""The backend's own certificate and protocol as API Gateway would judge them."""

from __future__ import annotations

from ..harness.backend.instance import Approach
from ..harness.pki.names import ServedNames, matches, names_of
from ..harness.scenario import BOTH, MUST, scenario
from ..harness.tls.observation import TlsVersion
from ..harness.trial import Trial

_AWS_SUITES = "ECDHE+AESGCM"


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 9525 6.3", "API Gateway: backend authentication"),
    remedy="""Get a server certificate for the host name that the integration's URI calls (exact, or *. and its parent). Without it
    the gateway ends every call with 500, 'Host name does not match the certificate subject'.""",
)
def name_matches(mtls_trial: Trial) -> None:
    """The server certificate MUST be made out to the host name that is called.

    The called host name against the served certificate: a dNSName matches, or, without any subjectAltName, the CN.
    """
    backend = mtls_trial.backend
    host = backend.instance.endpoint.server_name or backend.instance.endpoint.host
    for tls in backend.versions:
        seen = backend.observe(mtls_trial.good, tls)
        names = names_of(seen.server_chain[0]) if seen.server_chain else ServedNames()
        backend.shows("host name", seen, matches(host, names), f"{host} is in {names}", f"{host} is not in {names}")


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("API Gateway: supported TLS versions for integrations",),
    remedy="""Offer TLS 1.2 beside 1.3, with ECDHE and AES-GCM suites: API Gateway speaks nothing newer to backends.""",
)
def tls12_offered(mtls_trial: Trial) -> None:
    """The backend MUST speak TLS 1.2 with a suite that API Gateway has.

    ClientHello with TLS 1.2 only and ECDHE AES-GCM suites, good credential.
    """
    backend = mtls_trial.backend
    backend.speaks(TlsVersion.TLS12, Approach(ciphers=_AWS_SUITES))
