"""From option values, which are text, to what they mean; every mistake is one UsageError that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .backend.contract import Capability, Factory, Material, Running
from .backend.faults import behaviour_with
from .backend.instance import endpoint_of
from .backend.process import fill_in as fill_in_words
from .backend.process import find_program, running, split_command
from .backend.reload import RESTART, ReloadWay, parse_reload
from .backend.servers import factory_of, find_server, servers
from .backend.target import Target
from .errors import BackendError, UsageError
from .options import Values
from .pki.credential import Credential, read_certificates
from .scenario import Level, Profile, Scenario, catalogue
from .tls.observation import TlsVersion
from .verdict import REJECT_STATUSES, Statuses

__all__ = ["Output", "Selection", "Settings", "parse", "with_factory"]

REFERENCE = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which scenarios to run."""

    profiles: tuple[Profile, ...]
    patterns: tuple[str, ...]
    levels: tuple[Level, ...]

    def takes(self, scenario: Scenario, profile: Profile) -> bool:
        """Whether *scenario* is to be run in *profile*."""
        named = not self.patterns or any(fnmatchcase(scenario.id, pattern) for pattern in self.patterns)
        return named and profile in self.profiles and scenario.level in self.levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where reports go."""

    json: Path | None
    junit: Path | None
    keep: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole run."""

    target: Target
    selection: Selection
    output: Output
    strict: bool


def parse(values: Values) -> Settings:
    """The settings that *values* mean; raises UsageError for the first that cannot be used."""
    return Settings(
        target=_target(values),
        selection=_selection(values),
        output=Output(
            json=_report_file(values, "json"), junit=_report_file(values, "junit"), keep=_path(values, "keep")
        ),
        strict=bool(values.get("strict")),
    )


def with_factory(target: Target, factory: Factory) -> Target:
    """*target* for a factory that a repository gives: it starts, and a restart counts as reload."""
    return Target(
        kind="factory",
        name="mtls_backend_factory",
        factory=factory,
        capabilities=target.capabilities | {Capability.RELOAD},
        reload_within=target.reload_within,
        start_within=target.start_within,
        path=target.path,
        statuses=target.statuses,
        tls=target.tls,
        timeouts=target.timeouts,
    )


# --- the target


def _target(values: Values) -> Target:
    given = [name for name in ("command", "server", "url") if values.get(name)]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} with --{given[1]}: expected one target, saw {len(given)}. Leave one out.")
    kind = given[0] if given else REFERENCE
    for name, needed in (
        ("fault", (REFERENCE, "server")),
        ("client_cert", ("url",)),
        ("client_key", ("url",)),
        ("server_ca", ("url",)),
    ):
        if values.get(name) and kind not in needed:
            raise UsageError(
                f"--{name.replace('_', '-')}: goes with --{needed[-1]} only. Leave it out, or add --{needed[-1]}."
            )
    if kind == "url":
        return _running_target(values)
    if kind == "command":
        return _command_target(values)
    return _server_target(values)


def _server_target(values: Values) -> Target:
    name = _text(values, "server") or REFERENCE
    faults = _many(values, "fault")
    if name != REFERENCE:
        if faults:
            raise UsageError(
                f"--fault ({faults[0]}): goes with --server reference only. Leave it out, or judge that server."
            )
        if name not in servers():
            known = ", ".join(sorted([REFERENCE, *servers()]))
            raise UsageError(f"--server ({name}): expected one of {known}. Or start yours by --command.")
        server = find_server(name)
        way = _reload(values, server.reload)
        return _make("server", name, factory_of(server, way), way, values)
    behaviour = behaviour_with(faults)

    def start(material: Material) -> AbstractContextManager[Running]:
        from .backend.reference import embedded  # aiohttp takes a while to import

        return embedded(material, behaviour)

    title = f"reference ({', '.join(faults)})" if faults else "reference"
    return _make("embedded", title, start, ReloadWay("watch"), values)


def _command_target(values: Values) -> Target:
    text = _text(values, "command") or ""
    words = split_command(text, "--command")
    if find_program(words[0]) is None:
        raise UsageError(
            f"--command ({words[0]}): expected a program that can be run, saw none. Check the name, or give its full path."
        )
    way = _reload(values, RESTART)

    def start(material: Material) -> AbstractContextManager[Running]:
        return running(
            fill_in_words(words, material),
            material,
            folder=material.folder,
            reloader=way.carry_out if way.live else None,
        )

    return _make("command", text, start, way, values)


def _running_target(values: Values) -> Target:
    url = _text(values, "url") or ""
    certificate, key = _path(values, "client_cert"), _path(values, "client_key")
    if certificate is None or key is None:
        missing = "--client-key" if certificate else "--client-cert"
        raise UsageError(
            f"--url ({url}): expected {missing} too. Give the certificate that this backend lets in, and its key."
        )
    for name in ("reload", "reload_within", "start_within"):
        if values.get(name):
            raise UsageError(
                f"--{name.replace('_', '-')}: a backend given by --url is not started or reloaded. Leave it out."
            )
    authority = _path(values, "server_ca")
    try:
        endpoint = endpoint_of(url, _request_path(values))
    except BackendError as error:
        raise UsageError(f"--url: {error}") from error
    return Target(
        kind="url",
        name=url,
        endpoint=endpoint,
        credential=Credential.from_files(certificate, key),
        server_authorities=tuple(read_certificates(authority, "--server-ca")) if authority else (),
        capabilities=_capabilities(values, frozenset()),
        path=_request_path(values),
        statuses=_statuses(values),
        tls=_versions(values),
        arguments=_arguments(values),
    )


