"""What is known of each built-in server: the scenarios that do not pass in its stock configuration, and that its cure mends them.

A server that behaves otherwise than recorded here has changed, or we have: the message names its version.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import pytest

from pytest_mtls.harness.backend.server import Server, version_by
from pytest_mtls.harness.backend.servers import servers
from pytest_mtls.harness.scenario import catalogue

from .checks import Check, Checks, require_server

TRAP = frozenset(f"rotation/{name}" for name in ("both-old-first", "both-new-first", "switch", "drill"))
"""OpenSSL knows the first of several certificates of one name."""

DATES = frozenset(
    {
        *(f"validity/{name}" for name in ("expired", "not-yet-valid", "expires-while-running")),
        "rotation/expired-old-beside-new",
    }
)
"""Java does not look at the dates of a certificate that is itself in the truststore."""

SESSIONS = frozenset({"resumption/after-expiry"})
"""Most servers do not look at notAfter on resumption; a SHOULD."""


def private(*names: str) -> frozenset[str]:
    """The scenarios of these names in profile private-ca."""
    return frozenset(f"{name} (private-ca)" for name in names)


def both(names: frozenset[str]) -> frozenset[str]:
    """The scenarios of these names in both profiles."""
    return names | private(*names)


FIRST_BLOCK = frozenset(
    {
        *(f"reload/{name}" for name in ("replacement-takes-effect", "unchanged-truststore", "needs-restart")),
        "reload/broken-bundle-fails-closed",
        *(f"resumption/{name}" for name in ("after-removal", "after-expiry")),
        *(f"rotation/{name}" for name in ("new-not-yet-added", "old-removed", "deleted")),
        *TRAP,
        *DATES,
        *private(
            *(f"reload/{name}" for name in ("replacement-takes-effect", "unchanged-truststore", "needs-restart")),
            *(f"chain/{name}" for name in ("leaf-as-issuer", "path-length", "expired-intermediate")),
            *("reload/broken-bundle-fails-closed", "resumption/after-removal", "resumption/after-expiry"),
            "validity/expires-while-running",
        ),
    }
)
"""Caddy 2.6 reads the first certificate of a truststore only. The control that must be let in stands behind it, so nothing
can be proved where a backend trusts more than one certificate."""

DEPTH = private("chain/depth-3", "chain/depth-4", "trust/bundle-with-intermediates")
"""ssl_verify_depth is 1 unless it is set, which takes one intermediate; SSLVerifyDepth 1 takes none."""


@dataclass(frozen=True, slots=True)
class Known:
    """What does not pass, by outcome; a name without its profile is one of ``gateway``."""

    failed: frozenset[str] = frozenset()
    warned: frozenset[str] = both(SESSIONS)
    inconclusive: frozenset[str] = frozenset()
    options: tuple[str, ...] = field(default=())
    """More options of the check: other profiles, or fewer scenarios."""


BOTH = ("--profile", "all")
BRIEF = tuple(f"--scenario={one}" for one in ("presence/*", "trust/[os]*", "validity/*", "rotation/[de]*"))
"""For servers that take their time to start: the drill has all steps of a rotation. The whole profile was measured by hand."""

# From Python 3.13 on ssl.create_default_context sets VERIFY_X509_PARTIAL_CHAIN; uvicorn does not use it.
PYTHON_SERVERS = ("aiohttp", "gunicorn", "hypercorn", "python")
PYTHON_TRAP = TRAP if sys.version_info < (3, 13) else frozenset[str]()

KNOWN = {
    "aiohttp": Known(PYTHON_TRAP, options=BRIEF),
    "apache": Known(
        TRAP | DEPTH | private("chain/depth-2"),
        inconclusive=private("chain/leaf-as-issuer", "chain/path-length", "chain/expired-intermediate"),
        options=BOTH,
    ),
    "caddy": Known(
        private("trust/bundle-every-authority", "trust/bundle-with-intermediates"),
        warned=frozenset(),
        inconclusive=FIRST_BLOCK,
        options=BOTH,
    ),
    "go": Known(warned=frozenset()),
    "granian": Known(options=BRIEF),
    "gunicorn": Known(
        PYTHON_TRAP,
        warned=frozenset(),  # it resumes nothing
        # without a usable truststore it refuses everybody by HTTP 403 beside TLS, which is no evidence
        inconclusive=both(
            frozenset({"reload/broken-bundle-fails-closed", "trust/missing-truststore", "trust/empty-truststore"})
        ),
        options=BRIEF,
    ),
    "haproxy": Known(TRAP, options=BOTH),
    "hypercorn": Known(PYTHON_TRAP, options=BRIEF),
    "java": Known(DATES, options=BRIEF),
    "lighttpd": Known(TRAP),
    "nginx": Known(TRAP | DEPTH, inconclusive=private("chain/path-length"), options=BOTH),
    "node": Known(TRAP),
    # Node calls a client without certificate authorized when it resumes in TLS 1.3; the middleware stumbles over that (HTTP 500)
    "node-express": Known(TRAP, inconclusive=both(frozenset({"resumption/from-rejected-session"}))),
    "python": Known(PYTHON_TRAP),
    "stunnel": Known(TRAP),
    "tomcat": Known(DATES, options=BRIEF),
    "uvicorn": Known(TRAP),
}
"""The stock servers, in both profiles; what is run is profile gateway unless the options say otherwise."""

CURED = dict.fromkeys(("caddy-pinned", "gunicorn-pinned", "node-fingerprint"), frozenset[str]())
"""What a cure leaves as a warning, where that is not SESSIONS."""

CURED_BRIEFLY = {
    f"{name}-pinned" for name in ("aiohttp", "caddy", "gunicorn", "hypercorn", "java", "tomcat", "uvicorn")
}

STOCK = sorted(name for name, server in servers().items() if not server.cures)
CURES = sorted(name for name, server in servers().items() if server.cures)


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Checks:
    """Carries out checks."""
    return Checks(tmp_path_factory)


def named(check: Check, outcome: str) -> set[str]:
    """The scenarios that ended so, with their profile unless it is gateway."""
    return {
        name if profile == "gateway" else f"{name} ({profile})"
        for (name, profile), found in check.outcomes().items()
        if found == outcome
    }


def described(server: Server, check: Check, known: frozenset[str] = frozenset()) -> str:
    """Which server it was, and why something was unclear."""
    unclear = [
        f"{one['id']}: {one['reason']}"
        for one in check.report["scenarios"]
        if one["outcome"] == "inconclusive" or (one["outcome"] == "failed" and one["id"] not in known)
    ]
    return " | ".join([f"{server.name} {version_by(server.version) or 'of unknown version'}", *unclear])


def without_remedy_of(name: str, check: Check) -> list[str]:
    """What failed without a remedy that begins with the server's name and stands in the terminal as in JSON."""
    shown = " ".join(check.output.split())
    remedies = {one["id"]: one["remedy"] for one in check.report["scenarios"] if one["outcome"] in ("failed", "warned")}
    return [
        one
        for one, remedy in remedies.items()
        if not remedy.startswith(f"{name}: ") or " ".join(remedy.split()) not in shown
    ]


