"""The picture of a credential: its certificates as boxes, leaf first, and the defect marked, as far as a report tells it.

Geometry only; the template writes the SVG, so that every text goes through its escaping. Units are CSS pixels; the width
is that of a telephone's screen without its margins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..pki.defects import DEFECTS
from .reading import Place

__all__ = ["Box", "Line", "Link", "Picture", "picture"]

WIDTH = 340
_TITLE, _ROW, _PAD, _GAP = 26, 17, 8, 26
_LETTERS = 34
"""So many letters of a value fit into a box."""

_ITSELF = "itself (self-signed)"
_FACTS: dict[str, tuple[str, str | None]] = {
    "stranger": ("subject", None),
    "other-customer": ("key", "its own, not the trusted one"),
    "copied-serial-and-dates": ("key", "its own, not the trusted one"),
    "pinned-certificate-in-chain": ("link", None),
    "other-authority": ("issuer", None),
    "lookalike-authority": ("issuer", None),
    "lookalike-authority-with-key-identifier": ("issuer", None),
    "copied-certificate": ("key", "missing: signs with another"),
    "tampered-subject": ("subject", None),
    "tampered-signature": ("signature", "one octet changed"),
    "expired": ("valid", None),
    "not-yet-valid": ("valid", None),
    "expired-intermediate": ("above", "ended yesterday"),
    "leaf-as-issuer": ("above", "a leaf, CA:FALSE"),
    "path-length-violated": ("above", "pathLenConstraint 0 is exceeded"),
    "missing-intermediate": ("link", None),
    "wrong-usage": ("usage", "serverAuth only"),
    "email-usage": ("usage", "emailProtection only"),
    "sha1-signature": ("signature", "SHA-1"),
    "rsa-1024": ("key", "RSA, 1024 bits"),
    "version-1": ("version", "X.509 v1, no extensions"),
}
"""What of a known defect is marked: a line of the leaf, with a text where the line is there for it alone; the certificate
above it; or the link between the two."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a box. ``full`` is the whole text where ``text`` is cut."""

    y: int
    label: str
    text: str
    full: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Box:
    """One certificate. ``kind``: leaf, authority, unsent (it was not sent along), or nothing."""

    y: int
    height: int
    kind: str
    title: str
    lines: tuple[Line, ...]
    marked: bool


@dataclass(frozen=True, slots=True)
class Link:
    """From a certificate to the one that signed it; ``broken``: to one that did not."""

    y: int
    height: int
    text: str
    broken: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A credential. ``why`` says what is wrong with it, where that is known."""

    name: str
    height: int
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    why: str
    alternative: str
    """The picture in words."""


def picture(presented: Place | None, begin: datetime, end: datetime) -> Picture:
    """The picture of the report's member ``presented`` (None: no certificate), in a run from *begin* to *end*."""
    if presented is None:
        box = Box(1, _TITLE + 2 * _PAD, "nothing", "no certificate", (), False)
        return Picture("no certificate", box.height + 2, (box,), (), "", "No certificate is presented.")
    name, chain = presented.text("name"), presented.texts("chain")
    part, text = _FACTS.get(name, (None, None))
    defect = DEFECTS.get(name)
    dates = _dates(presented, begin, end)
    facts = [
        ("subject", presented.text("subject")),
        ("issuer", _issuer(presented)),
        ("valid", f"{_day(presented, 'not_before')} to {_day(presented, 'not_after')}"),
        *([("dates", dates)] if dates else []),
        ("serial", presented.text("serial")),
        ("SHA-256", presented.text("sha256")),
    ]
    marked = {part, *(("valid", "dates") if dates else ())}
    if text is not None and part != "above":
        facts.append((str(part), text))
    boxes = [_box(1, "leaf", name, facts, marked)]
    links: list[Link] = []
    for title, kind, broken in _above(presented, chain, part == "link"):
        top = boxes[-1].y + boxes[-1].height
        links.append(Link(top, _GAP, "did not sign it" if broken else "signed by", broken))
        first = part == "above" and len(boxes) == 1
        lines = [("subject", title)] + ([("but", text)] if first and text else [])
        heading = "not sent along" if kind == "unsent" else "sent along"
        boxes.append(_box(top + _GAP, kind, heading, lines, {"but"} if first else set()))
    words = "; ".join(f"{label} {value}" for label, value in facts) + "".join(f"; then {one}" for one in chain)
    return Picture(
        name=name,
        height=boxes[-1].y + boxes[-1].height + 1,
        boxes=tuple(boxes),
        links=tuple(links),
        why=defect.why if defect else "",
        alternative=f"{name}: {words}",
    )


def _box(y: int, kind: str, title: str, facts: list[tuple[str, str]], marked: set[str | None]) -> Box:
    lines = tuple(
        Line(_TITLE + _PAD + number * _ROW + 11, label, _cut(value), value, label in marked)
        for number, (label, value) in enumerate(facts)
    )
    height = _TITLE + 2 * _PAD + len(lines) * _ROW
    return Box(y, height, kind, title, lines, any(line.marked for line in lines))


def _above(presented: Place, chain: tuple[str, ...], broken: bool) -> list[tuple[str, str, bool]]:
    """Subject, kind, and whether the link to it is broken, of each certificate above the leaf."""
    subject, issuer = presented.text("subject"), presented.text("issuer")
    found = []
    for number, one in enumerate(chain):
        # of the certificates behind the leaf a report has the subjects alone, so only the first link can be checked
        found.append((one, "authority", number == 0 and (one != issuer or broken)))
    if not chain and issuer != subject:
        found.append((issuer, "unsent", False))
    return found


def _issuer(presented: Place) -> str:
    issuer = presented.text("issuer")
    return _ITSELF if issuer == presented.text("subject") else issuer


def _dates(presented: Place, begin: datetime, end: datetime) -> str:
    """What is the matter with the dates, seen from the run's time."""
    first, last = _moment(presented, "not_before"), _moment(presented, "not_after")
    if first is None or last is None:
        return ""
    if last < begin:
        return "expired"
    if first > end:
        return "not valid yet"
    return "they end while it is tried" if last <= end else ""


def _moment(presented: Place, name: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(presented.text(name))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _day(presented: Place, name: str) -> str:
    return presented.text(name)[:10]


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
