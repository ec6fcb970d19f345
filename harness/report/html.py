"""The page: one HTML file with everything in it, which asks nothing of the network.

Whatever comes from a server, a command or a file is text and goes through the template's escaping. Should that ever fail,
the page's own policy (CSP) runs no script but the one that is named by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from .changes import Change
from .matrix import Column, Matrix
from .model import Report
from .page import page_of

__all__ = ["report_to_html", "to_html"]

_SIGNS = {
    "conformant": "passed",
    "nonconformant": "failed",
    "partial": "warned",
    "not-run": "inconclusive",
    "not-judged": "inconclusive",
}
"""The symbol of a result that is not the name of an outcome."""


def to_html(matrix: Matrix, *, compared: str = "", changes: Sequence[Change] = ()) -> str:
    """The page of *matrix*, with *changes* since the report called *compared*; raises Malformed for a strange report."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_part),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = _part("page.css"), _part("page.js")
    return environment.get_template("page.html.j2").render(
        page=page_of(matrix, compared=compared, changes=changes),
        # the two files are ours; everything else on the page is escaped
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        signs=_SIGNS,
    )


def report_to_html(report: Report) -> str:
    """The page of one run."""
    column = Column(name=report.name, report=report.to_json())
    return to_html(Matrix(columns=(column,), started=report.started, seconds=report.seconds))


@cache
def _part(name: str) -> str:
    return files("pytest_mtls.harness.report").joinpath("templates", name).read_text("utf-8")


def _hash(text: str) -> str:
    """As a Content-Security-Policy names what may stand in the page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
