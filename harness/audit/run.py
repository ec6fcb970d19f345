"""An audit from its options to its exit code."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import UsageError
from ..pki.credential import read_file
from ..pki.truststore import Truststore
from ..report.recorder import write
from ..settings_values import report_files
from .model import Account, Kind, Unread
from .reader import read
from .report import AuditReport, Place
from .rules import Terms, judge
from .sdk import Clients, connect
from .terminal import Progress, show, show_head

__all__ = ["Options", "audited", "run_audit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of an audit."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    rotation_days: int = 30
    truststores: tuple[str, ...] = ()
    json: str | None = None
    junit: str | None = None
    strict: bool = False
    verbosity: int = 0


def run_audit(options: Options) -> int:
    """Read, judge, write, show; returns the exit code.

    Raises UsageError for options that cannot be used, before anything is asked, and without credentials.
    """
    _check(options)
    files = report_files({"json": options.json, "junit": options.junit}, "json", "junit")
    truststores = dict(_truststore(one) for one in options.truststores)
    clients = connect(endpoint_url=options.endpoint_url, region=options.region, profile=options.profile)
    place = Place(region=clients.names.region, endpoint=clients.endpoint, options=tuple(_cli_options(options, clients)))
    out = sys.stdout or io.StringIO()  # no stdout at all: somebody wants the files alone
    show_head(place, out, verbosity=options.verbosity)
    terms = Terms(
        now=datetime.now(UTC),
        rotation_days=options.rotation_days,
        strict=options.strict,
        truststores=truststores,
    )
    report = audited(clients, place, terms)
    trouble: list[str] = []
    if files["json"] is not None:
        trouble += write("--json", files["json"], report.to_text().encode("utf-8", "replace"))
    if files["junit"] is not None:
        trouble += write("--junit", files["junit"], report.to_junit())
    show(report, out, verbosity=options.verbosity)
    if trouble:
        raise UsageError(" ".join(trouble))
    return report.exit_code


def audited(clients: Clients, place: Place, terms: Terms) -> AuditReport:
    """The report on what *clients* show, also after an interruption: then of what was read by then."""
    began, progress = time.monotonic(), Progress()
    account = Account(clients.names)
    try:
        read(clients, account, progress)
        account.problems += _nothing_there(account, terms)
    except KeyboardInterrupt:
        account.problems.append("interrupted. What was not read by then is not judged.")
    finally:
        progress.end()
    return AuditReport(
        started=terms.now,
        seconds=time.monotonic() - began,
        place=place,
        rotation_days=terms.rotation_days,
        judgements=tuple(judge(account, terms)),
        problems=tuple(account.problems),
        counts=_counts(account),
    )


def _nothing_there(account: Account, terms: Terms) -> list[str]:
    """Where there is nothing to judge, nothing is proved: mostly it is the wrong region."""
    found = []
    if not account.apis and not account.domains and not account.problems:
        found.append(
            f"expected APIs or domains in {account.names.region}, saw none. Is it the right region and account?"
        )
    mutual = {one.name for one in account.domains if one.mutual_tls}
    found += [
        f"--truststore ({name}): expected a domain with mutual TLS, saw none of that name. Look at its spelling."
        for name in terms.truststores
        if name not in mutual
    ]
    return found


def _counts(account: Account) -> dict[str, int]:
    kinds = [api.kind for api in account.apis]
    stages = [api.stages for api in account.apis if not isinstance(api.stages, Unread)]
    return {
        "rest_apis": kinds.count(Kind.REST),
        "websocket_apis": kinds.count(Kind.WEBSOCKET),
        "http_apis": kinds.count(Kind.HTTP),
        "stages": sum(map(len, stages)),
        "client_certificates": len(account.certificates),
        "domains": len(account.domains),
    }


# --- options


def _check(options: Options) -> None:
    """An empty value is mostly a variable that was not set; to go on without it would audit something else."""
    for name in ("endpoint_url", "region", "profile", "json", "junit"):
        if getattr(options, name) == "":
            raise UsageError(
                f"--{name.replace('_', '-')}: expected a value, saw an empty one. Give one, or leave it out."
            )
    url = options.endpoint_url
    if url is not None and not _is_http_url(url):
        raise UsageError(f"--endpoint-url ({url}): expected a URL such as http://127.0.0.1:4566. Give one.")


def _is_http_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0  # reading the port checks it
    except ValueError:
        return False


def _truststore(text: str) -> tuple[str, Truststore]:
    domain, _, file = text.partition("=")
    if not domain or not file:
        raise UsageError(f"--truststore ({text}): expected DOMAIN=FILE. Name the domain that the file belongs to.")
    what = f"--truststore ({text})"
    return domain, Truststore.parse(read_file(Path(file), "--truststore"), what)


def _cli_options(options: Options, clients: Clients) -> Sequence[str]:
    words = ["--region", clients.names.region]
    if options.endpoint_url is not None:
        words += ["--endpoint-url", options.endpoint_url]
    if options.profile is not None:
        words += ["--profile", options.profile]
    return words
