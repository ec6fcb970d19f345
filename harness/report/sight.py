"""What was seen of a backend, in lines that the terminal, the Markdown summary and the page share."""

from __future__ import annotations

from typing import Any

__all__ = ["sight_lines"]

_FEW = 3


def sight_lines(seen: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    """Label and text of each line, from the report's member ``seen``; *kind* is the target's.

    What the backend sends as its own certificate is news only where it is not of the harness's making.
    """
    versions = seen["versions"]
    lines = [
        ("TLS", "; ".join(_suite(one) for one in versions) or "none of the versions selected"),
        ("asks for", _asks(versions)),
        ("HTTP", f"{seen['http'] or 'no answer'}; {_http2(versions)}"),
        ("sessions", _told(versions, "session_ticket", "gives tickets", "gives no tickets")),
        ("server", seen["server_header"] or "no Server header"),
    ]
    if kind == "url":
        lines.append(("presents", ", then ".join(seen["server_certificates"]) or "no certificate"))
    return lines if versions else lines[:1]


def _suite(version: dict[str, Any]) -> str:
    """``1.3 (TLS_AES_256_GCM_SHA384)``."""
    suite = (version["negotiated"] or "").partition(" ")[2]
    return f"{version['tls']} ({suite})" if suite else version["tls"]


def _asks(versions: list[dict[str, Any]]) -> str:
    asked = _told(versions, "certificate_requested", "a client certificate", "no client certificate")
    issuers = list(dict.fromkeys(name for one in versions for name in one["acceptable_issuers"]))
    if not any(one["certificate_requested"] for one in versions):
        return asked
    more = f" and {len(issuers) - _FEW} more" if len(issuers) > _FEW else ""
    return f"{asked}, of {', or '.join(issuers[:_FEW])}{more}" if issuers else f"{asked}, of any issuer"


def _http2(versions: list[dict[str, Any]]) -> str:
    if any(one["application_protocol"] == "h2" for one in versions):
        return "chooses HTTP/2 by ALPN"
    chosen = next((one["application_protocol"] for one in versions if one["application_protocol"]), None)
    return f"no HTTP/2: chooses {chosen or 'nothing'} by ALPN"


def _told(versions: list[dict[str, Any]], member: str, yes: str, no: str) -> str:
    """*yes* or *no*, with the version where the versions differ."""
    which = [one["tls"] for one in versions if one[member]]
    if not which:
        return no
    return yes if len(which) == len(versions) else f"{yes} (TLS {', '.join(which)} only)"
