"""Only certificates that the truststore stands for."""

from __future__ import annotations

from dataclasses import replace

from cryptography import x509

from ..harness.errors import NotApplicable
from ..harness.pki.authority import new_hierarchy
from ..harness.pki.gateway_certificate import GATEWAY_NAME
from ..harness.scenario import BOTH, GATEWAY, MUST, PRIVATE_CA, scenario
from ..harness.trial import Trial

_COMPARE_KEYS = """Verify the certificate against the truststore, or compare its SHA-256 fingerprint with the pinned one. Names,
serial numbers and dates prove nothing: every API Gateway certificate of every AWS customer bears the name C=US, L=Seattle,
CN=ApiGateway, and the rest of a certificate is readable by anyone with API access."""

_FAIL_CLOSED = """Refuse to start, or refuse everybody, when the truststore is missing or holds no certificate. A server that
switches verification off then is open to all after one failed deployment."""


@scenario(
    level=MUST,
    profiles=(GATEWAY,),
    references=("RFC 5280 6.1", "API Gateway: generate a client certificate"),
    remedy="""Accept a pinned certificate as it is: X.509 v3 without any extension, self-signed. Do not ask for
    basicConstraints, key usage or an EKU; the profile of API Gateway's certificates has not changed since 2016.""",
)
def gateway_certificate(mtls_trial: Trial) -> None:
    """A gateway certificate in the truststore MUST be accepted, under every TLS version.

    v3 without any extension, RSA-2048, SHA-256, 365 days, DN C=US, L=Seattle, CN=ApiGateway; GET the path.
    """
    if not mtls_trial.can_start:
        _require_gateway_certificate(mtls_trial.good.leaf)
        mtls_trial.backend.accepts(mtls_trial.good)
        return
    gateway = mtls_trial.new_gateway("gateway certificate")
    with mtls_trial.start(gateway.leaf) as backend:
        backend.accepts(gateway)


def _require_gateway_certificate(given: x509.Certificate) -> None:
    """Any other certificate that is let in proves nothing about API Gateway's."""
    if given.issuer != GATEWAY_NAME or given.subject != GATEWAY_NAME or list(given.extensions):
        raise NotApplicable(
            f"the given client certificate ({given.subject.rfc4514_string()}) is none of API Gateway's: "
            "they are self-signed, named C=US, L=Seattle, CN=ApiGateway, and have no extension"
        )


@scenario(level=MUST, profiles=(GATEWAY,), references=("RFC 5280 6.1",), remedy=_COMPARE_KEYS)
def other_customer_same_name(mtls_trial: Trial) -> None:
    """Another AWS customer's gateway certificate MUST be refused.

    The same DN, its own key and serial, not in the truststore. Ideal: unknown_ca(48).
    """
    mtls_trial.backend.rejects(mtls_trial.defect("other-customer"))


@scenario(level=MUST, profiles=(GATEWAY,), references=("RFC 5280 6.1",), remedy=_COMPARE_KEYS)
def copied_serial_and_dates(mtls_trial: Trial) -> None:
    """A self-signed copy of the trusted certificate with another key MUST be refused.

    DN, serial and dates are equal, the key is not. Ideal: unknown_ca(48).
    """
    mtls_trial.backend.rejects(mtls_trial.defect("copied-serial-and-dates"))


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 5280 6.1", "RFC 8446 4.4.2.4"),
    remedy="""Verify the certificate; do not only ask for one. nginx: 'on', not 'optional_no_ca'; Go:
    RequireAndVerifyClientCert, not RequireAnyClientCert; Node: rejectUnauthorized true.""",
)
def self_signed_stranger(mtls_trial: Trial) -> None:
    """A fresh self-signed certificate of an unknown name MUST be refused, and so MUST one of an unknown authority.

    Random DN, its own key; then a leaf of somebody's own CA, which OpenSSL tells by another error (20 or 21, not 18). Ideal:
    unknown_ca(48).
    """
    mtls_trial.backend.rejects(mtls_trial.defect("stranger"))
    leaf = new_hierarchy(1).issue(clock=mtls_trial.bench.clock, name="stranger of an authority of its own")
    mtls_trial.backend.rejects(leaf)


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 5280 6.1", "RFC 8446 4.4.2"),
    remedy="""Take the peer's identity from its own certificate, the first on the wire, and verify that one. A known certificate
    somewhere in the chain proves nothing: anyone can send it along (CVE-2023-2422 class).""",
)
def pinned_certificate_in_chain(mtls_trial: Trial) -> None:
    """A stranger who sends the trusted certificate along in its chain MUST be refused.

    Chain of a stranger's leaf, with its own key, followed by the trusted certificate. Ideal: unknown_ca(48).
    """
    mtls_trial.backend.rejects(mtls_trial.defect("pinned-certificate-in-chain"))


