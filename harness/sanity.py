"""The sanity check that opens a run: the backend answers, is the right one, and lets the good credential in.

Its messages say what to look at, because nearly every first run of a newcomer ends here.
"""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from .backend.instance import Instance
from .clock import system_clock
from .errors import BackendError, Inconclusive, StartError
from .pki.names import first_gap
from .tls.observation import Observation, Trouble
from .verdict import Verdict

__all__ = ["check_sanity", "clock_of"]

_OF_DATES = (42, 45, 46)
"""The alerts by which TLS libraries refuse a certificate whose dates are wrong (OpenSSL: 42 when not yet valid)."""


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


def clock_of(instance: Instance, now: datetime, tolerance: float) -> str | None:
    """How the backend's clock differs from *now* by more than *tolerance* seconds, or that it cannot be known; None if right.

    By the Date header (RFC 9110 6.6.1) of a fresh control connection. An answer out of a cache has an old one, and an Age.
    """
    seen, _ = instance.control_seen(instance.versions[-1], fresh=True)
    said = None if seen.answer is None or seen.answer.header("age") else seen.answer.header("date")
    try:
        date = parsedate_to_datetime(said or "")
    except (ValueError, OverflowError):  # the latter for years beyond what a date can hold
        return "it sends no Date header: make sure that its clock is right"
    apart = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    if abs(apart.total_seconds()) <= tolerance:
        return None
    which = "ahead of" if apart > timedelta(0) else "behind"
    return (
        f"the backend's clock is {_in_words(abs(apart))} {which} this machine's, by its Date header. Set both right, or "
        "nothing about dates is proved"
    )


def _in_words(apart: timedelta) -> str:
    seconds = apart.total_seconds()
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _explain(instance: Instance, seen: Observation, verdict: Verdict) -> BackendError:
    name, url = instance.target.name, instance.endpoint.url
    if seen.trouble is Trouble.NOT_TLS:
        return StartError(
            f"{name}: expected TLS at {url}, saw something else ({seen.detail}). Check the port; mTLS needs https."
        )
    if seen.trouble in (Trouble.NAME, Trouble.REFUSED, Trouble.UNREACHABLE):
        return StartError(
            f"{name}: expected a server at {url}, saw: {seen.detail}{_tried(instance)}. "
            f"Check host and port, and that it runs.{instance.why()}"
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


def _tried(instance: Instance) -> str:
    """The addresses that were tried, of a host that goes by a name: that may be ::1 where the backend has 127.0.0.1 only."""
    endpoint = instance.endpoint
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ""
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    return f" (tried {', '.join(addresses)})" if addresses != [endpoint.host] else ""


def _what_to_look_at(instance: Instance, seen: Observation) -> str:
    status = None if seen.answer is None else seen.answer.status
    if status == 429:
        return "It limits requests: lift the limit for this check."
    if status is not None and status >= 500:
        return "The application failed: look at its log, and whether --path exists."
    if status in (401, 403):
        return (
            "Either the certificate is not trusted, or the path needs more than a certificate (a token, a user): "
            "give another --path, or say by --accept-status what the good credential gets there."
        )
    leaf = instance.control.leaf
    dates = f"{leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
    if instance.material is not None:
        of_dates = status == 400 or (seen.alert is not None and seen.alert.number in _OF_DATES)
        clock = f" Is the backend's clock right? It is valid from {dates}, and today is {system_clock():%Y-%m-%d}."
        return (
            f"Its truststore holds exactly this certificate or its root: does the backend read it from {{truststore}} "
            f"(MTLS_TRUSTSTORE, {instance.material.truststore})?{clock if of_dates else ''}"
        )
    return f"Is it in the backend's truststore, with its intermediates in the PEM file, and current (valid {dates})?"


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
