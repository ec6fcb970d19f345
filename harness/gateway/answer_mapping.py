"""From a backend's answer to the caller's: headers that get another name, integration responses, MOCK."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .answers import Header
from .mapping import Call, legal, source
from .model import Integration, IntegrationResponse
from .patterns import fits

__all__ = ["JSON", "NO_MATCH", "Produced", "content_template", "mock_answer", "produce", "remapped"]

JSON = "application/json"
NO_MATCH = (
    "Execution failed due to configuration error: No match for output mapping and no default output mapping configured. "
    "Endpoint Response Status Code: {status}"
)

_REMAPPED = {
    name.lower(): f"x-amzn-Remapped-{name}"
    for name in (
        *("Connection", "Content-Length", "Date", "Server", "WWW-Authenticate", "Authorization", "Content-MD5"),
        *(
            "User-Agent",
            "x-amzn-RequestId",
            "x-amz-apigw-id",
            "X-Amzn-Trace-Id",
        ),  # the last three are the gateway's own
    )
}
_HOP_BY_HOP = frozenset(
    {"keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


def remapped(headers: Iterable[Header]) -> list[Header]:
    """A backend's *headers* as they go to the caller: order and repetition kept, some under another name."""
    return [
        (_REMAPPED.get(lower, name), value) for name, value in headers if (lower := name.lower()) not in _HOP_BY_HOP
    ]


_FRAMING = frozenset({"connection", "content-length", "date", "transfer-encoding"})
"""Headers of an answer that the gateway alone decides on."""


class Produced(NamedTuple):
    """What an integration response makes of an answer; *body* None: the backend's."""

    status: int
    headers: list[Header]
    body: bytes | None


def produce(integration: Integration, status: int, headers: Iterable[Header], call: Call) -> Produced | None:
    """The answer of an HTTP integration by its integration responses; None when none fits *status*."""
    chosen = _by_pattern(integration.responses, status)
    return None if chosen is None else _made(chosen, int(chosen.status_code), headers, call)


def mock_answer(integration: Integration, call: Call) -> Produced | None:
    """The answer of a MOCK integration: the status that its request template names; None when it names none."""
    template = content_template(integration.request_templates, call.headers)
    named = None if template is None else _STATUS.search(template)
    if named is None:
        return None
    status = int(named[1])
    responses = integration.responses
    chosen = _by_pattern(responses, status, default=False)
    if chosen is not None:
        return _made(chosen, int(chosen.status_code), (), call)
    chosen = responses.get(named[1]) or _by_pattern(responses, status)
    return Produced(status, [("Content-Type", JSON)], b"") if chosen is None else _made(chosen, status, (), call)


_STATUS = re.compile(r"""statusCode["']?\s*:\s*["']?([1-5][0-9]{2})\b""")


def content_template(templates: Mapping[str, str], headers: Iterable[Header]) -> str | None:
    """The request template for the caller's Content-Type, application/json without one; None when there is none."""
    sent = next((value for name, value in headers if name.lower() == "content-type"), JSON)
    return templates.get(sent.partition(";")[0].strip().lower())


def _by_pattern(
    responses: Mapping[str, IntegrationResponse], status: int, *, default: bool = True
) -> IntegrationResponse | None:
    for one in responses.values():
        if one.selection_pattern and fits(one.selection_pattern, str(status)):
            return one
    return next((one for one in responses.values() if not one.selection_pattern), None) if default else None


def _made(chosen: IntegrationResponse, status: int, headers: Iterable[Header], call: Call) -> Produced:
    given = list(headers)
    kind, body = JSON, None
    for content_type, template in chosen.response_templates.items():
        if template:
            kind, body = content_type, template.encode()
            break
    made = {"content-type": ("Content-Type", kind)}
    for parameter, expression in chosen.response_parameters.items():
        name = parameter.removeprefix("method.response.header.")
        values = _values(expression, given, call)
        if values and name.lower() not in _FRAMING:
            made[name.lower()] = (name, legal(",".join(values)))
    return Produced(status, list(made.values()), body)


def _values(expression: str, headers: list[Header], call: Call) -> list[str]:
    for prefix in ("integration.response.header.", "integration.response.multivalueheader."):
        if expression.startswith(prefix):
            wanted = expression[len(prefix) :].lower()
            values = [value for name, value in headers if name.lower() == wanted]
            return values if "multivalue" in prefix else values[-1:]
    return list(source(expression)(call))
