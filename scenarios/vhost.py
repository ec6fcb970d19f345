"""Names and their policies. 421, and 404 for a name that the backend does not know, count as rejection here."""

from __future__ import annotations

from ..harness.backend.approach import Approach
from ..harness.scenario import BOTH, MUST, scenario
from ..harness.trial import Trial

_NOT_FOUND_OR_MISDIRECTED = frozenset({404, 421})


@scenario(
    level=MUST,
    profiles=BOTH,
    references=("RFC 6066 3", "emissary issue 3340"),
    remedy="""Give the default TLS configuration, the one for clients without SNI, the same client authentication as the named
    ones; or refuse handshakes without a known name.""",
)
def no_server_name(mtls_trial: Trial) -> None:
    """A client that sends no server name (SNI) MUST NOT get round client authentication.

    No SNI, normal Host header: no certificate, then a stranger.
    """
    approach = Approach(send_server_name=False)
    for credential in (None, mtls_trial.defect("stranger")):
        mtls_trial.backend.rejects(credential, approach=approach, also_reject=_NOT_FOUND_OR_MISDIRECTED)
