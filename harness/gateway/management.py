"""``/_mtls/`` on the plain port: what the mock can and AWS cannot. JSON in and out; unknown members are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .egress import Egress
from .faults import Faults, InjectedError
from .functions import Function
from .log import KINDS, Log, iso
from .operations import OPERATIONS
from .settings import SettingError
from .state import State

__all__ = ["PREFIX", "Management", "ManagementError", "is_url", "parse_place", "trusted"]

PREFIX = "/_mtls/"


class ManagementError(Exception):
    """The request is refused: *status* is 400 or 404, the text one line."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True, kw_only=True)
class Management:
    """Works on the parts of a gateway. ``reset`` is the gateway's own, for it knows how the process was started."""

    state: State
    log: Log
    faults: Faults
    egress: Egress
    names: dict[str, tuple[str, int]]
    """Where egress connects for a host name, in lower case."""
    functions: dict[str, Function]
    """By name."""
    reset: Callable[[], None]
    version: str

    def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON value (None: no body) for a request to *path*, raw, below PREFIX. Raises ManagementError."""
        what, _, name = path[len(PREFIX) :].partition("/")
        act = _ACTS.get((method, what, bool(name)))
        if act is None:
            raise ManagementError(
                404, f"{method} {path}: expected a request of the management interface, saw none of them"
            )
        found = act(self, _Request(unquote(name), query, body))
        return (204, None) if found is None else (200, found)

    # --- the requests

    def health(self, _: _Request) -> Any:
        """That it lives, and what it holds."""
        state = self.state
        counts = {
            "rest_apis": len(state.rest_apis),
            "apis": len(state.http_apis),
            "client_certificates": len(state.client_certificates),
            "domain_names": len(state.domain_names),
            "connections": len(self.egress.connections()),
        }
        return {"status": "ok", "version": self.version, "time": iso(state.now()), "counts": counts}

    def do_reset(self, _: _Request) -> None:
        """As after the start."""
        self.reset()

    def read_log(self, request: _Request) -> Any:
        """The entries that fit, and where to go on."""
        given = request.parameters(("kind", "since", "api_id", "request_id", "limit"))
        kind = given.get("kind")
        if kind is not None and kind not in KINDS:
            raise ManagementError(400, f"kind ({kind}): expected one of {', '.join(KINDS)}")
        limit = _number(given, "limit")
        entries = self.log.entries(
            kind=kind,
            since=_number(given, "since") or 0,
            api_id=given.get("api_id"),
            request_id=given.get("request_id"),
            limit=limit,
        )
        # with a limit there may be more: go on behind what was shown
        cut = limit is not None and len(entries) == limit and entries
        return {"entries": entries, "next": entries[-1]["seq"] if cut else self.log.next}

    def clear_log(self, _: _Request) -> None:
        """Forget the entries."""
        self.log.clear()

    def read_settings(self, _: _Request) -> Any:
        """All settings."""
        return self.state.settings.as_json()

    def change_settings(self, request: _Request) -> Any:
        """Some settings, all or nothing."""
        try:
            self.state.settings = self.state.settings.changed(request.members())
        except SettingError as error:
            raise ManagementError(400, str(error)) from None
        self._shake_hands_again()
        return self.state.settings.as_json()

    def set_clock(self, request: _Request) -> Any:
        """The gateway's clock, as an offset from the real one."""
        offset = request.members(("offset_seconds",)).get("offset_seconds")
        unfit = ManagementError(
            400, f"offset_seconds ({json.dumps(offset)}): expected a number that leads to a time from 1970 to 2105"
        )
        if not isinstance(offset, int | float) or isinstance(offset, bool):
            raise unfit
        try:
            self.state.set_clock(timedelta(seconds=offset))
        except (ValueError, OverflowError):
            raise unfit from None
        self._shake_hands_again()
        return {"offset_seconds": offset, "now": iso(self.state.now())}

    def set_faults(self, request: _Request) -> Any:
        """All faults anew."""
        members = request.members(("latency_ms", "errors"))
        latency = _object(members.get("latency_ms", {}), "latency_ms", ("control", "integration"))
        errors = members.get("errors", [])
        if not isinstance(errors, list):
            raise ManagementError(400, "errors: expected a list")
        faults = Faults(
            _seconds(latency, "control"), _seconds(latency, "integration"), [_injected(one) for one in errors]
        )
        self.faults.replace(faults)
        return {
            "latency_ms": {"control": latency.get("control", 0), "integration": latency.get("integration", 0)},
            "errors": [
                {"operation": one.operation, "status": one.status, "code": one.code, "times": one.times}
                for one in self.faults.errors
            ],
        }

    def read_function(self, request: _Request) -> Any:
        """What a function's name is bound to."""
        function: Function = self._known(self.functions, request.name, "function")
        return {"url" if function.handler is None else "function": function.target}

    def bind_function(self, request: _Request) -> Any:
        """Bind a function's name to a URL."""
        url = request.members(("url",)).get("url")
        if not isinstance(url, str) or not is_url(url):
            raise ManagementError(400, f"url ({json.dumps(url)}): expected http://… or https://…")
        self.functions[request.name] = Function(url)
        return {"url": url}

    def drop_function(self, request: _Request) -> None:
        """Unbind a function's name."""
        self._known(self.functions, request.name, "function")
        del self.functions[request.name]

    def set_name(self, request: _Request) -> Any:
        """Where egress connects for a host name."""
        to = request.members(("to",)).get("to")
        try:
            place = parse_place(to if isinstance(to, str) else "")
        except ValueError:
            raise ManagementError(400, f"to ({json.dumps(to)}): expected HOST:PORT") from None
        self.names[request.name.lower()] = place
        self.egress.close_idle()
        return {"to": to}

    def drop_name(self, request: _Request) -> None:
        """Leave a host name to DNS again."""
        self._known(self.names, request.name.lower(), "name")
        del self.names[request.name.lower()]
        self.egress.close_idle()

    def connections(self, _: _Request) -> Any:
        """The open egress connections."""
        return {"connections": self.egress.connections()}

    def _known(self, things: Mapping[str, Any], name: str, what: str) -> Any:
        if name not in things:
            raise ManagementError(404, f"{what} ({name}): expected one that was set, saw none")
        return things[name]

    def _shake_hands_again(self) -> None:
        """The next request is to show what was changed."""
        self.egress.close_idle()
        self.state.changed()


