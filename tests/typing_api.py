"""Read by mypy and pyright only: a checker that does not see the package's types reports the ignore as unneeded."""

from pytest_mtls import Credential, Endpoint, Observation, RevocationPki, TlsVersion, gateway_credential, probe
from pytest_mtls.harness.tls.probe import Request

endpoint = Endpoint(host="127.0.0.1", port=443, server_name="localhost", authority="localhost")
credential: Credential = gateway_credential()
seen: Observation = probe(endpoint, tls=TlsVersion.TLS12, credential=credential, request=Request(method="HEAD"))
wrong: str = seen.certificate_requested  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

with RevocationPki(depth=2) as pki:
    leaf: Credential = pki.issue()
    pki.revoke(leaf, "keyCompromise")
    pki.ocsp.mode = "silent"
    asked: int = pki.crl_requests
    octets: str = pki.crl_pem()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
