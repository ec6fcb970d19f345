"""The command line. ``check`` is a run of pytest on the catalogue, in this process, by settings of our own."""

from __future__ import annotations

import gc
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from .audit.command import audit
from .errors import MtlsError, UsageError, describe
from .interrupt import in_order
from .options import OPTIONS, Option, Values, as_command_line, as_pytest_arguments

__all__ = ["main"]

# The folder we are started in is somebody else's: keep out of its pytest configuration, conftest.py, plugins and cache.
_ISOLATED = (
    "--noconftest",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:terminal",
    "-p",
    "no:logging",
    "-p",
    "no:tmpdir",
    "-p",
    "no:unraisableexception",  # it collects garbage five times at the end: a tenth of a run of the embedded backend
    "-p",
    "mtls",
)
_FOREIGN = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 a finding, 2 usage, 3 inconclusive or a failure of the harness."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr has it: a log may have what the terminal has not
    try:
        with in_order():
            code = _commands.main(
                args=None if argv is None else list(argv), prog_name="pytest-mtls", standalone_mode=False
            )
        return int(code or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        _complain(_one_line(error))
        return 2
    except UsageError as error:
        _complain(str(error))
        return 2
    except MtlsError as error:
        _complain(str(error))
        return 3
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return 3
    except (BrokenPipeError, SystemExit):  # for a broken pipe click exits with 1, which would say that a MUST failed
        # whoever read our output has gone; nothing more can be said, and Python must not try at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
        return 3
    except OSError as error:
        _complain(f"expected files and output to work, saw: {error}. Look at disk space and permissions.")
        return 3
    except Exception as error:  # a traceback ends with exit code 1, which would say that a MUST failed
        _complain(f"internal error: {describe(error)}. Please report it.")
        return 3


def _complain(text: str) -> None:
    print(f"pytest-mtls: {text}", file=sys.stderr)


def _one_line(error: click.ClickException) -> str:
    command = getattr(getattr(error, "ctx", None), "command_path", "pytest-mtls")
    said = " ".join(error.format_message().split())
    return f"{said}{'' if said.endswith(('.', '?')) else '.'} See '{command} --help'."


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(version("pytest-mtls"), prog_name="pytest-mtls")
def _commands() -> None:
    """Prove whether an HTTPS backend authenticates its API gateway by client certificate.

    Exit codes: 0 conformant, 1 a MUST failed, 2 usage, 3 inconclusive.
    """


_commands.add_command(audit)


# --- check


def _taking(options: Sequence[Option]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that gives these options of a check to a command, in their order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            if option.is_flag:
                add = click.option(f"--{option.name}", is_flag=True, help=option.help)
            else:
                add = click.option(f"--{option.name}", metavar=option.metavar, multiple=option.many, help=option.help)
            command = add(command)
        return command

    return decorate


@_commands.command()
@_taking(OPTIONS)
@click.option("--list", "list_only", is_flag=True, help="show the scenarios that would run, and run none")
@click.option("-n", "workers", metavar="N", help="run in N processes (or 'auto'); needs pytest-xdist")
@click.option("-v", "--verbose", is_flag=True, help="show every case")
@click.option("-q", "--quiet", is_flag=True, help="show only what did not pass")
def check(list_only: bool, workers: str | None, verbose: bool, quiet: bool, **values: Any) -> int:
    """Judge a backend; without a target, the embedded reference backend."""
    from .settings import parse

    settings = parse(values)
    if list_only:
        _print_scenarios(lambda one: any(settings.selection.takes(one, profile) for profile in one.profiles))
        return 0
    os.environ["PYTEST_MTLS_VERBOSITY"] = str(int(verbose) - int(quiet))
    return _run_pytest(values, workers)


def _run_pytest(values: Values, workers: str | None) -> int:
    import pytest

    gc.set_threshold(
        50_000, 20, 50
    )  # a run makes few cycles: to search all that was imported again and again costs a tenth
    arguments = [*_ISOLATED, *as_pytest_arguments(values), *_worker_arguments(workers)]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in _FOREIGN:
        os.environ.pop(name, None)
    with as_file(files("pytest_mtls.harness").joinpath("check.ini")) as ini:
        place = ["-c", str(ini), f"--rootdir={Path.cwd()}"]
        code = int(pytest.main([*place, *arguments, "--pyargs", "pytest_mtls.scenarios"]))
    return code if code in (0, 1, 2, 3) else 3


def _worker_arguments(workers: str | None) -> list[str]:
    if workers is None:
        return []
    if workers != "auto" and not workers.isdigit():
        raise UsageError(f"-n ({workers}): expected a number of processes, or auto. Leave it out for one.")
    if find_spec("xdist") is None:
        raise UsageError(
            f"-n ({workers}): expected pytest-xdist, which is not installed. Install it: pip install pytest-xdist."
        )
    return ["-p", "xdist", "-n", workers, "--dist", "loadgroup"]


# --- matrix

_SHARED = [one for one in OPTIONS if one.name in ("profile", "scenario", "level", "tls", "strict")]
"""The options of a check that every server of a matrix gets."""


@_commands.command()
@click.option("--server", "servers", metavar="NAME", multiple=True, help="a built-in server (default: all installed)")
@click.option(
    "--check", "checks", metavar="NAME=OPTIONS", multiple=True, help="a column of your own: a check's options"
)
@click.option("--from", "files", metavar="[NAME=]FILE", multiple=True, help="add a report (or matrix) made elsewhere")
@click.option("--compare", metavar="FILE", help="tell what changed since that report; exit 1 when something got worse")
@_taking(_SHARED)
@click.option("-n", "at_once", metavar="N", help="so many servers at once (default: one a core)")
@click.option("--within", metavar="SECONDS", help="how long one server may take (default 600)")
@click.option("--json", metavar="FILE", help="write all reports as one JSON document")
@click.option("--html", metavar="FILE", help="write one HTML page")
def matrix(
    servers: tuple[str, ...],
    checks: tuple[str, ...],
    files: tuple[str, ...],
    at_once: str | None,
    within: str | None,
    compare: str | None,
    json: str | None,
    html: str | None,
    **shared: Any,
) -> int:
    """Judge many servers, and put them side by side on one page.

    With --from alone nothing is run. Exit codes: 0 every server was judged, whatever was found; 1 a scenario got worse
    since --compare; 2 usage; 3 a server could not be judged.
    """
    from .matrix.command import Options, run_matrix

    options = Options(
        servers=servers,
        checks=checks,
        files=files,
        common=tuple(as_command_line(shared)),
        at_once=at_once,
        within=within,
        compare=compare,
        json=json,
        html=html,
    )
    return run_matrix(options, _values_of)


def _values_of(words: Sequence[str]) -> Values:
    """What the words of a check's command line mean, without running it."""
    try:
        values = check.make_context("pytest-mtls check", list(words)).params
    except click.ClickException as error:
        raise UsageError(_one_line(error)) from error
    if values.pop("list_only"):
        raise UsageError("--list: expected a check that runs. Leave it out.")
    return {name: value for name, value in values.items() if name not in ("workers", "verbose", "quiet")}


# --- scenarios


@_commands.command()
@click.option("--json", "as_json", is_flag=True, help="as JSON, with references and remedies")
def scenarios(as_json: bool) -> None:
    """Show the catalogue."""
    if as_json:
        click.echo(json.dumps(_catalogue_json(), indent=1, ensure_ascii=False))
    else:
        _print_scenarios(lambda one: True)


def _print_scenarios(takes: Callable[[Any], bool]) -> None:
    from .scenario import catalogue

    for one in catalogue().values():
        if takes(one):
            needs = f"  needs {', '.join(one.needs)}" if one.needs else ""
            click.echo(f"{one.level:<7} {one.id:<46} [{', '.join(one.profiles)}]{needs}\n        {one.requirement}")


def _catalogue_json() -> list[dict[str, Any]]:
    from .scenario import catalogue

    return [
        {
            "id": one.id,
            "level": one.level,
            "profiles": list(one.profiles),
            "needs": list(one.needs),
            "requirement": one.requirement,
            "provoked_by": one.provoked_by,
            "references": list(one.references),
            "remedy": one.remedy,
        }
        for one in catalogue().values()
    ]


# --- kit


@_commands.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--depth", type=int, default=1, show_default=True, help="CA certificates in the hierarchy, 1 to 4")
def kit(folder: Path, depth: int) -> None:
    """Write the fixture kit as files: hierarchy, gateway certificates, truststores, CRLs, defects."""
    from .kit import write_kit

    written = write_kit(folder, depth=depth)
    click.echo(f"{len(written.entries)} files in {folder}; start with {folder / 'README.md'}")


# --- backend


@_commands.command()
@click.option("--host", default=None, help="address to listen on (default 127.0.0.1)")
@click.option("--port", default=None, help="port to listen on (default: a free one)")
@click.option("--server-cert", default=None, metavar="PEM", help="certificate with its chain (default: fresh)")
@click.option("--server-key", default=None, metavar="PEM", help="its private key")
@click.option("--truststore", default=None, metavar="PEM", help="whom to let in (default: a fresh gateway certificate)")
@click.option("--fault", "faults", multiple=True, metavar="NAME", help="break it on purpose (repeatable)")
@click.option("--list-faults", is_flag=True, help="show the faults, and what is known to behave so")
@click.option(
    "--refuse", type=click.Choice(["alert", "http"]), default="alert", show_default=True, help="how to refuse"
)
def backend(list_faults: bool, faults: tuple[str, ...], refuse: str, **material: str | None) -> None:
    """Run the reference backend in the foreground; SIGHUP reloads its truststore.

    What is not given as an option is taken from MTLS_HOST, MTLS_PORT, MTLS_SERVER_CERT, MTLS_SERVER_KEY and
    MTLS_TRUSTSTORE, so that it can be a --command of 'check'.
    """
    if list_faults:
        _print_faults()
        return
    from .backend.foreground import serve

    serve(material, faults=faults, alerts=refuse == "alert", say=click.echo)


def _print_faults() -> None:
    from .backend.faults import FAULTS

    width = max(map(len, FAULTS))
    for fault in FAULTS.values():
        like = f"  ({fault.like})" if fault.like else ""
        click.echo(f"{fault.name:<{width}}  {fault.wrong}{like}")


# --- gateway


@_commands.command()
@click.option("--host", metavar="HOST", help="address to listen on (default 127.0.0.1)")
@click.option(
    "--port", metavar="PORT", help="plain port: control plane, /_mtls/, default endpoints (default: a free one)"
)
@click.option(
    "--tls-port", metavar="PORT", help="TLS port: custom domains, default endpoints by name (default: a free one)"
)
@click.option("--region", metavar="NAME", help="region (default us-east-1)")
@click.option("--account-id", metavar="DIGITS", help="account (default 123456789012)")
@click.option("--s3-root", metavar="DIR", help="folder with a bucket in each folder (default: a fresh, empty one)")
@click.option("--s3-endpoint", metavar="URL", help="S3 server to read truststores from instead")
@click.option(
    "--ca-bundle", metavar="PEM", multiple=True, help="CAs of backends to trust beside the platform's (repeatable)"
)
@click.option("--resolve", metavar="NAME=HOST:PORT", multiple=True, help="where a backend's name is found (repeatable)")
@click.option(
    "--function", metavar="NAME=TARGET", multiple=True, help="a function: module:function or URL (repeatable)"
)
@click.option("--redeploy-required", is_flag=True, help="another certificate counts from the next deployment on")
@click.option("--set", metavar="NAME=VALUE", multiple=True, help="choose what AWS does not tell (repeatable)")
@click.option("--ready-file", metavar="FILE", help="write the JSON line there too, once it accepts")
@click.option("-v", "--verbose", is_flag=True, help="log to standard error")
def gateway(**values: Any) -> None:
    """Run the mock API Gateway in the foreground; SIGINT or SIGTERM ends it.

    It prints one line of JSON once it accepts: where it listens, and its CA.
    """
    from .gateway.foreground import serve

    serve(values, say=click.echo)
