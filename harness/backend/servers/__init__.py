"""Built-in servers: one module each, found by its name; a module defines ``SERVER``, and nothing else lists it."""

from __future__ import annotations

import pkgutil
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

from ...errors import BackendError, StartError, UsageError
from ...pki.truststore import Truststore
from ..contract import Factory, Material, Running
from ..process import BackendProcess, fill_in, running
from ..reload import ReloadWay
from ..server import Server

__all__ = ["factory_of", "find_server", "servers"]

_SOURCES = Path(__file__).parent / "sources"
_BUILD_SECONDS = 300


@cache
def servers() -> dict[str, Server]:
    """All built-in servers by name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        server: Server = import_module(f"{__name__}.{module.name}").SERVER
        found[server.name] = server
    return found


def find_server(name: str) -> Server:
    """The server called *name*, if all that it needs is installed; raises UsageError otherwise."""
    server = servers().get(name)
    if server is None:
        raise UsageError(
            f"--server ({name}): expected one of {', '.join(sorted(servers()))}. Or start yours by --command."
        )
    missing = server.missing
    if missing is not None:
        raise UsageError(f"--server ({name}): expected {missing.what}, which is not installed. {missing.get}")
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
    for name in server.copies:
        shutil.copyfile(_SOURCES / name, folder / name)
    values = _values(server, material, folder)
    _write_config(server, material, folder, values)
    way = replace(reload, words=tuple(fill_in(reload.words, material, values)))

    def reloader(process: BackendProcess, material: Material) -> None:
        if server.pin is not None:
            _write_config(server, material, folder, values)
        way.carry_out(process, material)

    words = fill_in(server.command, material, values)
    with running(words, material, folder=folder, cwd=folder, reloader=reloader if reload.live else None) as process:
        yield process


def _values(server: Server, material: Material, folder: Path) -> dict[str, str]:
    """The placeholders that only built-in servers have."""
    config = folder / server.config.name if server.config else folder
    values = {"folder": str(folder), "config": str(config), "sources": str(_SOURCES)}
    if server.build:
        values["program"] = str(_built(server, material, values))
    return values | dict(server.values(material, folder))


def _built(server: Server, material: Material, values: Mapping[str, str]) -> Path:
    """The folder of the compiled server, beside the material of the first backend that needs it: it ends with the run."""
    program = material.folder.parent / f"{server.name}-program"
    if not program.exists():
        unfinished = Path(tempfile.mkdtemp(prefix=f"{server.name}-unfinished-", dir=program.parent))
        words = fill_in(server.build, material, {**values, "program": str(unfinished)})
        done = subprocess.run(
            words,
            cwd=unfinished,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
        if done.returncode:
            said = " | ".join((done.stderr or done.stdout).strip().splitlines()[:3])
            raise StartError(f"{server.name}: cannot be compiled by {words[0]}: {said}. Look at its version.")
        try:
            unfinished.rename(program)
        except OSError:  # another process of this run was first; its folder is as good
            shutil.rmtree(unfinished, ignore_errors=True)
    return program


def _write_config(server: Server, material: Material, folder: Path, values: Mapping[str, str]) -> None:
    """Write the configuration, and beside it what it may include; raises BackendError for pins of a broken truststore."""
    if server.config is None:
        return
    escaped = {name: server.config.escape(value) for name, value in {**material.placeholders, **values}.items()}
    pins = {} if server.pin is None else {"pins": _pins(server, material)}
    path = folder / server.config.name
    path.parent.mkdir(exist_ok=True)
    if server.config.beside is not None:
        for one in server.config.beside.iterdir():
            if one.name != path.name and not (path.parent / one.name).is_symlink():
                (path.parent / one.name).symlink_to(one)
    path.write_text(fill_in([server.config.stock], material, {**escaped, **pins})[0])


def _pins(server: Server, material: Material) -> str:
    assert server.pin is not None
    try:
        trusted = Truststore.parse(material.truststore.read_bytes())
    except OSError as error:
        raise BackendError(f"{server.name}: the truststore cannot be read: {error.strerror}. Put one there.") from error
    except UsageError as error:
        raise BackendError(f"{server.name}: no pins can be made: {error}") from error
    if not trusted.certificates:
        raise BackendError(f"{server.name}: no pins can be made: the truststore holds no certificate. Put one there.")
    return "\n".join(server.pin(certificate) for certificate in trusted)
