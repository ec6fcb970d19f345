"""From a caller's request to the one that goes to the backend: URI templates, mapped parameters, headers.

An integration is compiled once (``rest_plan``, ``http_plan``) and then filled in for each call. What comes from the
caller's path or query is percent-encoded already and is put into a URI untouched; what comes from elsewhere is encoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote, unquote_plus

from .answers import Header
from .model import HttpIntegration, Integration

__all__ = [
    "DROPPED",
    "Backend",
    "Call",
    "InvalidEndpoint",
    "Mapped",
    "Plan",
    "http_plan",
    "legal",
    "rest_plan",
    "source",
]


class InvalidEndpoint(Exception):
    """What the URI template gave is no address of a backend."""


@dataclass(frozen=True, slots=True)
class Call:
    """What mappings may look at. All text is as it stood on the wire."""

    method: str
    path: str
    """Behind the stage."""
    query: str
    headers: Sequence[Header]
    parameters: Mapping[str, str]
    """The path's variables."""
    variables: Mapping[str, str]
    """The stage's."""
    context: Callable[[str], str | None]
    """The value of ``context.NAME``."""


# --- where a value comes from


class _Source(NamedTuple):
    values: Callable[[Call], Sequence[str]]
    encoded: bool
    """Whether what it gives is percent-encoded already."""


_NOTHING = _Source(lambda call: (), False)
_MAPPED = ("header", "querystring", "path")


def source(expression: str) -> Callable[[Call], Sequence[str]]:
    """What a mapping expression (``context.requestId``, ``'literal'``, ``method.request.header.X`` …) gives, decoded."""
    found = _rest_source(expression)
    if found.encoded:
        return lambda call: [unquote(value) for value in found.values(call)]
    return found.values


def _rest_source(expression: str) -> _Source:
    if len(expression) > 1 and expression[0] == expression[-1] == "'":
        literal = (expression[1:-1],)
        return _Source(lambda call: literal, False)
    return _selected(expression.removeprefix("method."))


def _selected(selector: str) -> _Source:
    """``request.WHERE.NAME``, ``request.path``, ``context.NAME`` or ``stageVariables.NAME``."""
    kind, _, name = selector.partition(".")
    if kind == "context":
        return _Source(lambda call: _one(call.context(name)), False)
    if kind == "stageVariables":
        return _Source(lambda call: _one(call.variables.get(name)), False)
    if kind != "request":
        return _NOTHING
    where, _, name = name.partition(".")
    many = where.startswith("multivalue")
    where = where.removeprefix("multivalue")
    if where == "path":
        return _Source(lambda call: _one(call.parameters.get(name) if name else call.path), True)
    if where == "header":
        lower = name.lower()
        return _several(lambda call: [value for one, value in call.headers if one.lower() == lower], False, many)
    if where == "querystring":
        return _several(lambda call: [value for one, value in _pairs(call.query) if one == name], True, many)
    return _NOTHING


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _several(values: Callable[[Call], list[str]], encoded: bool, many: bool) -> _Source:
    """All values, or the last one, which is what API Gateway takes of a repeated parameter."""
    return _Source(values if many else lambda call: values(call)[-1:], encoded)


def _pairs(query: str) -> Iterable[tuple[str, str]]:
    """Names, decoded, and raw values."""
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield unquote_plus(name), value


_REFERENCE = re.compile(r"\$\{([^}]+)\}|\$([A-Za-z]+(?:\.[\w!#%&'*+^`|~-]+)*)")


def _http_source(expression: str) -> _Source:
    """The other syntax, of HTTP APIs: text with ``$request.header.X`` or ``${stageVariables.x}`` in it."""
    whole = _REFERENCE.fullmatch(expression)
    if whole is not None:
        return _selected(whole[1] or whole[2])
    text = expression[1:-1] if len(expression) > 1 and expression[0] == expression[-1] == "'" else expression

    def filled(call: Call) -> Sequence[str]:
        return (_REFERENCE.sub(lambda found: ",".join(_selected(found[1] or found[2]).values(call)), text),)

    return _Source(filled, False)


