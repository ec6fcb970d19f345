"""The backend's own certificate and protocol as API Gateway would judge them."""

from __future__ import annotations

from ..harness.backend.approach import Approach
from ..harness.backend.started import ServerSide
from ..harness.errors import NotApplicable
from ..harness.pki.authority import SERVER_NAMES, new_hierarchy, server_credential
from ..harness.pki.names import ServedNames, first_gap, matches, names_of
from ..harness.scenario import BOTH, MUST, scenario
from ..harness.subject import Subject
from ..harness.tls.observation import Observation, TlsVersion
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
        _matches(backend, seen, host)


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


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 9525 6.3",),
    remedy="""Use a certificate for the exact host name, or for *. and its parent: an asterisk stands for one label, the
    left-most.""",
)
def wildcard_one_label(mtls_trial: Trial) -> None:
    """A wildcard in the server certificate MUST stand for exactly one label of the host name that is called.

    Server certificate for *.backend.test, called as api.backend.test; a backend that already runs is judged only if the
    match is by wildcard.
    """
    if not mtls_trial.can_start:
        _wildcard_as_found(mtls_trial)
        return
    hierarchy = new_hierarchy(2)
    names = (*SERVER_NAMES, "*.backend.test")
    side = ServerSide(server_credential(names, hierarchy=hierarchy), hierarchy)
    good = mtls_trial.generation("good credential")
    with mtls_trial.start(good.anchor, server=side) as backend:
        for tls in backend.versions:
            seen = backend.instance.probe(good.credential, tls, Approach(server_name="api.backend.test"))
            _matches(backend, seen, "api.backend.test")


def _wildcard_as_found(trial: Trial) -> None:
    backend = trial.backend
    host = backend.instance.endpoint.server_name or backend.instance.endpoint.host
    seen = backend.observe(trial.good, backend.versions[0])
    names = names_of(seen.server_chain[0]) if seen.server_chain else ServedNames()
    if host.lower() in (name.lower() for name in names.dns) or not any("*" in name for name in names.dns):
        raise NotApplicable("the server certificate does not name the host by a wildcard")
    _matches(backend, seen, host)


def _matches(backend: Subject, seen: Observation, host: str) -> None:
    names = names_of(seen.server_chain[0]) if seen.server_chain else ServedNames()
    backend.shows("host name", seen, matches(host, names), f"{host} is in {names}", f"{host} is not in {names}")


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 8446 4.4.2", "API Gateway: backend authentication"),
    remedy="""Serve the full chain: the file for the server's certificate holds the leaf first, then every intermediate up to the
    root (which may be left out). Without them the gateway ends every call with 500, 'path building failed'.""",
)
def chain_sent(mtls_trial: Trial) -> None:
    """The server MUST send its certificate first, and every intermediate up to the root.

    The certificates that the server sends.
    """
    backend = mtls_trial.backend
    roots = mtls_trial.server_roots
    if not roots:
        raise NotApplicable("the root of the server's certificate is not known: give it by --server-ca")
    for tls in backend.versions:
        seen = backend.observe(mtls_trial.good, tls)
        gap = first_gap(seen.server_chain, roots)
        sent = " <- ".join(one.subject.rfc4514_string() for one in seen.server_chain)
        backend.shows(
            "certificates sent", seen, gap is None, f"{len(seen.server_chain)} certificates: {sent}", f"{gap}"
        )


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 5280 4.1.2.5", "API Gateway: backend authentication"),
    remedy="""Renew the server's certificate (and its intermediates) in time. The gateway ends every call with 500, 'validity check
    failed'; not even insecureSkipVerification allows an expired one.""",
)
def currently_valid(mtls_trial: Trial) -> None:
    """Every certificate that the server sends MUST be valid now.

    Dates of all certificates sent.
    """
    backend, now = mtls_trial.backend, mtls_trial.bench.clock()
    for tls in backend.versions:
        seen = backend.observe(mtls_trial.good, tls)
        for one in seen.server_chain:
            holds = one.not_valid_before_utc <= now <= one.not_valid_after_utc
            dates = f"valid from {one.not_valid_before_utc:%Y-%m-%d} to {one.not_valid_after_utc:%Y-%m-%d}"
            backend.shows(one.subject.rfc4514_string(), seen, holds, dates, dates)
