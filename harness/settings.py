"""From option values, which are text, to what they mean; every mistake is one UsageError that says what to do."""

from __future__ import annotations

import shutil
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from .backend.contract import Capability, Factory, Material, Running
from .backend.embedded import reference_target
from .backend.endpoint import endpoint_of
from .backend.own_config import with_own_config
from .backend.process import fill_in as fill_in_words
from .backend.process import find_program, leave_start_script, running, split_command
from .backend.reload import RESTART, ReloadWay, parse_reload
from .backend.servers import factory_of, find_server, servers
from .backend.target import Target
from .errors import BackendError, UsageError, did_you_mean
from .options import Values
from .pki.credential import Credential, read_certificates
from .scenario import Level, Profile, Scenario, catalogue
from .settings_values import (
    check_temporary_folder,
    folder_to_make,
    many,
    number,
    path_of,
    refuse_empty,
    report_file,
    report_files,
    shown,
    status_list,
    text,
)
from .tls.observation import TlsVersion
from .tls.probe import Timeouts
from .verdict import REJECT_STATUSES, Statuses

__all__ = ["Output", "Selection", "Settings", "parse", "with_factory"]

REFERENCE = "reference"

_STARTED = (REFERENCE, "command", "server")
_GOES_WITH = {
    "config": ("server",),
    "fault": (REFERENCE,),
    "client_cert": ("url",),
    "client_key": ("url",),
    "server_ca": ("url",),
    "reload": ("command", "server"),
    "reload_within": _STARTED,
    "start_within": _STARTED,
}
"""With which kinds of target an option means something: where it means nothing, somebody would rely on it in vain."""


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
    html: Path | None
    summary_markdown: Path | None
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
    refuse_empty(values)
    return Settings(
        target=_target(values), selection=_selection(values), output=_output(values), strict=bool(values.get("strict"))
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
    server = text(values, "server")
    kind = given[0] if given and server != REFERENCE else REFERENCE
    _check_combinations(values, kind, f"--server {server}" if server else f"--{kind}" if given else "no target")
    if kind == "url":
        return _running_target(values)
    if kind == "command":
        return _command_target(values)
    return _server_target(values)


def _check_combinations(values: Values, kind: str, saw: str) -> None:
    for name, kinds in _GOES_WITH.items():
        value = values.get(name)
        if value and kind not in kinds:
            first = value[0] if isinstance(value, tuple) else value
            needed = " or ".join(_named(one) for one in kinds)
            raise UsageError(
                f"{shown(name)} ({first}): expected {needed} with it, saw {saw}. Leave it out, or change the target."
            )


def _named(kind: str) -> str:
    return f"--server {REFERENCE}" if kind == REFERENCE else f"--{kind}"


def _server_target(values: Values) -> Target:
    name = text(values, "server") or REFERENCE
    faults = many(values, "fault")
    if name != REFERENCE:
        if name not in servers():
            known = ", ".join(sorted([REFERENCE, *servers()]))
            hint = did_you_mean(name, [REFERENCE, *servers()])
            raise UsageError(f"--server ({name}): expected one of {known}.{hint} Or start yours by --command.")
        server = find_server(name)
        config = path_of(values, "config")
        if config is not None:
            server = with_own_config(server, config)
        way = _reload(values, server.reload)
        target = _make("server", name, factory_of(server, way), way, values)
        return replace(target, capabilities=target.capabilities | server.capabilities, version_command=server.version)
    start_again = [_own_program(), "backend", *(f"--fault={fault}" for fault in faults)]
    target = reference_target(faults)
    factory = target.factory

    def start(material: Material) -> AbstractContextManager[Running]:
        assert factory is not None
        leave_start_script(material, start_again)
        return factory(material)

    return _as_wished(replace(target, factory=start), values)


def _own_program() -> str:
    """The path of ``pytest-mtls``: it lies beside the interpreter, which need not be on PATH."""
    return shutil.which("pytest-mtls", path=str(Path(sys.executable).parent)) or "pytest-mtls"


def _command_target(values: Values) -> Target:
    command = text(values, "command") or ""
    words = split_command(command, "--command")
    if find_program(words[0]) is None:
        saw, remedy = "none", "Check the name, or give its full path."
        if Path(words[0]).exists():
            saw, remedy = "a file that is not executable", "Make it so (chmod +x), or name its interpreter first."
        raise UsageError(f"--command ({words[0]}): expected a program that can be run, saw {saw}. {remedy}")
    way = _reload(values, RESTART)

    def start(material: Material) -> AbstractContextManager[Running]:
        return running(
            fill_in_words(words, material),
            material,
            folder=material.folder,
            reloader=way.carry_out if way.live else None,
        )

    return _make("command", command, start, way, values)


def _running_target(values: Values) -> Target:
    url = text(values, "url") or ""
    certificate, key = path_of(values, "client_cert"), path_of(values, "client_key")
    if certificate is None or key is None:
        missing = "--client-key" if certificate else "--client-cert"
        raise UsageError(
            f"--url ({url}): expected {missing} too. Give the certificate that this backend lets in, and its key."
        )
    authority = path_of(values, "server_ca")
    try:
        endpoint = endpoint_of(url, _request_path(values), what="--url")
    except BackendError as error:
        raise UsageError(str(error)) from error
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
        timeouts=_timeouts(values),
        arguments=_arguments(values),
    )


