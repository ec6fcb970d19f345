"""Path building and validation."""

from __future__ import annotations

from ..harness.pki.authority import Hierarchy, new_hierarchy
from ..harness.pki.defects import Sample, make_defect
from ..harness.scenario import BOTH, MUST, PRIVATE_CA, scenario
from ..harness.trial import Trial


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 5280 6.1.3(a)(1)",),
    remedy="""Verify signatures, or compare whole certificates by fingerprint. Who compares the public key alone takes every
    name and date that the key's owner likes to write.""",
)
def tampered(mtls_trial: Trial) -> None:
    """The trusted certificate, altered after it was signed, MUST be refused.

    One octet of the subject changed, then one of the signature; the key is its own. Ideal: decrypt_error(51),
    bad_certificate(42) or unknown_ca(48).
    """
    if list(mtls_trial.good.leaf.subject):
        mtls_trial.backend.rejects(mtls_trial.defect("tampered-subject"))
    else:
        mtls_trial.note("the credential has an empty subject: only its signature was altered")
    mtls_trial.backend.rejects(mtls_trial.defect("tampered-signature"))


_DEPTH = """Allow at least three intermediates between the client's certificate and the root: nginx 'ssl_verify_depth 4' and Apache
'SSLVerifyDepth 4' (their default of 1 takes one intermediate and none), OpenSSL SSL_CTX_set_verify_depth."""

_RULES = """Leave path validation to a library that does all of RFC 5280 6.1, with its defaults; do not forgive single errors in
a verify callback."""


def _depth(trial: Trial, depth: int) -> None:
    hierarchy = new_hierarchy(depth)
    leaf = hierarchy.issue(clock=trial.bench.clock, name=f"leaf under {depth} CA certificates")
    with trial.start(hierarchy.root) as backend:
        backend.accepts(leaf)


@scenario(level=MUST, profiles=(PRIVATE_CA,), needs=("start",), references=("RFC 5280 6.1",), remedy=_DEPTH)
def depth_1(mtls_trial: Trial) -> None:
    """A leaf straight under the trusted root MUST be accepted.

    Truststore root only; the credential sends the leaf.
    """
    _depth(mtls_trial, 1)


@scenario(level=MUST, profiles=(PRIVATE_CA,), needs=("start",), references=("RFC 5280 6.1",), remedy=_DEPTH)
def depth_2(mtls_trial: Trial) -> None:
    """A leaf under a hierarchy of two CA certificates MUST be accepted.

    Truststore root only; the credential sends leaf and one intermediate.
    """
    _depth(mtls_trial, 2)


@scenario(level=MUST, profiles=(PRIVATE_CA,), needs=("start",), references=("RFC 5280 6.1",), remedy=_DEPTH)
def depth_3(mtls_trial: Trial) -> None:
    """A leaf under a hierarchy of three CA certificates MUST be accepted.

    Truststore root only; the credential sends leaf and two intermediates in order.
    """
    _depth(mtls_trial, 3)


@scenario(
    level=MUST,
    profiles=(PRIVATE_CA,),
    needs=("start",),
    references=("RFC 5280 6.1", "API Gateway: truststores"),
    remedy=_DEPTH,
)
def depth_4(mtls_trial: Trial) -> None:
    """A leaf under a hierarchy of four CA certificates MUST be accepted: the most that API Gateway's truststores allow.

    Truststore root only; the credential sends leaf and three intermediates in order.
    """
    _depth(mtls_trial, 4)


def _refused(trial: Trial, defect: str, depth: int, *, under: int | None = None) -> None:
    """The *defect* must be refused where a good leaf under *depth* CA certificates, as many as it has, is accepted."""
    hierarchy = new_hierarchy(depth)
    twin = hierarchy.issue(clock=trial.bench.clock, name=f"good leaf under {depth} CA certificates")
    sample = Sample(twin, Hierarchy(hierarchy.authorities[:under]), trial.bench.clock)
    with trial.start(hierarchy.root) as backend:
        backend.rejects(make_defect(defect, sample), twin=twin)


@scenario(level=MUST, profiles=(PRIVATE_CA,), needs=("start",), references=("RFC 5280 6.1.4(k)",), remedy=_RULES)
def leaf_as_issuer(mtls_trial: Trial) -> None:
    """A certificate that was issued by a leaf (CA:FALSE) MUST be refused.

    A valid leaf signs another leaf; both are sent. Ideal: unknown_ca(48).
    """
    _refused(mtls_trial, "leaf-as-issuer", 2, under=1)


@scenario(level=MUST, profiles=(PRIVATE_CA,), needs=("start",), references=("RFC 5280 4.2.1.9",), remedy=_RULES)
def path_length(mtls_trial: Trial) -> None:
    """An authority that may not have authorities below it MUST NOT be able to set one up.

    An authority with pathLenConstraint 0 issues a sub-authority, which issues the leaf. Ideal: unknown_ca(48).
    """
    _refused(mtls_trial, "path-length-violated", 3)


@scenario(level=MUST, profiles=(PRIVATE_CA,), needs=("start",), references=("RFC 5280 6.1.3(a)(2)",), remedy=_RULES)
def expired_intermediate(mtls_trial: Trial) -> None:
    """A current leaf under an expired intermediate MUST be refused.

    The intermediate ended yesterday, the leaf is current. Ideal: certificate_expired(45).
    """
    _refused(mtls_trial, "expired-intermediate", 2)
