"""One connection of a report in words: what came back, and where its time went."""

from __future__ import annotations

from .reading import Place

__all__ = ["came_back", "shares"]

_CLOSED = {"close_notify": "closed by close_notify", "fin": "closed by FIN", "reset": "reset"}


def came_back(observation: Place) -> str:
    """Alert, HTTP status, close and trouble, whichever there were, in this order."""
    parts = []
    alert, http, trouble = observation.place("alert"), observation.place("http"), observation.place("trouble")
    if alert is not None:
        parts.append(f"alert {alert.number('number'):.0f} {alert.text('name')} (reached: {alert.text('phase')})")
    if http is not None:
        parts.append(f"HTTP {http.number('status'):.0f}")
    close = observation.maybe("close")
    if close and http is None:
        parts.append(_CLOSED.get(close, close))
    if trouble is not None:
        parts.append(f"no word: {trouble.maybe('detail') or trouble.text('kind')}")
    if observation.flag("resumed"):
        parts.append("resumed session")
    return ", ".join(parts) or "nothing"


def shares(times: Place) -> tuple[float, float, str]:
    """How much of a connection was TCP and handshake, and how much the rest, in thousandths; and both in words."""
    whole = times.number("end")
    reached = [
        times.number(name)
        for name in ("connected", "server-hello", "certificate-sent", "handshake")
        if name in times.value
    ]
    handshake = min(max(reached, default=0.0), whole)
    share = round(handshake / whole * 1000, 1) if whole else 0.0
    return share, 1000 - share, f"{handshake:.1f} ms to the end of the handshake, {whole - handshake:.1f} ms from there"
