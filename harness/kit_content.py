"""What lies in a fixture kit: the files, each with what it is for, and the cases, each with what must happen.

How it works: a draft collects files in memory, and *cases*: a credential, a truststore, and whether a backend that
trusts it must let the credential in. Four functions, a folder each, fill the draft.

The rules: every truststore has somebody who must be let in (the positive twin); but for the rotation's, none holds two
certificates of the gateway's name; what a case expects holds from the day of the kit until it expires.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509

from .clock import Clock
from .pki.authority import Hierarchy, new_hierarchy, server_credential
from .pki.credential import Credential
from .pki.defects import DEFECTS, Sample
from .pki.gateway_certificate import LIFETIME, control_credential, gateway_credential
from .pki.revocation import crl_of, empty_crl
from .pki.truststore import Truststore
from .scenario import GATEWAY, INFO, MUST, PRIVATE_CA, SHOULD, Level, Profile
from .verdict import Decision

__all__ = ["Case", "Draft", "Entry", "Kind", "draft_kit"]

_OLD_AGE = timedelta(days=30)
"""How long ago the old gateway certificate was made; what is left of its 365 days is the life of the kit."""

_ROTATION = {
    "old": ((0,), "before a rotation"),
    "both-old-first": ((0, 1), "during a rotation that has added the new certificate at the end"),
    "both-new-first": ((1, 0), "during a rotation that has put the new certificate in front"),
    "new": ((1,), "after a rotation"),
}
"""Truststores: which of old (0) and new (1) they hold, in which order, and when a backend has them."""

_CRLS = {
    "empty": (False, "Nobody is revoked."),
    "revoked": (True, "Revokes private-ca/revoked.pem, and nobody else."),
}
"""Revocation lists: whether they name the revoked leaf, and what they say."""

_LEVELS = {"sha1-signature": SHOULD, "rsa-1024": SHOULD, "version-1": INFO}
"""How much a defect matters, where that is not MUST. The one at INFO is legitimate, and most backends let it in."""

_CURED_BY_TIME = "not-yet-valid"


class Kind(StrEnum):
    """What a file holds; all but documents are PEM."""

    CERTIFICATE = "certificate"
    """A leaf, then its chain, as a peer presents them; or a CA certificate."""
    CHAIN = "chain"
    """The chain without the leaf, for programs that want it apart."""
    KEY = "key"
    """An unencrypted private key, mode 0600."""
    TRUSTSTORE = "truststore"
    """What a verifier trusts, in order."""
    CRL = "crl"
    """A revocation list of every authority, the issuing one's first."""
    DOCUMENT = "document"
    """Something to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file: its path in the kit, with slashes, and what it is for, in a sentence."""

    path: str
    kind: Kind
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a backend that trusts ``truststore``, and knows ``crl``, must say to a client that presents ``certificate``.

    Paths are those of entries; ``sha256`` is over the leaf's DER, in hex.
    """

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


@dataclass(frozen=True, slots=True, eq=False)
class _Presented:
    """A credential and the files that hold it."""

    credential: Credential
    certificate: str
    key: str
    chain: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A kit as it grows: ``files`` by path, one entry for each, and the cases."""

    clock: Clock
    created: datetime
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    entries: list[Entry] = field(default_factory=list[Entry])
    cases: list[Case] = field(default_factory=list[Case])

    @property
    def expires(self) -> datetime:
        """When the first credential that must be let in ends: the old gateway certificate, all others are younger."""
        return self.created - _OLD_AGE + LIFETIME

    def add(self, path: str, kind: Kind, content: bytes, why: str) -> str:
        """Take in a file; returns its path."""
        self.files[path] = content
        self.entries.append(Entry(path=path, kind=kind, why=why))
        return path

    def bundle(self, path: str, kind: Kind, certificates: Iterable[x509.Certificate], why: str) -> str:
        """Take in a file of *certificates*, in their order; returns its path."""
        return self.add(path, kind, Truststore.of(certificates).pem, why)

    def credential(self, stem: str, credential: Credential, why: str) -> _Presented:
        """Take in ``<stem>.pem`` and ``<stem>.key``, and ``chain.pem`` beside them, which a folder has once."""
        certificate = self.add(f"{stem}.pem", Kind.CERTIFICATE, credential.certificate_pem, why)
        key = self.add(f"{stem}.key", Kind.KEY, credential.key_pem, f"The private key of {certificate}.")
        chain = f"{stem.rpartition('/')[0]}/chain.pem" if credential.chain else None
        if chain is not None and chain not in self.files:
            self.bundle(chain, Kind.CHAIN, credential.chain, "What goes over the wire after the leaf, apart.")
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
        """Take in what must be said to *shown*."""
        self.cases.append(
            Case(
                profile=profile,
                level=level,
                expected=Decision.ACCEPTED if accepted else Decision.REJECTED,
                certificate=shown.certificate,
                key=shown.key,
                chain=shown.chain,
                truststore=truststore,
                crl=crl,
                subject=shown.credential.subject,
                sha256=shown.credential.fingerprint,
            )
        )


def draft_kit(depth: int, clock: Clock) -> Draft:
    """A fresh kit whose private hierarchy has *depth* CA certificates; raises UsageError unless that is 1 to 4."""
    hierarchy = new_hierarchy(depth)
    draft = Draft(clock, clock())
    _draft_gateway(draft)
    _draft_private_ca(draft, hierarchy)
    _draft_server(draft)
    return draft


