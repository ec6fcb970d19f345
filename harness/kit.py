"""The fixture kit as files, for teams in any language (``pytest-mtls kit DIR``): whole, or not there.

How it works: ``kit_content`` says what lies in it. Here that is written into a temporary folder beside the target, with
a README for people and ``kit.json`` for programs, and renamed into place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from .clock import Clock, system_clock
from .errors import UsageError
from .kit_content import Case, Draft, Entry, Kind, draft_kit
from .pki.credential import write_private

__all__ = ["SCHEMA", "Kit", "write_kit"]

SCHEMA = "pytest-mtls/kit/1"

_README = """\
# Fixture kit for mutual TLS

Made by `pytest-mtls kit` on {created:%Y-%m-%d}; its private hierarchy has {depth} CA certificate(s). What is said here
holds until {expires:%Y-%m-%d}; make a new kit then. The private keys are for tests: commit none of them, and trust none
of the certificates outside a test.

## How to use it

Start your backend with `server/server.pem`, `server/server.key` and a truststore, then present a client certificate:

    curl --cacert server/server-ca.pem --cert gateway/old.pem --key gateway/old.key https://localhost:8443/

`kit.json` lists, under `cases`, which certificate must be accepted or rejected with which truststore (and CRL), and how
much that matters (`level`). Every truststore has somebody who must be accepted. Try that one too: a backend that
refuses everybody proves nothing. Rejected means a TLS alert, a closed connection, or an HTTP status such as 403; no
answer at all proves nothing either, nor does a client that declines to present a weak certificate (curl: error 58).

Begin with `gateway/truststore-both-old-first.pem`: the two gateway certificates in it have one name, and many servers
let in the first alone, so that a rotation cuts the gateway off.

## Defects

Each folder in `defects/` has a certificate `client.pem`, its key `client.key`, and the `truststore.pem` to judge it by.

{defects}

## Files

{files}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What was written to ``folder``, and from when until when its cases hold."""

    folder: Path
    depth: int
    created: datetime
    expires: datetime
    entries: tuple[Entry, ...]
    cases: tuple[Case, ...]

    def to_json(self) -> dict[str, object]:
        """The content of ``kit.json``: all but where the kit lies."""
        return {
            "schema": SCHEMA,
            "depth": self.depth,
            "created": self.created.isoformat(),
            "expires": self.expires.isoformat(),
            "entries": [asdict(entry) for entry in self.entries],
            "cases": [asdict(case) for case in self.cases],
        }


def write_kit(folder: Path, *, depth: int = 1, clock: Clock = system_clock) -> Kit:
    """Write a kit whose private hierarchy has *depth* CA certificates to *folder*, which is new or empty.

    Raises UsageError for another depth than 1 to 4 and for a folder that cannot be used; nothing is left behind then.
    """
    try:
        target = Path(os.path.realpath(folder))
        _check_target(folder, target)
        with TemporaryDirectory(prefix=".pytest-mtls-kit-", dir=target.parent) as temporary:
            draft = draft_kit(depth, clock)
            kit = _complete(draft, folder, depth)
            written = Path(temporary, "kit")
            _write_files(draft, written)
            written.rename(target)  # refused by the system when somebody has put something there meanwhile
    except OSError as error:
        raise UsageError(
            f"kit folder ({folder}): expected a new or empty folder in one that can be written, saw: {error.strerror}. "
            "Give another path, or make the folder above it first."
        ) from error
    return kit


def _check_target(folder: Path, target: Path) -> None:
    """Raise UsageError when *target*, which the user calls *folder*, is there and is not an empty folder."""
    if target == Path.cwd():  # the rename would take it away from under whoever stands in it
        raise UsageError(
            f"kit folder ({folder}): expected a folder to be made, saw the working directory. Give a name in it."
        )
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError(f"kit folder ({folder}): expected a new or empty folder, saw a file. Give another path.")
    if any(target.iterdir()):
        raise UsageError(f"kit folder ({folder}): expected a new or empty folder, saw files in it. Give another path.")


def _complete(draft: Draft, folder: Path, depth: int) -> Kit:
    """The kit of *draft*, after the two documents that list its files were added, themselves included."""
    draft.add("README.md", Kind.DOCUMENT, b"", "What this is and how to use it, for people.")
    draft.add("kit.json", Kind.DOCUMENT, b"", "The files, and who must be accepted and rejected, for programs.")
    kit = Kit(
        folder=folder,
        depth=depth,
        created=draft.created,
        expires=draft.expires,
        entries=tuple(draft.entries),
        cases=tuple(draft.cases),
    )
    draft.files["README.md"] = _readme(kit).encode()
    draft.files["kit.json"] = json.dumps(kit.to_json(), indent=2).encode() + b"\n"
    return kit


def _readme(kit: Kit) -> str:
    """The text for people. A defect is one row, whatever its files: they have the same names in each folder."""
    in_defects = {entry: entry.path.startswith("defects/") for entry in kit.entries}
    defects = [entry for entry in kit.entries if in_defects[entry] and entry.kind is Kind.CERTIFICATE]
    files = [entry for entry in kit.entries if not in_defects[entry]]
    return _README.format(
        depth=kit.depth,
        created=kit.created,
        expires=kit.expires,
        defects="\n".join(
            _table("folder", "why it matters", ((entry.path.rpartition("/")[0], entry.why) for entry in defects))
        ),
        files="\n".join(_table("file", "what it is for", ((entry.path, entry.why) for entry in files))),
    )


def _table(first: str, second: str, rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    yield f"| {first} | {second} |"
    yield "|---|---|"
    yield from (f"| `{path}` | {why} |" for path, why in rows)


def _write_files(draft: Draft, folder: Path) -> None:
    """Write the files of *draft* into *folder*: folders with mode 0700, private keys 0600."""
    folder.mkdir(mode=0o700)
    for entry in draft.entries:
        path = folder / entry.path
        for parent in reversed(Path(entry.path).parents):
            (folder / parent).mkdir(mode=0o700, exist_ok=True)
        write = write_private if entry.kind is Kind.KEY else Path.write_bytes
        write(path, draft.files[entry.path])
