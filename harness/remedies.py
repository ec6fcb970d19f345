"""What to change at the server at hand: its own remedy where the server is known, the scenario's general one otherwise."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import PurePath

from .backend.server import Server
from .backend.servers import servers
from .backend.target import Target
from .scenario import Scenario

__all__ = ["remedy_for", "server_at_hand"]

_VERSION = re.compile(r"[-.\d]+$")


def remedy_for(scenario: Scenario, target: Target, header: str | None) -> str:
    """The remedy of *scenario* for *target*, whose answers bore *header* as their Server header."""
    server = server_at_hand(target, header)
    own = server.remedy(scenario.id) if server is not None else None
    return scenario.remedy if server is None or own is None else f"{server.cures or server.name}: {own}"


def server_at_hand(target: Target, header: str | None) -> Server | None:
    """The built-in server that *target* is, or is made with; None when nothing tells.

    The program of a command says it, unless that only interprets another one: then the answers know better. A server that is
    reached by its URL, or started by a repository, has nothing but its answers.
    """
    if target.kind == "embedded":
        return None  # it answers as aiohttp, but what it gets wrong is a fault of its own
    if target.kind == "server":
        return servers().get(target.name)
    by_program = _by_program(target.name) if target.kind == "command" else None
    if by_program is not None and not by_program.interpreter:
        return by_program
    return _by_header(header) or by_program


def _by_program(command: str) -> Server | None:
    """By the first word of a command, or by what Python's -m or env(1) starts."""
    words = [word for word in shlex.split(command) if "=" not in word and word != "env"]
    names = [*words[:1], *(after for word, after in pairwise(words) if word == "-m")]
    known = {name: server for server in servers().values() if not server.cures for name in server.programs}
    found = [known.get(_VERSION.sub("", PurePath(name).name)) for name in names]
    return next((server for server in reversed(found) if server is not None), None)


def _by_header(header: str | None) -> Server | None:
    """By the beginning of a Server header."""
    for server in servers().values():
        if header and server.header and not server.cures and header.lower().startswith(server.header.lower()):
            return server
    return None
