"""AWS's documented rotation, step by step. Old and new are two gateway certificates: the same DN, another key."""

from __future__ import annotations

from ..harness.drill import Drill, both_accepted
from ..harness.pki.credential import Credential
from ..harness.pki.defects import Sample, make_defect
from ..harness.scenario import GATEWAY, MUST, scenario
from ..harness.trial import Trial

_AWS = "API Gateway: rotate an expiring client certificate"

_TRAP = """The rotation trap: OpenSSL looks for the issuer of a self-signed certificate by its name and takes the first one of that
name in the truststore; all gateway certificates have the same name, so the others are refused. Ways out: set
X509_V_FLAG_PARTIAL_CHAIN (Python: ctx.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN; Node: allowPartialTrustChain in a context
given by SNICallback); compare fingerprints (nginx: 'ssl_verify_client optional_no_ca' and a map of $ssl_client_fingerprint);
replace the old certificate by the new one in the same moment as the stage is switched; or use a certificate of a private CA."""


@scenario(
    level=MUST,
    profiles=(GATEWAY,),
    needs=("start",),
    references=(f"{_AWS}, step 1",),
    remedy="""Trust the certificates in the truststore, not their name: a generated certificate counts only once it has been added
    to the backend's truststore.""",
)
def new_not_yet_added(mtls_trial: Trial) -> None:
    """A gateway certificate that was generated but not yet added to the truststore MUST be refused.

    Step 1, generate: truststore [old]; present new, then old.
    """
    old, new = _old_and_new(mtls_trial)
    with mtls_trial.start(old.leaf) as backend:
        backend.rejects(new)
        backend.accepts(old)


@scenario(level=MUST, profiles=(GATEWAY,), needs=("reload",), references=(f"{_AWS}, step 2",), remedy=_TRAP)
def both_old_first(mtls_trial: Trial) -> None:
    """With the new gateway certificate added behind the old one, both MUST be accepted.

    Step 2, add: reload with [old, new]; present each.
    """
    old, new = _old_and_new(mtls_trial)
    with mtls_trial.start(old.leaf) as backend:
        reloaded = backend.reload(old.leaf, new.leaf)
        both_accepted(backend, old, new, reloaded)


@scenario(level=MUST, profiles=(GATEWAY,), needs=("reload",), references=(f"{_AWS}, step 2",), remedy=_TRAP)
def both_new_first(mtls_trial: Trial) -> None:
    """With the new gateway certificate added before the old one, both MUST be accepted.

    Step 2, prepended: reload with [new, old]; present each. Here the live certificate is the one that a trap refuses.
    """
    old, new = _old_and_new(mtls_trial)
    with mtls_trial.start(old.leaf) as backend:
        reloaded = backend.reload(new.leaf, old.leaf)
        both_accepted(backend, new, old, reloaded)


@scenario(
    level=MUST,
    profiles=(GATEWAY,),
    needs=("reload",),
    references=(f"{_AWS}, step 4",),
    remedy="""Make the reload replace the truststore instead of adding to it (Python's load_verify_locations only adds: make a new
    SSLContext, or restart), and check that it reaches every worker.""",
)
def old_removed(mtls_trial: Trial) -> None:
    """Once the old gateway certificate is removed from the truststore it MUST be refused on new connections.

    Step 4, remove: from [old] by reload to [new]; 30 new connections with the old one (divided among the TLS versions), and
    the new one.
    """
    old, new = _old_and_new(mtls_trial)
    with mtls_trial.start(old.leaf) as backend:
        backend.accepts(old, "old certificate, before its removal")
        backend.reload(new.leaf)
        backend.rejects(old, times=30)
        backend.accepts(new)


@scenario(level=MUST, profiles=(GATEWAY,), needs=("reload",), references=(f"{_AWS}, step 3",), remedy=_TRAP)
def switch(mtls_trial: Trial) -> None:
    """While the stage is switched, old and new certificate MUST be accepted in any order, on new and on kept connections.

    Step 3, switch: truststore [old, new]; one kept-alive connection with old; 20 new connections (divided among the TLS
    versions) alternate old and new, a request on the kept one after each.
    """
    old, new = _old_and_new(mtls_trial)
    with mtls_trial.start(old.leaf) as backend:
        backend.reload(old.leaf, new.leaf)
        backend.accepts_alternating(old, new, connections=20)


@scenario(
    level=MUST,
    profiles=(GATEWAY,),
    needs=("reload",),
    references=(f"{_AWS}, step 5",),
    remedy="""Keep client certificates required in every state of the rotation, and let the removal of a certificate count on new
    connections at once.""",
)
def deleted(mtls_trial: Trial) -> None:
    """After the old certificate was removed and deleted, only the new one MUST be accepted.

    Step 5, delete, after step 4 and without another reload: new; old by its copied PEM (wrong key); nothing, as from a stage
    that lost its certificate.
    """
    old, new = _old_and_new(mtls_trial)
    with mtls_trial.start(old.leaf) as backend:
        backend.reload(new.leaf)
        backend.accepts(new)
        backend.rejects(make_defect("copied-certificate", Sample(old)), "old certificate, copied without its key")
        backend.rejects(None)


@scenario(
    level=MUST,
    profiles=(GATEWAY,),
    needs=("reload",),
    references=(f"{_AWS}, steps 1 to 5",),
    remedy=_TRAP,
)
def drill(mtls_trial: Trial) -> None:
    """AWS's rotation from old to new MUST work step by step on one running backend.

    Generate, add (behind the old one, then before it), switch, remove, delete, with a call through a mock gateway's stage
    every 50 ms. A connection and sessions with the old certificate are kept over every step: while both are trusted they go
    on; the removal holds on 30 new connections.
    """
    with mtls_trial.mock_gateway() as gateway:
        old = gateway.generate_client_certificate()
        with mtls_trial.start(old.leaf) as backend, Drill(backend, gateway, old) as rotation:
            rotation.run()


@scenario(
    level=MUST,
    profiles=(GATEWAY,),
    needs=("start",),
    references=(f"{_AWS}, step 2", "RFC 5280 6.1.3(a)(2)"),
    remedy="""Check the dates of the certificate that is presented, and of no other with its name: an old certificate that has
    expired in the truststore is no reason to let it in, nor to keep the new one out. Remove it all the same.""",
)
def expired_old_beside_new(mtls_trial: Trial) -> None:
    """After a late rotation the expired old certificate MUST be refused, and the new one beside it MUST be accepted.

    Truststore [expired old, new], then [new, expired old]; present each.
    """
    old, new = mtls_trial.defect("expired"), mtls_trial.new_gateway("new certificate")
    for order, trusted in (("expired old one first", (old, new)), ("new one first", (new, old))):
        with mtls_trial.start(*(one.leaf for one in trusted)) as backend:
            backend.accepts(new, f"new certificate, {order} in the truststore")
            backend.rejects(old, f"expired old certificate, {order} in the truststore")


def _old_and_new(trial: Trial) -> tuple[Credential, Credential]:
    return trial.new_gateway("old certificate"), trial.new_gateway("new certificate")
