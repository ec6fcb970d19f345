"""``pytest-mtls gateway``: the mock gateway as a process of its own, from its options to its exit code."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import UsageError
from ..pki.credential import read_certificates
from ..pki.truststore import same_file, write_atomically
from .functions import Function, imported
from .gateway import Gateway, Options
from .log import Log
from .management import is_url, parse_place
from .settings import Settings, parse_assignments

__all__ = ["parse", "serve"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FUNCTION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CALLABLE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


def serve(values: Mapping[str, Any], *, say: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM; *say* is told the one JSON line once both ports accept.

    *values* are the command's options by name. Raises UsageError for an unfit one, StartError when a port is taken.
    """
    options = parse(values)
    verbose = bool(values.get("verbose"))
    if verbose:
        logging.getLogger("pytest_mtls.gateway").addHandler(logging.StreamHandler(sys.stderr))
    gateway = Gateway(options, new_log=_SpokenLog if verbose else Log)
    ready_file = values.get("ready_file")
    ready_file = None if ready_file is None else _writable(ready_file, values.get("ca_bundle", ()))
    stdout = sys.stdout

    def say_aloud(line: str) -> None:
        with redirect_stdout(stdout):
            say(line)

    with redirect_stdout(sys.stderr):  # where functions print, as some do for CloudWatch
        asyncio.run(_run(gateway, ready_file, say_aloud))


async def _run(gateway: Gateway, ready_file: Path | None, say: Callable[[str], object]) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, for one, means it
            asyncio.get_running_loop().add_signal_handler(number, lambda: (second if first.is_set() else first).set())
    await gateway.start()
    try:
        line = json.dumps({**gateway.describe(), "pid": os.getpid(), "version": gateway.version})
        say(line)
        if ready_file is not None:
            write_atomically(ready_file, f"{line}\n".encode())
        await first.wait()
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
        await _stop(gateway, second)


async def _stop(gateway: Gateway, hurry: asyncio.Event) -> None:
    """Stop in order, or at once when somebody asks again; temporary files go either way."""
    stopping, asked = asyncio.ensure_future(gateway.stop()), asyncio.ensure_future(hurry.wait())
    await asyncio.wait((stopping, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not stopping.done():
        stopping.cancel()
    await asyncio.wait((stopping,))
    if not stopping.cancelled():
        stopping.result()


# --- options


def parse(values: Mapping[str, Any]) -> Options:
    """What the gateway is started with; raises UsageError for what cannot be used."""
    if values.get("s3_root") is not None and values.get("s3_endpoint") is not None:
        raise UsageError("--s3-root with --s3-endpoint: expected one of them, saw both. Leave one out.")
    settings = Settings(redeploy_required=bool(values.get("redeploy_required")))
    return Options(
        host=_fitting(values, "host", r"\S+", "127.0.0.1", "an address or a name"),
        port=_port(values, "port"),
        tls_port=_port(values, "tls_port"),
        region=_fitting(values, "region", r"[a-z]{2,}(?:-[a-z0-9]+)+", "us-east-1", "a region like us-east-1"),
        account_id=_fitting(values, "account_id", r"[0-9]{12}", "123456789012", "twelve digits"),
        s3_root=None if values.get("s3_root") is None else _folder(values["s3_root"]),
        s3_endpoint=None if values.get("s3_endpoint") is None else _url(values["s3_endpoint"]),
        ca_bundle=tuple(one for path in values.get("ca_bundle", ()) for one in _certificates(Path(path))),
        resolve=dict(_place(word) for word in values.get("resolve", ())),
        functions=dict(_function(word) for word in values.get("function", ())),
        settings=parse_assignments(values.get("set", ()), settings),
    )


def _fitting(values: Mapping[str, Any], name: str, pattern: str, default: str, expected: str) -> str:
    value = values.get(name)
    if value is None:
        return default
    if not re.fullmatch(pattern, value, re.ASCII):
        raise UsageError(f"--{name.replace('_', '-')} ({value}): expected {expected}. Leave it out for {default}.")
    return str(value)


def _port(values: Mapping[str, Any], name: str) -> int:
    text = "0" if values.get(name) is None else str(values[name])
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) > 65_535:
        raise UsageError(
            f"--{name.replace('_', '-')} ({text}): expected a number from 0 to 65535. Leave it out for a free one."
        )
    return int(text)


def _folder(text: str) -> Path:
    path = Path(text)
    if not text or not path.is_dir():  # an empty one, of a variable that is not set, would be the working directory
        saw = "something else" if text and path.exists() else "none"
        raise UsageError(f"--s3-root ({text}): expected a folder, saw {saw}. Make it, or leave the option out.")
    return path.absolute()


def _url(text: str) -> str:
    unfit = UsageError(f"--s3-endpoint ({text}): expected http://… or https://…. Give the S3 server's URL.")
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0  # reading it checks it
    except ValueError:
        raise unfit from None
    if not fits:
        raise unfit
    if parts.username is not None or parts.query or parts.fragment:  # what stands there could be a secret: not shown
        raise UsageError(
            f"--s3-endpoint ({parts.scheme}://{parts.hostname}…): expected scheme, host and port, saw more. "
            "Give credentials by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return text


def _certificates(path: Path) -> Iterable[Any]:
    return read_certificates(path, "--ca-bundle")


def _place(word: str) -> tuple[str, tuple[str, int]]:
    name, _, place = word.partition("=")
    try:
        if not name:
            raise ValueError(word)
        return name.lower(), parse_place(place)
    except ValueError:
        raise UsageError(
            f"--resolve ({word}): expected NAME=HOST:PORT. Give it like backend.example=127.0.0.1:8443."
        ) from None


def _function(word: str) -> tuple[str, Function]:
    name, _, target = word.partition("=")
    url = is_url(target)
    if not _FUNCTION.fullmatch(name) or not (url or _CALLABLE.fullmatch(target)):
        raise UsageError(
            f"--function ({word}): expected NAME=module:function or NAME=http://…. Give it like auth=authorizers:allow."
        )
    if url:
        return name, Function(target)
    with redirect_stdout(sys.stderr):  # stdout has the ready line alone
        return name, imported(word, target)


def _writable(text: str, inputs: Iterable[str]) -> Path:
    """The ready file, which is overwritten and at the end deleted: so it must be none of the *inputs*."""
    path = Path(text)
    if not text or not path.parent.is_dir() or path.is_dir():
        saw = "a folder" if text and path.is_dir() else "none"
        raise UsageError(f"--ready-file ({text}): expected a file in an existing folder, saw {saw}. Name another one.")
    if any(same_file(path, Path(one)) for one in inputs):
        raise UsageError(
            f"--ready-file ({text}): expected a file of its own, saw one of --ca-bundle. Name another one."
        )
    return path.absolute()


# --- logs


class _SpokenLog(Log):
    """Tells every entry on standard error, one line each."""

    def add(self, kind: Any, request_id: str | None, /, **members: Any) -> dict[str, Any]:
        """As the log itself does it."""
        entry = super().add(kind, request_id, **members)
        shown = (
            f"{name}={_brief(value)}"
            for name, value in members.items()
            if name != "execution_log" and not callable(value)
        )
        print(entry["time"], kind, *shown, file=sys.stderr, flush=True)
        for line in members.get("execution_log", tuple)():
            print(f"  ({request_id}) {line}", file=sys.stderr, flush=True)
        return entry


def _brief(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)
