"""What the built-in servers were found to do, and the page that shows it.

``python -m tests.integration.server_table MATRIX.json > docs/servers.md`` keeps in ``tests/data/servers.json`` what the page needs
of the matrix; without MATRIX.json the page is made of what is kept, after a remedy was changed for instance.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from pytest_mtls.harness.backend.server import Server
from pytest_mtls.harness.backend.servers import servers
from pytest_mtls.harness.scenario import catalogue

__all__ = ["NOT_PASSED", "WHY", "measured", "measured_of", "page"]

NOT_PASSED = ("failed", "warned", "inconclusive", "skipped")

WHY = {
    "apache": "a chain with an intermediate is refused whatever is wrong with it (SSLVerifyDepth), so a refusal proves nothing.",
    "caddy": "Caddy 2.6 reads the first certificate of a truststore only, and the control that must be let in stands behind it. "
    "The remedy is one trusted_ca_cert_file line for each certificate; from 2.8 on it is trust_pool file.",
    "gunicorn": "without a usable truststore it answers HTTP 403 beside TLS to everybody, which is no evidence.",
    "nginx": "a chain with two intermediates is refused whatever is wrong with it (ssl_verify_depth), so a refusal proves nothing.",
    "node-express": "Node calls a client without certificate authorized when it resumes in TLS 1.3, and the middleware stumbles "
    "over the missing certificate (HTTP 500).",
}
"""Why something could not be judged, by server."""

_TRAP = """Four in rotation are one finding, the rotation trap: OpenSSL knows only the first of several certificates of one name,
and all certificates that API Gateway generates, for every customer, have one name. So AWS's documented rotation, with the new
certificate beside the old one in the truststore, locks one of the two out.
"""
_MENDED = (
    """{names} compare fingerprints, which leaves no room for authorities: they are meant for the profile `gateway`."""
)
_SEEN = "How each refuses who must be refused (a close without a word is weaker evidence than an alert), and what else it shows."
_DATA = Path(__file__).parents[1] / "data" / "servers.json"
_SIGNS = {"failed": "✗", "warned": "!", "inconclusive": "?", "skipped": "–"}
_WIDTH = 140

_HEAD = """# Servers

What {stock} servers do with client certificates in the configuration that their own documentation shows, and what mends what they
get wrong. Measured on {day} by pytest-mtls {tool} ({openssl}) in the profiles `gateway` and `private-ca`; the Python servers ran on
Python {python}. Other versions may do otherwise: `pytest-mtls check --server NAME` tells of the one that is installed.

The remedies are servers too, {cures} of them, named after the server that they mend, and were judged by the same scenarios.

This page is generated, after `pytest-mtls matrix --profile all --json matrix.json`, by `python -m tests.integration.server_table
matrix.json > docs/servers.md`.

## What was found

By area of the catalogue, both profiles together. ✓: every scenario passed; ✗: so many failed; !: so many warned (a SHOULD does not
hold); ?: so many could not be judged. Every scenario passed on every server in: {quiet}.

"""


# --- what is kept of a matrix


def measured() -> dict[str, Any]:
    """What is kept of the last matrix."""
    data: dict[str, Any] = json.loads(_DATA.read_text("utf-8"))
    return data


def measured_of(matrix: dict[str, Any]) -> dict[str, Any]:
    """What the page needs of a *matrix* as JSON; raises ValueError unless it holds every built-in server, judged to the end."""
    columns = {one["name"]: one for one in matrix["servers"] if one["name"] in servers()}
    missing = sorted(set(servers()) - set(columns))
    broken = sorted(name for name, one in columns.items() if one["problem"] or not one["report"])
    if missing or broken:
        raise ValueError(f"expected every built-in server, judged to the end; missing: {missing}, broken off: {broken}")
    return {
        "day": matrix["started"][:10],
        "tool": matrix["tool"]["version"],
        "openssl": " ".join(matrix["tool"]["openssl"].split()[:2]),
        "servers": {name: _kept(columns[name]["report"]) for name in sorted(columns)},
    }


def _kept(report: dict[str, Any]) -> dict[str, Any]:
    outcomes: dict[str, dict[str, list[str]]] = {}
    for one in report["scenarios"]:
        outcomes.setdefault(one["profile"], {}).setdefault(one["outcome"], []).append(one["id"])
    counted = {
        profile: {"passed": len(found.pop("passed", [])), **{word: found[word] for word in NOT_PASSED if word in found}}
        for profile, found in outcomes.items()
    }
    told = {one["id"]: one["reason"] for one in report["scenarios"] if one["profile"] == "gateway"}
    versions = report["seen"]["versions"]
    return {
        "version": report["target"]["version"],
        "refuses": {
            "no certificate": _refusal(told["presence/no-certificate"]),
            "stranger": _refusal(told["trust/self-signed-stranger"]),
        },
        "names authorities": any(one["acceptable_issuers"] for one in versions),
        "http2": any(one["application_protocol"] == "h2" for one in versions),
        "tickets": [one["tls"] for one in versions if one["session_ticket"]],
        "header": report["seen"]["server_header"],
        "outcomes": counted,
    }


def _refusal(reason: str) -> str:
    """``rejected: alert 48 unknown_ca`` without the word that all have."""
    return reason.replace("rejected: ", "").replace("closed without alert or answer (weaker evidence)", "close")


# --- the page


def page(data: dict[str, Any]) -> str:
    """docs/servers.md."""
    found = data["servers"]
    stock = {name: one for name, one in found.items() if not servers()[name].cures}
    cures = {name: one for name, one in found.items() if servers()[name].cures}
    areas, quiet = _areas(stock)
    head = _HEAD.format(
        stock=len(stock), cures=len(cures), quiet=", ".join(quiet), python=found["python"]["version"], **data
    )
    lines = _wrapped(head)
    lines += _table(["server", "version", *areas], [_row(name, one, areas) for name, one in stock.items()])
    narrow = ", ".join(f"`{name}`" for name, one in cures.items() if "failed" in one["outcomes"]["private-ca"])
    lines += ["", *_wrapped(_TRAP), "## The servers that mend it", "", *_wrapped(_MENDED.format(names=narrow))]
    lines += _table(
        ["server", "mends", "how", "profile `gateway`"], [_cure(servers()[name], cures[name]) for name in cures]
    )
    lines += [
        "",
        "## Server by server",
        "",
        "What did not pass, and what to change: the remedy as every report has it.",
    ]
    for name, one in stock.items():
        lines += _section(servers()[name], one)
    lines += ["", "## What was seen", "", _SEEN, ""]
    seen = [
        "server",
        "no certificate",
        "a stranger's",
        "asks for named authorities",
        "HTTP/2",
        "tickets",
        "Server header",
    ]
    lines += _table(
        [*seen, "takes a changed truststore over by"], [_seen(servers()[name], one) for name, one in stock.items()]
    )
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> list[str]:
    """Its paragraphs as lines, with what was filled in."""
    lines = []
    for paragraph in text.rstrip("\n").split("\n\n"):
        words = " ".join(paragraph.split())
        lines += [*textwrap.wrap(words, _WIDTH, break_on_hyphens=False, break_long_words=False), ""]
    return lines


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _areas(stock: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Those in which a server has something that is not passed, and the others."""
    every = sorted({name.partition("/")[0] for name in catalogue()})
    loud = [area for area in every if any(_cell(one, area) != "✓" for one in stock.values())]
    return loud, [area for area in every if area not in loud]


