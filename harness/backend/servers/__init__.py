"""Built-in servers: one module each, found by its name; a module defines ``SERVER``, and nothing else lists it."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

from ...errors import UsageError
from ..contract import Factory, Material, Running
from ..process import BackendProcess, find_program, running
from ..reload import RESTART, ReloadWay

__all__ = ["Server", "factory_of", "find_server", "servers"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server program with its stock configuration.

    ``prepare`` writes what the server needs into a folder of its own and returns the command. ``package`` is Debian's.
    """

    name: str
    program: str
    package: str
    about: str
    prepare: Callable[[Material, Path], list[str]]
    reload: ReloadWay = field(default=RESTART)


@cache
def servers() -> dict[str, Server]:
    """All built-in servers by name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        server = import_module(f"{__name__}.{module.name}").SERVER
        found[server.name] = server
    return found


def find_server(name: str) -> Server:
    """The server called *name*, if its program is installed; raises UsageError otherwise."""
    server = servers().get(name)
    if server is None:
        raise UsageError(
            f"--server ({name}): expected one of {', '.join(sorted(servers()))}. Or start yours by --command."
        )
    if find_program(server.program) is None:
        raise UsageError(
            f"--server ({name}): expected the program '{server.program}', which is not installed. "
            f"On Debian: apt-get install {server.package}."
        )
    return server


def factory_of(server: Server, reload: ReloadWay) -> Factory:
    """A factory that starts *server*; *reload* other than restart makes it reloadable."""

    def start(material: Material) -> AbstractContextManager[Running]:
        return _started(server, material, reload)

    return start


@contextmanager
def _started(server: Server, material: Material, reload: ReloadWay) -> Iterator[BackendProcess]:
    folder = material.folder / server.name
    folder.mkdir(mode=0o700, exist_ok=True)
    reloader = reload.carry_out if reload.live else None
    words = server.prepare(material, folder)
    with running(words, material, folder=folder, cwd=folder, reloader=reloader) as process:
        yield process
