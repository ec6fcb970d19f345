"""The sanity check that opens a run: the backend answers, is the right one, and lets the good credential in.

Its messages say what to look at, because nearly every first run of a newcomer ends here.
"""

from __future__ import annotations

from .backend.instance import Instance
from .errors import BackendError, Inconclusive, StartError
from .pki.names import first_gap
from .tls.observation import Observation, Trouble
from .verdict import Verdict

__all__ = ["check_sanity"]


def check_sanity(instance: Instance) -> None:
    """Raise BackendError unless *instance* lets its control in under at least one TLS version (StartError: nobody is there)."""
    try:
        versions = instance.versions
    except Inconclusive:
        versions = instance.target.tls
    seen = [instance.control_seen(tls) for tls in versions]
    if not any(verdict.accepted for _, verdict in seen):
        raise _explain(instance, *seen[-1])
    if instance.target.server_authorities:
        _check_server(instance, next(one for one, verdict in seen if verdict.accepted))


def _explain(instance: Instance, seen: Observation, verdict: Verdict) -> BackendError:
    name, url = instance.target.name, instance.endpoint.url
    if seen.trouble is Trouble.NOT_TLS:
        return StartError(
            f"{name}: expected TLS at {url}, saw something else ({seen.detail}). Check the port; mTLS needs https."
        )
    if seen.trouble in (Trouble.NAME, Trouble.REFUSED, Trouble.UNREACHABLE):
        return StartError(
            f"{name}: expected a server at {url}, saw: {seen.detail}. Check host and port, and that it runs.{instance.why()}"
        )
    if seen.trouble is Trouble.TIMEOUT:
        return StartError(
            f"{name}: expected an answer from {url}, saw silence: {seen.detail}. Check the port, and the backend's log."
        )
    evidence = verdict.text.partition(": ")[2]
    return BackendError(
        f"{name}: expected the good credential ({instance.control.subject}) to be let in at {url}, "
        f"saw it refused: {evidence}. {_what_to_look_at(instance, seen)}{instance.why()}"
    )


def _what_to_look_at(instance: Instance, seen: Observation) -> str:
    status = None if seen.answer is None else seen.answer.status
    if status is not None and status >= 500:
        return "The application failed: look at its log, and whether --path exists."
    if status in (401, 403):
        return (
            "Either the certificate is not trusted, or the path needs more than a certificate (a token, a user): "
            "give another --path, or say by --accept-status what the good credential gets there."
        )
    if instance.material is not None:
        return (
            f"Its truststore holds exactly this certificate or its root: does the backend read it from {{truststore}} "
            f"(MTLS_TRUSTSTORE, {instance.material.truststore})?"
        )
    leaf = instance.control.leaf
    return (
        f"Is it in the backend's truststore, with its intermediates in the PEM file, and current (valid "
        f"{leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d})?"
    )


def _check_server(instance: Instance, seen: Observation) -> None:
    """The server's certificate must lead to ``--server-ca``: else we may be talking to somebody else.

    Its dates do not matter here; a scenario looks at them.
    """
    gap = first_gap(seen.server_chain, instance.target.server_authorities)
    if gap is not None:
        raise BackendError(
            f"{instance.target.name}: expected a server certificate that leads to --server-ca, saw a chain in which {gap}. "
            "Check the URL, or give the CA of this server. (One that does not send its intermediates looks the same.)"
        )