def test_every_stock_server_is_in_the_table() -> None:
    """A new server comes with its findings."""
    assert sorted(KNOWN) == STOCK


@pytest.mark.parametrize("name", STOCK)
def test_exactly_the_recorded_scenarios_do_not_pass(checks: Checks, name: str) -> None:
    """No more and no less, by outcome; what fails is told the server's own remedy; and nothing is left behind."""
    server, known = require_server(name), KNOWN[name]
    check = checks("--server", name, *known.options)

    found = {outcome: named(check, outcome) for outcome in ("failed", "warned", "inconclusive", "skipped")}
    ran = set.union(named(check, "passed"), *found.values())
    recorded = {
        "failed": known.failed & ran,
        "warned": known.warned & ran,
        "inconclusive": known.inconclusive & ran,
        "skipped": set(),
    }
    assert found == recorded, described(server, check, known.failed)
    assert check.code == (1 if recorded["failed"] else 3 if recorded["inconclusive"] else 0)
    assert (check.left_behind, check.errors) == ((), "")
    assert without_remedy_of(name, check) == []
    assert check.report["target"]["version"] == version_by(server.version) is not None
    assert f": {name} (version {version_by(server.version)}), profile " in check.output.splitlines()[0]


@pytest.mark.parametrize("name", CURES)
def test_cure_is_conformant(checks: Checks, name: str) -> None:
    """Rotation included: what the remedy of the stock server says does mend it."""
    server = require_server(name)
    options = BRIEF if name in CURED_BRIEFLY else ()
    check = checks("--server", name, *options)

    warned = frozenset[str]() if options else CURED.get(name, SESSIONS)
    assert (check.code, check.summary["result"]) == (0, "conformant"), described(server, check)
    assert check.ids("warned") == warned, described(server, check)
    assert (check.left_behind, check.errors) == ((), "")


def test_caddy_reads_the_first_authority_of_a_truststore_only(checks: Checks) -> None:
    """Where the control does not stand in its way, the finding is a failure, with the line that mends it."""
    server = require_server("caddy")
    check = checks("--server", "caddy", "--profile", "private-ca", "--scenario=trust/bundle-*")

    assert check.ids("failed") == {"trust/bundle-every-authority", "trust/bundle-with-intermediates"}, described(
        server, check
    )
    assert "trusted_ca_cert_file" in check.scenario("trust/bundle-every-authority", "private-ca")["remedy"]


def test_the_rotation_trap_does_not_look_like_a_truststore_that_is_not_noticed(checks: Checks) -> None:
    """As at gunicorn, which reads its truststore for each connection and knows the first certificate of a name only."""
    faults = ("--fault", "watches-file", "--fault", "first-same-name-only")
    check = checks(*faults, "--scenario", "reload/needs-restart")

    assert check.scenario("reload/needs-restart")["reason"].startswith("notices a changed truststore by itself")


@pytest.mark.parametrize("name", CURES)
def test_cure_mends_a_stock_server_that_needs_it(name: str) -> None:
    """Each cure belongs to a server with findings, whose remedies name it."""
    stock = servers()[servers()[name].cures]
    known = KNOWN[stock.name]

    assert known.failed | known.inconclusive or stock.name in PYTHON_SERVERS
    assert any(f"--server {name}" in text for text in stock.remedies.values())


@pytest.mark.parametrize("name", STOCK)
def test_patterns_of_remedies_fit_scenarios(name: str) -> None:
    """A remedy for a scenario that is called otherwise would never be shown."""
    planned = {"trust/several-*"}
    patterns = {one for patterns in servers()[name].remedies for one in patterns.split()} - planned
    assert [one for one in sorted(patterns) if not any(fnmatchcase(known, one) for known in catalogue())] == []