def _make(kind: str, name: str, factory: Factory, way: ReloadWay, values: Values) -> Target:
    own = Capability.LIVE_RELOAD if way.live else Capability.RELOAD
    return Target(
        kind=kind,
        name=name,
        factory=factory,
        reload=way,
        capabilities=_capabilities(values, frozenset({own})),
        reload_within=_number(values, "reload_within", 5.0),
        start_within=_number(values, "start_within", 30.0),
        path=_request_path(values),
        statuses=_statuses(values),
        tls=_versions(values),
        arguments=_arguments(values),
    )


def _reload(values: Values, default: ReloadWay) -> ReloadWay:
    text = _text(values, "reload")
    return parse_reload(text) if text else default


def _arguments(values: Values) -> tuple[str, ...]:
    """What names the target on a command line, for ``reproduce``."""
    words: list[str] = []
    for name in (
        "command",
        "server",
        "fault",
        "url",
        "client_cert",
        "client_key",
        "reload",
        "path",
        "accept_status",
        "reject_status",
    ):
        value = values.get(name)
        for one in value if isinstance(value, tuple) else (value,):
            if one:
                words += [f"--{name.replace('_', '-')}", str(one)]
    return tuple(words)


def _capabilities(values: Values, own: frozenset[Capability]) -> frozenset[Capability]:
    named = []
    for name in _many(values, "capability"):
        if name not in list(Capability):
            raise UsageError(
                f"--capability ({name}): expected one of {', '.join(Capability)}.{_closest(name, Capability)}"
            )
        named.append(Capability(name))
    return own | frozenset(named)


def _request_path(values: Values) -> str:
    path = _text(values, "path") or "/"
    if not path.startswith("/") or any(character.isspace() for character in path) or not path.isascii():
        raise UsageError(
            f"--path ({path}): expected a path that begins with / and has no blanks. Percent-encode the rest."
        )
    return path


def _statuses(values: Values) -> Statuses:
    accept, reject = _status_list(values, "accept_status"), _status_list(values, "reject_status")
    both = (accept or frozenset()) & (reject or frozenset())
    if both:
        raise UsageError(
            f"--accept-status and --reject-status ({min(both)}): expected different statuses. Name it in one of them."
        )
    return Statuses(reject=(REJECT_STATUSES if reject is None else reject) - (accept or frozenset()), accept=accept)


def _status_list(values: Values, name: str) -> frozenset[int] | None:
    text = _text(values, name)
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and 100 <= int(part) <= 599 for part in parts):
        raise UsageError(
            f"--{name.replace('_', '-')} ({text}): expected HTTP statuses such as 401,403. Separate them by commas."
        )
    return frozenset(int(part) for part in parts)


def _versions(values: Values) -> tuple[TlsVersion, ...]:
    text = _text(values, "tls")
    if text is None:
        return tuple(TlsVersion)
    if text not in list(TlsVersion):
        raise UsageError(f"--tls ({text}): expected 1.2 or 1.3. Older versions are not probed.")
    return (TlsVersion(text),)


# --- the selection


def _selection(values: Values) -> Selection:
    profile, level = _text(values, "profile") or Profile.GATEWAY.value, _text(values, "level")
    if profile not in (*Profile, "all"):
        known = ", ".join((*Profile, "all"))
        raise UsageError(f"--profile ({profile}): expected one of {known}.{_closest(profile, (*Profile, 'all'))}")
    if level is not None and level.upper() not in list(Level):
        raise UsageError(f"--level ({level}): expected must, should or info.")
    profiles = tuple(Profile) if profile == "all" else (Profile(profile),)
    levels = tuple(Level) if level is None else (Level(level.upper()),)
    selection = Selection(profiles=profiles, patterns=_many(values, "scenario"), levels=levels)
    _check_selection(selection)
    return selection


def _check_selection(selection: Selection) -> None:
    known = catalogue()
    for pattern in selection.patterns:
        if not any(fnmatchcase(one, pattern) for one in known):
            raise UsageError(
                f"--scenario ({pattern}): no scenario of that id.{_closest(pattern, known)} See 'pytest-mtls scenarios'."
            )
    if not any(selection.takes(one, profile) for one in known.values() for profile in one.profiles):
        raise UsageError(
            "no scenario is left by --profile, --scenario and --level together. Loosen one; see 'pytest-mtls scenarios'."
        )


def _closest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, [str(one) for one in known], n=1)
    return f" Did you mean {close[0]}?" if close else ""


# --- values


def _text(values: Values, name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value else None


def _many(values: Values, name: str) -> tuple[str, ...]:
    value = values.get(name)
    return value if isinstance(value, tuple) else ()


def _path(values: Values, name: str) -> Path | None:
    text = _text(values, name)
    return None if text is None else Path(text)


def _number(values: Values, name: str, default: float) -> float:
    text = _text(values, name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= 3600:
        raise UsageError(f"--{name.replace('_', '-')} ({text}): expected seconds, more than 0 and at most 3600.")
    return number


def _report_file(values: Values, name: str) -> Path | None:
    path = _path(values, name)
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"--{name} ({path}): expected a folder that exists, saw none: {path.parent}. Make it first.")
    if path is not None and path.is_dir():
        raise UsageError(f"--{name} ({path}): expected a file, saw a folder. Give a file name in it.")
    return path