def _make(kind: str, name: str, factory: Factory, way: ReloadWay, values: Values) -> Target:
    own = Capability.LIVE_RELOAD if way.live else Capability.RELOAD
    target = Target(kind=kind, name=name, factory=factory, reload=way, capabilities=frozenset({own}))
    return _as_wished(target, values)


def _as_wished(target: Target, values: Values) -> Target:
    """*target* with what the options say of every target."""
    return replace(
        target,
        capabilities=_capabilities(values, target.capabilities),
        reload_within=number(values, "reload_within", target.reload_within),
        start_within=number(values, "start_within", target.start_within),
        path=_request_path(values),
        statuses=_statuses(values),
        tls=_versions(values),
        timeouts=_timeouts(values),
        arguments=_arguments(values),
    )


def _reload(values: Values, default: ReloadWay) -> ReloadWay:
    how = text(values, "reload")
    return parse_reload(how) if how else default


def _arguments(values: Values) -> tuple[str, ...]:
    """What names the target on a command line, for ``reproduce``."""
    words: list[str] = []
    for name in (
        "command",
        "server",
        "config",
        "fault",
        "url",
        "client_cert",
        "client_key",
        "server_ca",
        "reload",
        "reload_within",
        "start_within",
        "timeout",
        "path",
        "accept_status",
        "reject_status",
        "capability",
        "tls",
    ):
        value = values.get(name)
        for one in value if isinstance(value, tuple) else (value,):
            if one:
                words += [shown(name), str(one)]
    return tuple(words)


def _capabilities(values: Values, own: frozenset[Capability]) -> frozenset[Capability]:
    named = []
    for name in many(values, "capability"):
        if name not in list(Capability):
            raise UsageError(
                f"--capability ({name}): expected one of {', '.join(Capability)}.{did_you_mean(name, Capability)}"
            )
        named.append(Capability(name))
    return own | frozenset(named)


def _request_path(values: Values) -> str:
    path = text(values, "path") or "/"
    if not path.startswith("/") or " " in path or not path.isprintable() or not path.isascii():
        raise UsageError(
            f"--path ({path}): expected a path that begins with / and has no blanks. Percent-encode the rest."
        )
    return path


def _statuses(values: Values) -> Statuses:
    accept, reject = status_list(values, "accept_status"), status_list(values, "reject_status")
    both = (accept or frozenset()) & (reject or frozenset())
    if both:
        raise UsageError(
            f"--accept-status and --reject-status ({min(both)}): expected different statuses. Name it in one of them."
        )
    return Statuses(reject=(REJECT_STATUSES if reject is None else reject) - (accept or frozenset()), accept=accept)


def _versions(values: Values) -> tuple[TlsVersion, ...]:
    version = text(values, "tls")
    if version is None:
        return tuple(TlsVersion)
    if version not in list(TlsVersion):
        raise UsageError(f"--tls ({version}): expected 1.2 or 1.3. Older versions are not probed.")
    return (TlsVersion(version),)


def _timeouts(values: Values) -> Timeouts:
    seconds = number(values, "timeout", 5.0)
    return Timeouts(connect=seconds, handshake=seconds, answer=seconds)


# --- output


def _output(values: Values) -> Output:
    files = report_files(values, "json", "junit", "html")
    markdown = report_file(values, "summary_markdown")
    keep = folder_to_make(values, "keep")
    if keep is None:
        check_temporary_folder()
    return Output(**files, summary_markdown=markdown, keep=keep)


# --- the selection


def _selection(values: Values) -> Selection:
    profile, level = text(values, "profile") or Profile.GATEWAY.value, text(values, "level")
    if profile not in (*Profile, "all"):
        known = ", ".join((*Profile, "all"))
        raise UsageError(f"--profile ({profile}): expected one of {known}.{did_you_mean(profile, (*Profile, 'all'))}")
    if level is not None and level.upper() not in list(Level):
        words = [one.lower() for one in Level]
        raise UsageError(f"--level ({level}): expected one of {', '.join(words)}.{did_you_mean(level.lower(), words)}")
    profiles = tuple(Profile) if profile == "all" else (Profile(profile),)
    levels = tuple(Level) if level is None else (Level(level.upper()),)
    selection = Selection(profiles=profiles, patterns=many(values, "scenario"), levels=levels)
    _check_selection(selection)
    return selection


def _check_selection(selection: Selection) -> None:
    known = catalogue()
    for pattern in selection.patterns:
        if not any(fnmatchcase(one, pattern) for one in known):
            raise UsageError(
                f"--scenario ({pattern}): no scenario of that id.{did_you_mean(pattern, known)} See 'pytest-mtls scenarios'."
            )
    if not any(selection.takes(one, profile) for one in known.values() for profile in one.profiles):
        raise UsageError(
            "no scenario is left by --profile, --scenario and --level together. Loosen one; see 'pytest-mtls scenarios'."
        )