def _draft_gateway(draft: Draft) -> None:
    """Gateway certificates old and new, the truststores of a rotation from one to the other, and the defects."""
    older = gateway_credential(not_before=draft.created - _OLD_AGE)
    younger = gateway_credential(not_before=draft.created - timedelta(hours=1))  # a server's clock may be behind ours
    old = draft.credential("gateway/old", older, "The gateway certificate that a rotation replaces.")
    new = draft.credential("gateway/new", younger, "The gateway certificate that a rotation brings.")
    for name, (order, when) in _ROTATION.items():
        trusted = [(old, new)[number] for number in order]
        leaves = (one.credential.leaf for one in trusted)
        path = draft.bundle(f"gateway/truststore-{name}.pem", Kind.TRUSTSTORE, leaves, f"What a backend trusts {when}.")
        for one in (old, new):
            draft.case(one, path, GATEWAY, accepted=one in trusted)
    why = "A client certificate of another name, let in by the truststores that hold a defect."
    control = draft.credential("gateway/control", control_credential(clock=draft.clock), why)
    _draft_defects(draft, Sample(younger, None, draft.clock), new, control)


def _draft_private_ca(draft: Draft, hierarchy: Hierarchy) -> None:
    """The hierarchy, a good leaf, truststores, revocation, and the defects."""
    for number, authority in enumerate(hierarchy.authorities):
        stem = f"intermediate-{number}" if number else "root"
        why = f"The authority in place {number + 1} of {hierarchy.depth}, root first; with its key you can issue more."
        draft.credential(f"private-ca/{stem}", Credential(authority.certificate, authority.key), why)
    good = hierarchy.issue(clock=draft.clock, rsa_key=True)
    client = draft.credential("private-ca/client", good, "A good client certificate: leaf and intermediates.")
    leaf = draft.bundle(
        "private-ca/leaf.pem", Kind.CERTIFICATE, (good.leaf,), "The good leaf without its intermediates."
    )
    root = draft.bundle("private-ca/truststore.pem", Kind.TRUSTSTORE, (hierarchy.root,), "The root alone.")
    whole = draft.bundle(
        "private-ca/truststore-with-intermediates.pem",
        Kind.TRUSTSTORE,
        (*hierarchy.intermediates, hierarchy.root),
        "For backends that want the whole hierarchy, and for clients that send their leaf alone.",
    )
    draft.case(client, root, PRIVATE_CA)
    for shown in (client, replace(client, certificate=leaf, chain=None)):
        draft.case(shown, whole, PRIVATE_CA)
    _draft_revocation(draft, hierarchy, client, root)
    _draft_defects(draft, Sample(good, hierarchy, draft.clock), client, client)


def _draft_revocation(draft: Draft, hierarchy: Hierarchy, client: _Presented, truststore: str) -> None:
    """A leaf to revoke, and the lists without and with it; *client* is let in by both."""
    taken_back = hierarchy.issue("revoked.example", clock=draft.clock)
    revoked = draft.credential("private-ca/revoked", taken_back, "A leaf that its authority takes back.")
    issuing, *above = reversed(hierarchy.authorities)
    for name, (listed, why) in _CRLS.items():
        serials = (taken_back.leaf.serial_number,) if listed else ()
        own = crl_of(issuing, serials, clock=draft.clock, number=2 if listed else 1)
        others = (empty_crl(authority, clock=draft.clock) for authority in above)  # many servers want one of each
        crl = draft.add(f"private-ca/{name}.crl.pem", Kind.CRL, b"".join((own, *others)), why)
        draft.case(client, truststore, PRIVATE_CA, crl=crl)
        draft.case(revoked, truststore, PRIVATE_CA, crl=crl, accepted=not listed)


def _draft_defects(draft: Draft, sample: Sample, good: _Presented, control: _Presented) -> None:
    """All defects of the sample's profile. A backend that has to trust the defect itself trusts *control* beside it."""
    profile = PRIVATE_CA if sample.hierarchy else GATEWAY
    for defect in DEFECTS.values():
        if profile not in defect.profiles:
            continue
        # a kit lies about for months, so what time would cure begins when the kit has expired
        clock = (lambda: draft.expires) if defect.name == _CURED_BY_TIME else draft.clock
        made = defect.make(replace(sample, clock=clock))
        anchors: tuple[x509.Certificate, ...]
        if sample.hierarchy is not None:
            anchors, twin = (sample.hierarchy.root,), good
        elif defect.trusted:
            anchors, twin = (made.leaf, control.credential.leaf), control
        else:
            anchors, twin = (good.credential.leaf,), good
        folder = f"defects/{profile}/{defect.name}"
        shown = draft.credential(f"{folder}/client", made, defect.why)
        truststore = draft.bundle(f"{folder}/truststore.pem", Kind.TRUSTSTORE, anchors, "What to judge it by.")
        level = _LEVELS.get(defect.name, MUST)
        draft.case(shown, truststore, profile, level=level, accepted=level is INFO)
        draft.case(twin, truststore, profile)


def _draft_server(draft: Draft) -> None:
    """What the backend under test presents: leaf and one intermediate, under a root of its own."""
    hierarchy = new_hierarchy(2)
    credential = server_credential(hierarchy=hierarchy)
    draft.credential("server/server", credential, "The backend's certificate for localhost, 127.0.0.1 and ::1.")
    why = "The root that the backend's certificate leads to, for clients."
    draft.bundle("server/server-ca.pem", Kind.TRUSTSTORE, (hierarchy.root,), why)
