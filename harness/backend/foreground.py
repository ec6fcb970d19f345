"""The reference backend in the foreground of a terminal, or as the command of a check."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import BackendError, UsageError
from ..pki.authority import new_hierarchy, server_credential
from ..pki.credential import Credential
from ..pki.gateway_certificate import gateway_credential
from ..pki.truststore import Truststore
from .contract import Material, lay_out
from .faults import behaviour_with
from .ports import free_port
from .reference import Behaviour, ReferenceBackend, listen, serve_until

__all__ = ["GivenMaterial", "serve"]

_ENDING = (signal.SIGINT, signal.SIGTERM)
_NAMES = ("host", "port", "server_cert", "server_key", "truststore")


@dataclass(frozen=True, slots=True)
class GivenMaterial(Material):
    """Material at paths of the user's own."""

    paths: Mapping[str, Path]

    @property
    def server_cert(self) -> Path:
        """The server's certificate."""
        return self.paths["server_cert"]

    @property
    def server_key(self) -> Path:
        """Its key."""
        return self.paths["server_key"]

    @property
    def truststore(self) -> Path:
        """Who may come in."""
        return self.paths["truststore"]


def serve(
    options: Mapping[str, str | None], *, faults: Iterable[str], alerts: bool, say: Callable[[str], object]
) -> None:
    """Serve until SIGINT or SIGTERM; *options* are host, port and the paths, None where not given.

    Paths that are given neither here nor as ``MTLS_…`` are made afresh in a temporary folder, which goes at the end;
    *say* is told where it listens and how to try it. Raises UsageError for what cannot be used.
    """
    for name in _NAMES:
        if options.get(name) == "":  # mostly a variable that was not set: to serve with something else helps nobody
            raise UsageError(
                f"--{name.replace('_', '-')}: expected a value, saw an empty one. Give one, or leave it out."
            )
    given = {name: options.get(name) or os.environ.get(f"MTLS_{name.upper()}") for name in _NAMES}
    behaviour = replace(behaviour_with(faults), alerts=alerts)
    with _undisturbed(), tempfile.TemporaryDirectory(prefix="pytest-mtls-backend-") as folder:
        material, example = _material(given, Path(folder), behaviour)
        try:
            backend = ReferenceBackend(material, behaviour)
            listener = listen(material)
        except BackendError as error:
            raise UsageError(str(error)) from error
        say(f"serving at {backend.url} (Ctrl-C ends it; SIGHUP reloads {material.truststore})")
        if example is not None:
            say(f"try it: {example}")
        serve_until(backend, listener, lambda done: _handle_signals(backend, done))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back the signals that end us until the loop listens to them, and again while everything is put away."""
    handlers = {number: signal.getsignal(number) for number in _ENDING}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)  # which drops those that came meanwhile
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _handle_signals(backend: ReferenceBackend, done: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        done.set()

    for number in _ENDING:
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, _reload, backend)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def _reload(backend: ReferenceBackend) -> None:
    try:
        backend.reload()
    except BackendError as error:
        print(f"reload: {error}. The last good truststore stays in force.", file=sys.stderr, flush=True)


def _material(given: Mapping[str, str | None], folder: Path, behaviour: Behaviour) -> tuple[Material, str | None]:
    """The material, and a curl line that shows it at work when we made the client's credential."""
    host, port = given["host"] or "127.0.0.1", _port(given["port"])
    if bool(given["server_cert"]) != bool(given["server_key"]):
        raise UsageError("--server-cert with --server-key: expected both or neither. Give the other one too.")
    hierarchy, client = new_hierarchy(2), gateway_credential()
    server = server_credential(hierarchy=hierarchy)
    if behaviour.alter_server is not None:
        server = behaviour.alter_server(server, hierarchy)
    fresh = lay_out(
        folder / "material",
        host=host,
        port=port,
        server=server,
        truststore=Truststore((client.leaf,)),
        server_ca=Truststore((hierarchy.root,)).pem,
    )
    paths = {name: Path(given[name] or getattr(fresh, name)) for name in _NAMES[2:]}
    if given["server_cert"]:
        Credential.from_files(paths["server_cert"], paths["server_key"], "server certificate")
    if given["truststore"]:
        return GivenMaterial(fresh.folder, host, port, paths), None
    certificate, key = client.write(fresh.folder, "client")
    words = ["curl", "--cert", str(certificate), "--key", str(key)]
    words += ["--cacert", str(fresh.server_ca)] if not given["server_cert"] else ["--insecure"]
    return GivenMaterial(fresh.folder, host, port, paths), shlex.join([*words, f"https://localhost:{port}/"])


def _port(text: str | None) -> int:
    if text is None:
        return free_port()
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 65_535:
        raise UsageError(f"--port ({text}): expected a number from 1 to 65535. Leave it out for a free one.")
    return int(text)