# --- what becomes of it


class _Edit(NamedTuple):
    """One mapped parameter."""

    action: Literal["overwrite", "append", "remove"]
    name: str
    given: _Source

    def in_header(self, call: Call) -> str | None:
        values = self.given.values(call)
        text = ",".join(unquote(value) for value in values) if self.given.encoded else ",".join(values)
        return legal(text) if values else None

    def in_uri(self, call: Call, *, safe: str = "") -> list[str]:
        values = self.given.values(call)
        return list(values) if self.given.encoded else [quote(value, safe=safe) for value in values]


_ILLEGAL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def legal(text: str) -> str:
    """*text* as a header may have it: a line end would begin a header of its own (RFC 9110 5.5)."""
    return _ILLEGAL.sub(" ", text)


class Backend(NamedTuple):
    """A backend's address."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    authority: str


_BASE = re.compile(r"[A-Za-z]+://[^/?]*")
_ADDRESS = re.compile(r"(https?)://((?:\[([0-9A-F:.]+)\]|([^\[\]@:\s]+))(?::([0-9]{1,5}))?)", re.IGNORECASE)
_WELL_KNOWN = {"http": 80, "https": 443}


@lru_cache(maxsize=1_000)
def _parsed(base: str) -> Backend:
    """The address in a URI without its path. Raises InvalidEndpoint."""
    found = _ADDRESS.fullmatch(base)
    if found is None:
        raise InvalidEndpoint(base)
    scheme: Literal["http", "https"] = "http" if found[1].lower() == "http" else "https"
    port = int(found[5]) if found[5] else _WELL_KNOWN[scheme]
    if port not in (80, 443) and not 1024 <= port <= 65_535:
        raise InvalidEndpoint(base)
    return Backend(scheme, found[3] or found[4], port, found[2])


_PLACE = re.compile(r"\$\{stageVariables\.([^}]+)\}|\{([^}]+)\}")


class _Template:
    """A URI with ``{name}`` and ``${stageVariables.name}`` in it."""

    def __init__(self, text: str) -> None:
        self._text = text.partition("#")[0]
        self._fixed = _PLACE.search(text) is None

    def fill(self, call: Call, mapped: Mapping[str, _Edit]) -> tuple[Backend, str, str]:
        """Address, path and query for *call*; *mapped* are the path parameters that a mapping gives."""
        text = self._text
        if not self._fixed:
            text = _PLACE.sub(lambda place: _filled(place, call, mapped), text)
        end = _BASE.match(text)
        if end is None:
            raise InvalidEndpoint(text)
        path, _, query = text[end.end() :].partition("?")
        return _parsed(end[0]), path, query


def _filled(place: re.Match[str], call: Call, mapped: Mapping[str, _Edit]) -> str:
    if place[1]:
        return call.variables.get(place[1], "")
    name = place[2].removesuffix("+")
    if name in mapped:
        return "".join(mapped[name].in_uri(call, safe="/"))
    return call.parameters.get(name, "")


class Mapped(NamedTuple):
    """The request to the backend, but for its body and the headers that depend on the connection."""

    method: str
    backend: Backend
    target: str
    headers: list[Header]
    """Without Host."""

    @property
    def uri(self) -> str:
        """The whole URI."""
        return f"{self.backend.scheme}://{self.backend.authority}{self.target}"


DROPPED = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),  # hop by hop (RFC 9110 7.6.1)
        *("expect", "max-forwards", "content-md5", "www-authenticate"),  # API Gateway's known issues
        *("host", "content-length"),  # made anew
    }
)
"""Headers of the caller that do not reach the backend."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An integration, compiled. ``passes`` says that the caller's query, headers and body go along (a proxy)."""

    integration: Integration | HttpIntegration
    type: str
    method: str | None
    uri: _Template
    headers: tuple[_Edit, ...]
    query: tuple[_Edit, ...]
    path: Mapping[str, _Edit]
    passes: bool
    append_path: bool = False
    """Whether the caller's path goes behind the URI's."""
    insecure_skip_verification: bool = False

    @property
    def timeout_ms(self) -> int:
        """``timeoutInMillis``."""
        return self.integration.timeout_ms

    def map(self, call: Call) -> Mapped:
        """The request to the backend. Raises InvalidEndpoint when the filled template is no address."""
        backend, path, query = self.uri.fill(call, self.path)
        if self.append_path:
            path = path.rstrip("/") + call.path
        whole = self.path.get("")
        if whole is not None:  # an HTTP API's overwrite:path
            path = "".join(whole.in_uri(call, safe="/"))
            path = path if path.startswith("/") else f"/{path}"
        own = call.query if self.passes else ""
        if self.query:
            own = self._mapped_query(call, own)
        query = f"{query}&{own}" if query and own else query or own
        target = f"{path or '/'}?{query}" if query else path or "/"
        method = call.method if self.method in (None, "ANY") else str(self.method)
        return Mapped(method, backend, target, self._mapped_headers(call))

    def _mapped_query(self, call: Call, query: str) -> str:
        replaced = {edit.name for edit in self.query if edit.action != "append"}
        kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in replaced]
        for edit in self.query:
            if edit.action != "remove":
                kept += [f"{quote(edit.name, safe='')}={value}" for value in edit.in_uri(call)]
        return "&".join(kept)

    def _mapped_headers(self, call: Call) -> list[Header]:
        headers = _passed(call.headers) if self.passes else []
        if self.headers:
            replaced = {edit.name.lower() for edit in self.headers if edit.action != "append"}
            headers = [pair for pair in headers if pair[0].lower() not in replaced]
            for edit in self.headers:
                value = None if edit.action == "remove" else edit.in_header(call)
                if value is not None and edit.name.lower() not in ("content-length", "transfer-encoding"):
                    headers.append((edit.name, value))
        return headers