@scenario(
    level=MUST,
    profiles=(PRIVATE_CA,),
    references=("RFC 5280 6.1", "RFC 8446 6.2"),
    remedy="""Verify the chain up to a certificate in the truststore, and trust nothing that the client sends along.""",
)
def unknown_authority(mtls_trial: Trial) -> None:
    """A client certificate of an authority that is not trusted MUST be refused.

    A valid client leaf under a foreign root of another name, root on the wire and not. Ideal: unknown_ca(48).
    """
    foreign = new_hierarchy(1)
    leaf = foreign.issue(clock=mtls_trial.bench.clock, name="leaf of an unknown authority")
    mtls_trial.backend.rejects(leaf)
    mtls_trial.backend.rejects(replace(leaf, chain=(foreign.root,), name="the same, with its root on the wire"))


@scenario(
    level=MUST,
    profiles=(PRIVATE_CA,),
    references=("RFC 5280 6.1.3(a)(1)", "RFC 5280 4.2.1.1"),
    remedy="""Verify the issuer's signature with the issuer's key. The issuer's name and key identifier only help to find it.""",
)
def authority_same_name(mtls_trial: Trial) -> None:
    """A client certificate of a foreign authority that bears the trusted root's name MUST be refused.

    A leaf under a foreign root with the trusted root's DN, then with its key identifier too; root on the wire and not. Ideal:
    unknown_ca(48).
    """
    good = mtls_trial.good.leaf
    if good.subject == good.issuer:
        raise NotApplicable("the credential is self-signed: no authority stands above it")
    for name in ("lookalike-authority", "lookalike-authority-with-key-identifier"):
        try:
            sent = mtls_trial.defect(name)
        except ValueError as error:  # a root that we do not know and that the chain does not point to by identifier
            mtls_trial.note(f"{name} was left out: {error}")
            continue
        mtls_trial.backend.rejects(sent, f"{name}, root on the wire")
        mtls_trial.backend.rejects(replace(sent, chain=()), f"{name}, root left out")


@scenario(level=MUST, profiles=BOTH, needs=("start",), references=("CVE-2026-27586",), remedy=_FAIL_CLOSED)
def missing_truststore(mtls_trial: Trial) -> None:
    """A backend whose truststore file is missing MUST NOT serve anybody.

    Start with a truststore path that does not exist; if it starts: no certificate, a stranger, a gateway certificate.
    """
    _nobody_enters(mtls_trial, None, "missing truststore")


@scenario(level=MUST, profiles=BOTH, needs=("start",), references=("CVE-2026-27586",), remedy=_FAIL_CLOSED)
def empty_truststore(mtls_trial: Trial) -> None:
    """A backend whose truststore is an empty file MUST NOT serve anybody.

    Start with a truststore of 0 octets; if it starts: no certificate, a stranger, a gateway certificate.
    """
    _nobody_enters(mtls_trial, b"", "empty truststore")


_READ_ALL = """Load every certificate of the truststore file, and let path building use the intermediates in it. Caddy 2.6 and
lighttpd's mod_gnutls read only the first PEM block. nginx and Apache count the depth too: ssl_verify_depth and SSLVerifyDepth
stand at 1 by default."""


@scenario(
    level=MUST,
    profiles=(PRIVATE_CA,),
    needs=("start",),
    references=("API Gateway: truststores", "RFC 5280 6.1"),
    remedy=_READ_ALL,
)
def bundle_with_intermediates(mtls_trial: Trial) -> None:
    """A truststore of the whole hierarchy MUST serve clients that send their leaf alone.

    All CA certificates of a depth-4 hierarchy, issuing authority first, then root first; the credential sends the leaf only.
    """
    hierarchy = new_hierarchy(4)
    leaf = replace(hierarchy.issue(clock=mtls_trial.bench.clock), chain=())
    for order, certificates in (
        ("issuing authority first", reversed(hierarchy.certificates)),
        ("root first", hierarchy.certificates),
    ):
        with mtls_trial.start(*certificates, control_first=True) as backend:
            backend.accepts(leaf, f"leaf alone, truststore with {order}")


@scenario(
    level=MUST,
    profiles=(PRIVATE_CA,),
    needs=("start",),
    references=("RFC 5280 6.1", "CVE-2026-40944"),
    remedy=_READ_ALL,
)
def bundle_every_authority(mtls_trial: Trial) -> None:
    """Of several authorities in the truststore each MUST count, and no other.

    Truststore of three unrelated roots; a leaf of each, and of a fourth.
    """
    trusted, stranger = [new_hierarchy(1) for _ in range(3)], new_hierarchy(1)
    with mtls_trial.start(*(one.root for one in trusted), control_first=True) as backend:
        for number, one in enumerate(trusted, start=1):
            backend.accepts(one.issue(clock=mtls_trial.bench.clock), f"leaf of authority {number} in the truststore")
        backend.rejects(stranger.issue(clock=mtls_trial.bench.clock), "leaf of an authority that is not in it")


def _nobody_enters(trial: Trial, truststore: bytes | None, what: str) -> None:
    with trial.try_start(truststore, what) as backend:
        if backend is not None:
            backend.rejects(None)
            backend.rejects(trial.defect("stranger"))
            backend.rejects(trial.good)