def _row(name: str, one: dict[str, Any], areas: list[str]) -> list[str]:
    return [f"[{name}](#{name})", one["version"], *(_cell(one, area) for area in areas)]


def _cell(one: dict[str, Any], area: str) -> str:
    parts = []
    for outcome, sign in _SIGNS.items():
        names = [name for profile in one["outcomes"].values() for name in profile.get(outcome, ())]
        count = sum(name.partition("/")[0] == area for name in names)
        parts += [f"{sign} {count}"] if count else []
    return " ".join(parts) or "✓"


def _cure(server: Server, one: dict[str, Any]) -> list[str]:
    found = one["outcomes"]["gateway"]
    others = [f"{len(found[word])} {word}" for word in NOT_PASSED if word in found]
    counts = ", ".join([f"{found['passed']} passed", *others])
    return [f"`{server.name}`", f"[{server.cures}](#{server.cures})", _text(server.about), counts]


def _section(server: Server, one: dict[str, Any]) -> list[str]:
    """What did not pass at *server*, by remedy."""
    lines = ["", f"### {server.name}", "", *_wrapped(_about(server, one["version"]))]
    for (outcome, remedy), names in _by_remedy(server, one).items():
        text = f"- **{outcome}**: {', '.join(names)}" + (
            f": {WHY.get(server.name, '')}" if outcome == "inconclusive" else ""
        )
        lines += textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False, subsequent_indent="  ")
        if remedy:
            inside = textwrap.wrap(remedy, _WIDTH - 20, break_on_hyphens=False, break_long_words=False)
            lines += ["", "  ```text", *(f"  {line}" for line in inside), "  ```", ""]
    lines += [] if _by_remedy(server, one) else ["Every scenario passed."]
    while not lines[-1]:
        lines.pop()
    return lines


def _about(server: Server, version: str) -> str:
    """Version, what is configured, how to get it, and what a configuration of one's own has to hold."""
    about = [f"Version {version}.", f"{_text(server.about[:1].upper() + server.about[1:])}."]
    about += dict.fromkeys(need.get for need in server.needs)
    if server.config is not None:
        placeholders = [f"`{{{name}}}`" for name in server.config.required]
        about.append(f"`--config FILE` takes one of your own, with {', '.join(placeholders)} in it.")
    return " ".join(about)


def _by_remedy(server: Server, one: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """The scenarios that did not pass, by outcome and remedy, failures first; what was not judged has its reason instead.

    A profile stands behind a scenario that passed in another one.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for outcome in NOT_PASSED:
        profiles: dict[str, list[str]] = {}
        for profile, outcomes in one["outcomes"].items():
            for name in outcomes.get(outcome, ()):
                profiles.setdefault(name, []).append(profile)
        for name, where in profiles.items():
            scenario = catalogue()[name]
            remedy = (server.remedy(name) or scenario.remedy) if outcome in ("failed", "warned") else ""
            which = "" if set(where) == set(scenario.profiles) else f" ({', '.join(where)})"
            groups.setdefault((outcome, remedy), []).append(f"`{name}`{which}")
    return groups


def _seen(server: Server, one: dict[str, Any]) -> list[str]:
    ways = {"restart": "a restart", "watch": "itself", "signal": f"SIG{''.join(server.reload.words)}"}
    return [
        f"[{server.name}](#{server.name})",
        one["refuses"]["no certificate"],
        one["refuses"]["stranger"],
        "yes" if one["names authorities"] else "no",
        "yes" if one["http2"] else "no",
        ", ".join(f"TLS {version}" for version in one["tickets"]) or "none",
        f"`{one['header']}`" if one["header"] else "none",
        ways.get(server.reload.kind, f"`{' '.join(server.reload.words[:2])}`"),
    ]


def _text(text: str) -> str:
    """*text* as it stands in Markdown."""
    return re.sub(r"([<>|*_])", r"\\\1", text)


if __name__ == "__main__":
    if sys.argv[1:]:
        kept = measured_of(json.loads(Path(sys.argv[1]).read_text("utf-8")))
        _DATA.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(page(measured()), end="")