def _passed(headers: Sequence[Header]) -> list[Header]:
    kept = [pair for pair in headers if pair[0].lower() not in DROPPED]
    for name, value in headers:
        # RFC 9110 7.6.1: what Connection names is meant for this hop too
        if name.lower() == "connection" and value.lower() not in ("keep-alive", "close"):
            named = {word.strip().lower() for word in value.split(",")}
            kept = [pair for pair in kept if pair[0].lower() not in named]
    return kept


def rest_plan(integration: Integration) -> Plan:
    """The plan of a REST API's integration."""
    edits: dict[str, list[_Edit]] = {where: [] for where in _MAPPED}
    for parameter, expression in integration.request_parameters.items():
        where, _, name = parameter.removeprefix("integration.request.").partition(".")
        if where in edits and name:
            edits[where].append(_Edit("overwrite", name, _rest_source(expression)))
    plan = _plan(integration, integration.http_method, edits)
    return replace(plan, insecure_skip_verification=integration.insecure_skip_verification)


def http_plan(integration: HttpIntegration, *, append_path: bool = False) -> Plan:
    """The plan of an HTTP API's integration; its mappings read ``overwrite:header.X``. *append_path*: of ``$default``."""
    edits: dict[str, list[_Edit]] = {where: [] for where in _MAPPED}
    for parameter, expression in integration.request_parameters.items():
        action, _, target = parameter.partition(":")
        where, _, name = target.partition(".")
        for known in ("overwrite", "append", "remove"):
            if action == known and where in edits:
                edits[where].append(_Edit(known, name, _http_source(expression)))
    return replace(_plan(integration, integration.method, edits), append_path=append_path)


def _plan(integration: Integration | HttpIntegration, method: str | None, edits: Mapping[str, Sequence[_Edit]]) -> Plan:
    return Plan(
        integration=integration,
        type=integration.type,
        method=method,
        uri=_Template(integration.uri or ""),
        headers=tuple(edits["header"]),
        query=tuple(edits["querystring"]),
        path={edit.name: edit for edit in edits["path"]},
        passes=integration.type == "HTTP_PROXY",
    )
