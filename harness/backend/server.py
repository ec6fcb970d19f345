"""What a built-in server is: what it needs, its stock configuration, its command, and what mends its findings."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from cryptography import x509

from .contract import Capability, Material
from .process import find_program
from .reload import RESTART, ReloadWay

__all__ = [
    "PARTIAL_CHAIN",
    "TRAPPED",
    "ConfigFile",
    "Need",
    "Server",
    "file_needed",
    "in_quotes",
    "newer_than",
    "node_modules",
    "npm_package",
    "overruled",
    "program",
    "python_package",
    "said_by",
    "version_by",
]

TRAPPED = "rotation/both-* rotation/switch rotation/drill trust/several-*"
"""The scenarios that the rotation trap fails."""

PARTIAL_CHAIN = (
    "OpenSSL takes the first certificate of a name in the truststore for the issuer, and all gateway certificates have one "
    "name. With VERIFY_X509_PARTIAL_CHAIN each certificate of the truststore counts by itself (Python 3.13 sets it in "
    "create_default_context)."
)
"""Why and how of the trap in Python; each server adds where the flag is set."""

_VERSION_SECONDS = 20
_VERSION = re.compile(r"\d+(?:\.\d+)+")


# --- what a server needs


@dataclass(frozen=True, slots=True)
class Need:
    """Something that has to be installed: *what* it is, how to *get* it (a sentence), and whether it *is_there*."""

    what: str
    get: str
    is_there: Callable[[], bool]


def program(name: str, package: str) -> Need:
    """A program, which a Debian *package* brings."""
    return Need(
        f"the program '{name}'", f"On Debian: apt-get install {package}.", lambda: find_program(name) is not None
    )


def file_needed(path: str, package: str) -> Need:
    """A file, such as a library of Java's, which a Debian *package* brings."""
    return Need(f"the file {path}", f"On Debian: apt-get install {package}.", Path(path).exists)


def python_package(name: str) -> Need:
    """A package from PyPI that lies beside this one, so that the same interpreter finds it."""
    return Need(
        f"the Python package '{name}'",
        f"In the environment of pytest-mtls: pip install {name}.",
        lambda: find_spec(name) is not None,
    )


def npm_package(name: str) -> Need:
    """A package from npm, in ``node_modules`` of the working directory or in a folder that NODE_PATH names."""
    return Need(
        f"the npm package '{name}' in ./node_modules or a folder of NODE_PATH",
        f"Here: npm install {name}.",
        lambda: node_modules(name) is not None,
    )


def node_modules(name: str) -> Path | None:
    """The folder of npm packages that holds the one called *name*."""
    given = [Path(one) for one in os.environ.get("NODE_PATH", "").split(os.pathsep) if one]
    return next((one for one in (*given, Path.cwd() / "node_modules") if (one / name).is_dir()), None)


# --- the server


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A server's configuration file: its *name*, and the *stock* text with placeholders."""

    name: str
    stock: str
    escape: Callable[[str], str] = str
    """How a path stands between the quotes of this configuration."""
    required: tuple[str, ...] = ("port", "server_cert", "server_key", "truststore")
    """Placeholders without which a user's own configuration would not be about our material."""
    complete: Callable[[str], str] = str
    """Adds to a user's own configuration what the harness needs: to stay in the foreground, for one."""
    beside: Path | None = None
    """The folder of a user's own configuration, whose other files it may include."""


def in_quotes(value: str) -> str:
    """*value* as it stands between double quotes in most configuration languages."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def overruled(text: str, own: Mapping[str, str], pattern: str, *, first: bool = False) -> str:
    """A user's configuration *text* with the directives *own*, by name, in the place of its own ones.

    A real configuration names the pid file of the machine's own server, which ours would overwrite. *pattern* is how a
    directive {name} stands in the text; its line stays as an empty one, so that the numbers in the server's messages are
    right. *first* puts ours before the text instead of behind it.
    """
    there = {line.strip() for line in text.splitlines()}
    missing = {name: line for name, line in own.items() if line not in there or not line}
    for name in missing:
        text = re.sub(pattern.replace("{name}", re.escape(name)), "", text, flags=re.MULTILINE | re.IGNORECASE)
    lines = [line for line in missing.values() if line]
    if not lines:
        return text
    return "\n".join([*lines, text] if first else [text, *lines, ""])


def _no_values(material: Material, folder: Path) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server program with the configuration that its documentation shows.

    Words and configuration may hold the placeholders of ``--command``, and {folder} (the server's own), {program} (the
    folder for what ``build`` makes) and {sources}; *values* gives further ones at the start.
    """

    name: str
    about: str
    """One line: what is configured."""
    needs: tuple[Need, ...]
    command: tuple[str, ...]
    version: tuple[str, ...]
    """A command that prints the version."""
    config: ConfigFile | None = None
    copies: tuple[str, ...] = ()
    """Files of ``servers/sources`` that are put into the server's folder."""
    build: tuple[str, ...] = ()
    """A command that compiles the server into {program}; carried out once for all backends of a run."""
    values: Callable[[Material, Path], Mapping[str, str]] = _no_values
    pin: Callable[[x509.Certificate], str] | None = None
    """A line of configuration for each certificate of the truststore, together {pins}; made anew before each reload."""
    reload: ReloadWay = field(default=RESTART)
    capabilities: frozenset[Capability] = frozenset()
    """What it can do in this configuration, beyond what follows from its way to reload."""
    cures: str = ""
    """The stock server whose findings this one mends."""
    programs: tuple[str, ...] = ()
    """How the program may be called on a command line of a user's, without a version at its end."""
    interpreter: bool = False
    """Whether such a command line may run another server as well, so that its answers know better."""
    header: str = ""
    """How the Server header of its answers begins."""
    remedies: Mapping[str, str] = field(default_factory=dict)
    """What to change here, by scenarios: patterns of ids, separated by blanks; the first that fits counts."""

    @property
    def missing(self) -> Need | None:
        """The first thing that it needs and that is not installed."""
        return next((need for need in self.needs if not need.is_there()), None)

    def remedy(self, scenario: str) -> str | None:
        """What to change at this server when *scenario* fails; None when the general text says it all."""
        for patterns, text in self.remedies.items():
            if any(fnmatchcase(scenario, pattern) for pattern in patterns.split()):
                return text
        return None


def newer_than(version: str | None, least: tuple[int, ...]) -> bool:
    """Whether *version*, digits and dots, is *least* or a later one; an unknown one is not."""
    return version is not None and tuple(int(part) for part in version.split(".")) >= least


def version_by(command: tuple[str, ...]) -> str | None:
    """The version that a command prints, digits and dots; None when it does not say one."""
    found = _VERSION.search(said_by(command))
    return found[0] if found else None


@cache
def said_by(command: tuple[str, ...]) -> str:
    """What a command about a server program prints, to both its outputs; empty when it cannot be run or does not end."""
    words = [find_program(command[0]) or command[0], *command[1:]]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).decode("utf-8", "replace")
