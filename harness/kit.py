"""The fixture kit as files, for teams in any language: credentials, the truststores to put them to, and what must happen.

How it works: a draft collects every file in memory with a sentence on what it is for, and every *case*: a credential, a
truststore, and whether a backend that trusts it must let the credential in. Then all is written into a temporary folder
beside the target and renamed into place, so that a kit is whole or not there.

The rules: each truststore has somebody who must be accepted (the positive twin); but for the rotation's, none holds two
certificates of the gateway's name; what a case expects holds from ``created`` to ``expires``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509

from .clock import Clock, system_clock
from .errors import UsageError
from .pki.authority import Hierarchy, new_hierarchy, server_credential
from .pki.credential import Credential, write_private
from .pki.defects import DEFECTS, Sample
from .pki.gateway_certificate import control_credential, gateway_credential
from .pki.revocation import crl_of
from .pki.truststore import Truststore
from .scenario import GATEWAY, INFO, MUST, PRIVATE_CA, SHOULD, Level, Profile
from .verdict import Decision

__all__ = ["SCHEMA", "Case", "Entry", "Kind", "Kit", "write_kit"]

SCHEMA = "pytest-mtls/kit/1"

_OLD_AGE = timedelta(days=30)
"""How long ago the old gateway certificate was made; what is left of its 365 days is the life of the kit."""

_ROTATION = {
    "old": ((0,), "before the rotation"),
    "both-old-first": ((0, 1), "during the rotation, the new certificate added at the end"),
    "both-new-first": ((1, 0), "during the rotation, the new certificate put in front"),
    "new": ((1,), "after the rotation"),
}
"""Truststores by name: which of old (0) and new (1) they hold, in which order, and when a backend has them."""

_LEVELS = {"sha1-signature": SHOULD, "rsa-1024": SHOULD, "version-1": INFO}
"""Defects that a backend need not refuse (MUST is the rule); the one at INFO is legitimate, and usually let in."""

_LATER = "not-yet-valid"
"""The defect that time would cure: it is dated from the end of the kit, not from its beginning."""


class Kind(StrEnum):
    """What a file holds."""

    CERTIFICATE = "certificate"
    """What a peer presents: leaf, then chain."""
    CHAIN = "chain"
    """The chain alone, for programs that want it apart."""
    KEY = "key"
    """An unencrypted private key, PKCS#8, mode 0600."""
    TRUSTSTORE = "truststore"
    """What a verifier trusts."""
    CRL = "crl"
    """One revocation list of every authority, issuing authority first."""
    DOCUMENT = "document"
    """Something to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file: its path, relative to the kit and with slashes, and what it is for, in a sentence."""

    path: str
    kind: Kind
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a backend has to decide that trusts ``truststore`` (and knows ``crl``) when a client presents ``certificate``.

    Paths are those of entries. ``level`` is how much it matters; ``sha256`` is over the leaf's DER, in hex.
    """

    name: str
    profile: Profile
    level: Level
    expected: Decision
    certificate: str
    key: str
    chain: str | None
    truststore: str
    crl: str | None
    subject: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What was written, and from when until when its cases hold."""

    folder: Path
    depth: int
    created: datetime
    expires: datetime
    entries: tuple[Entry, ...]
    cases: tuple[Case, ...]

    def to_json(self) -> dict[str, object]:
        """The content of ``kit.json``; knows nothing of where the kit lies."""
        moments = {"created": self.created.isoformat(), "expires": self.expires.isoformat()}
        lists = {"entries": [asdict(entry) for entry in self.entries], "cases": [asdict(case) for case in self.cases]}
        return {"schema": SCHEMA, "depth": self.depth, **moments, **lists}