@dataclass(frozen=True, slots=True)
class _Request:
    name: str
    query: str
    body: bytes

    def members(self, known: Iterable[str] | None = None) -> dict[str, Any]:
        """The body's JSON object; only *known* members may be in it."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise ManagementError(400, "body: expected JSON") from None
        return _object(value, "body", known)

    def parameters(self, known: Iterable[str]) -> dict[str, str]:
        """The query's parameters; only *known* ones may be in it, each once."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        found = {name: value for name, value in pairs if value}
        unknown = [name for name, _ in pairs if name not in known]
        if unknown:
            raise ManagementError(400, f"{unknown[0]}: expected one of {', '.join(known)}")
        return found


_Act = Callable[[Management, _Request], Any]
_ACTS: Mapping[tuple[str, str, bool], _Act] = {
    ("GET", "health", False): Management.health,
    ("POST", "reset", False): Management.do_reset,
    ("GET", "log", False): Management.read_log,
    ("DELETE", "log", False): Management.clear_log,
    ("GET", "settings", False): Management.read_settings,
    ("PATCH", "settings", False): Management.change_settings,
    ("PUT", "clock", False): Management.set_clock,
    ("PUT", "faults", False): Management.set_faults,
    ("GET", "functions", True): Management.read_function,
    ("PUT", "functions", True): Management.bind_function,
    ("DELETE", "functions", True): Management.drop_function,
    ("PUT", "resolve", True): Management.set_name,
    ("DELETE", "resolve", True): Management.drop_name,
    ("GET", "connections", False): Management.connections,
}


def trusted(host: str | None, origin: str | None, own: str) -> bool:
    """Whether a request may drive the mock: no browser page may, so no Origin, and Host is loopback or *own* (--host)."""
    if origin is not None or host is None:
        return False
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    name = name.rstrip(".").lower()
    if name in ("localhost", own.lower()):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/\s]+)):([0-9]{1,5})")


def parse_place(text: str) -> tuple[str, int]:
    """``HOST:PORT``, an IPv6 address in brackets; raises ValueError."""
    found = _PLACE.fullmatch(text)
    if found is None or not 1 <= int(found[3]) <= 65_535:
        raise ValueError(text)
    return found[1] or found[2], int(found[3])


def is_url(text: str) -> bool:
    """Whether *text* is ``http://…`` or ``https://…`` with a host, a port that can be, and no blanks."""
    if not text.isprintable() or " " in text:  # urlsplit drops some of what is not
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0  # reading it checks it
    except ValueError:
        return False


def _object(value: object, what: str, known: Iterable[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ManagementError(400, f"{what}: expected a JSON object")
    unknown = [] if known is None else [name for name in value if name not in known]
    if known is not None and unknown:
        raise ManagementError(400, f"{unknown[0]}: expected one of {', '.join(known)}, saw an unknown member of {what}")
    return value


def _number(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ManagementError(400, f"{name} ({text}): expected a whole number")
    return int(text)


def _seconds(latency: Mapping[str, Any], name: str) -> float:
    value = latency.get(name, 0)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 600_000:
        raise ManagementError(400, f"latency_ms.{name} ({json.dumps(value)}): expected a number from 0 to 600000")
    return value / 1000


def _injected(value: object) -> InjectedError:
    members = {"times": 1, **_object(value, "errors", ("operation", "status", "code", "times"))}
    operation, status, code, times = (members.get(name) for name in ("operation", "status", "code", "times"))
    if operation not in {name for _, name in OPERATIONS}:
        raise ManagementError(400, f"operation ({json.dumps(operation)}): expected an operation that is emulated")
    if not isinstance(status, int) or isinstance(status, bool) or not 400 <= status <= 599:
        raise ManagementError(400, f"status ({json.dumps(status)}): expected a number from 400 to 599")
    if not isinstance(code, str) or not re.fullmatch(r"\w+", code, re.ASCII):
        raise ManagementError(400, f"code ({json.dumps(code)}): expected the name of an exception")
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise ManagementError(400, f"times ({json.dumps(times)}): expected a number from 1")
    return InjectedError(str(operation), status, code, times)