def write_kit(folder: Path, *, depth: int = 1, clock: Clock = system_clock) -> Kit:
    """Write a kit whose private hierarchy has *depth* CA certificates to *folder*, which is new or empty.

    Raises UsageError for another depth than 1 to 4, and for a folder that cannot be used; nothing is left behind then.
    """
    hierarchy = new_hierarchy(depth)
    try:
        target = Path(os.path.realpath(folder))
        _check_target(folder, target)
        with TemporaryDirectory(prefix=".pytest-mtls-kit-", dir=target.parent) as temporary:
            draft = _Draft(clock)
            _draft_gateway(draft)
            _draft_private_ca(draft, hierarchy)
            _draft_server(draft)
            kit = draft.finish(folder, depth)
            _write_files(draft.files, kit.entries, Path(temporary, "kit"))
            Path(temporary, "kit").rename(target)  # fails when somebody has put something there in the meantime
    except OSError as error:
        raise UsageError(
            f"kit folder ({folder}): expected a new or empty folder in one that can be written, saw: {error.strerror}. "
            "Give another path, or make its parent folder first."
        ) from error
    return kit


def _check_target(folder: Path, target: Path) -> None:
    if target == Path.cwd():
        # it would be replaced under the feet of whoever stands in it
        raise UsageError(f"kit folder ({folder}): expected another one than the working directory. Give a name in it.")
    if target.exists() and not target.is_dir():
        raise UsageError(f"kit folder ({folder}): expected a new or empty folder, saw a file. Give another path.")
    if target.exists() and any(target.iterdir()):
        raise UsageError(
            f"kit folder ({folder}): expected a new or empty folder, saw one with files. Give another path, or empty it."
        )


def _write_files(files: dict[str, bytes], entries: Iterable[Entry], folder: Path) -> None:
    for entry in entries:
        path = folder / entry.path
        for parent in reversed(path.relative_to(folder).parents):
            (folder / parent).mkdir(mode=0o700, exist_ok=True)
        write = write_private if entry.kind is Kind.KEY else Path.write_bytes
        write(path, files[entry.path])


@dataclass(frozen=True, slots=True, eq=False)
class _Presented:
    """A credential and the files that hold it."""

    credential: Credential
    certificate: str
    key: str
    chain: str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """The kit as it grows, in memory."""

    clock: Clock
    files: dict[str, bytes] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)

    def add(self, path: str, kind: Kind, content: bytes, why: str) -> str:
        """Take in a file; returns its path."""
        self.files[path] = content
        self.entries.append(Entry(path=path, kind=kind, why=why))
        return path

    def truststore(self, path: str, certificates: Iterable[x509.Certificate], why: str) -> str:
        """Take in a bundle; returns its path."""
        return self.add(path, Kind.TRUSTSTORE, Truststore.of(certificates).pem, why)

    def credential(self, stem: str, credential: Credential, why: str) -> _Presented:
        """Take in ``<stem>.pem`` (leaf and chain), ``<stem>.key`` and, once a folder, ``chain.pem``."""
        certificate = self.add(f"{stem}.pem", Kind.CERTIFICATE, credential.certificate_pem, why)
        key = self.add(f"{stem}.key", Kind.KEY, credential.key_pem, f"The private key for {certificate}.")
        chain = f"{stem.rpartition('/')[0]}/chain.pem" if credential.chain else None
        if chain and chain not in self.files:
            content = Truststore.of(credential.chain).pem
            self.add(chain, Kind.CHAIN, content, f"What is sent after the leaf of {certificate}, alone.")
        return _Presented(credential, certificate, key, chain)

    def case(
        self,
        shown: _Presented,
        truststore: str,
        profile: Profile,
        *,
        accepted: bool = True,
        level: Level = MUST,
        crl: str | None = None,
    ) -> None:
        """Take in what a backend with this *truststore* has to say to *shown*."""
        leaf = shown.credential
        self.cases.append(
            Case(
                name=shown.certificate.removesuffix(".pem"),
                profile=profile,
                level=level,
                expected=Decision.ACCEPTED if accepted else Decision.REJECTED,
                certificate=shown.certificate,
                key=shown.key,
                chain=shown.chain,
                truststore=truststore,
                crl=crl,
                subject=leaf.subject,
                sha256=leaf.fingerprint,
            )
        )
        if accepted:
            self.ends.append(leaf.leaf.not_valid_after_utc)
