"""Defects: named deviations from a valid credential, each with a line of why it matters.

A defect is one function, registered by ``@defect``; its name is the function's name with hyphens. It takes the trusted
credential that it deviates from (``Sample``) and returns what an attacker, or a careless operator, would present.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..clock import Clock, system_clock
from . import der
from .authority import Hierarchy, new_hierarchy
from .credential import Credential
from .gateway_certificate import gateway_credential
from .issue import CA_EXTENSIONS, CLIENT_EXTENSIONS, Extensions, issue, self_signed
from .keys import PrivateKey, new_ec_key, new_rsa_key, rsa_key_without_its_secret

__all__ = ["DEFECTS", "Defect", "Sample", "defect", "make_defect"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a defect deviates from: the trusted credential, and the hierarchy that issued it (None when self-signed)."""

    good: Credential
    hierarchy: Hierarchy | None = None
    clock: Clock = system_clock
    new_rsa_key: Callable[[], rsa.RSAPrivateKey] = new_rsa_key
    """Where RSA-2048 keys come from."""

    @property
    def authorities(self) -> Hierarchy:
        """The hierarchy; raises ValueError for a self-signed sample."""
        if self.hierarchy is None:
            raise ValueError("this defect needs a credential that an authority issued")
        return self.hierarchy


@dataclass(frozen=True, slots=True)
class Defect:
    """One named deviation. ``trusted`` says that the backend must have it in its truststore to judge it fairly."""

    name: str
    why: str
    profiles: tuple[str, ...]
    trusted: bool
    make: Callable[[Sample], Credential]


DEFECTS: dict[str, Defect] = {}
"""All defects by name."""

_BOTH = ("gateway", "private-ca")


def defect(
    *profiles: str, trusted: bool = False
) -> Callable[[Callable[[Sample], Credential]], Callable[[Sample], Credential]]:
    """Register a function as the defect of its name, for these *profiles*; its docstring is the published why."""

    def register(make: Callable[[Sample], Credential]) -> Callable[[Sample], Credential]:
        name = make.__name__.replace("_", "-")
        if name in DEFECTS:
            raise ValueError(f"duplicate defect: {name} is already registered")

        def named(sample: Sample) -> Credential:
            return replace(make(sample), name=name)

        DEFECTS[name] = Defect(name, (make.__doc__ or "").strip(), profiles, trusted, named)
        return named

    return register


def make_defect(name: str, sample: Sample) -> Credential:
    """The defect called *name*, made from *sample*; the credential bears the defect's name."""
    return DEFECTS[name].make(sample)


# --- strangers and lookalikes


@defect(*_BOTH)
def stranger(sample: Sample) -> Credential:
    """A fresh self-signed certificate of a random name: anybody can make one in a second."""
    key, begin = new_ec_key(), sample.clock() - timedelta(hours=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"stranger-{secrets.token_hex(4)}.example")])
    return Credential(self_signed(name, key, begin, begin + timedelta(days=365)), key)


@defect("gateway")
def other_customer(sample: Sample) -> Credential:
    """Another customer's gateway certificate: the same name, its own key and serial."""
    return gateway_credential(clock=sample.clock, key=sample.new_rsa_key())


@defect(*_BOTH)
def copied_serial_and_dates(sample: Sample) -> Credential:
    """A self-signed copy of the trusted certificate's name, serial and dates, with another key: the PEM is no secret."""
    good = sample.good.leaf
    key = _key_like_its_own(sample)
    copy = self_signed(
        good.subject, key, good.not_valid_before_utc, good.not_valid_after_utc, serial=good.serial_number
    )
    return Credential(copy, key)


@defect(*_BOTH)
def pinned_certificate_in_chain(sample: Sample) -> Credential:
    """A stranger's leaf, followed by the trusted certificate: found by whoever searches the chain for a known one."""
    leaf = stranger(sample)
    return replace(leaf, chain=sample.good.certificates)


@defect("private-ca")
def other_authority(sample: Sample) -> Credential:
    """A valid leaf of an authority that the backend does not know."""
    foreign = new_hierarchy(sample.authorities.depth)
    return foreign.issue(clock=sample.clock)


@defect("private-ca")
def lookalike_authority(sample: Sample) -> Credential:
    """A leaf of an authority with the trusted root's name and another key: names prove nothing (RFC 5280 6.1.3)."""
    return _lookalike(sample, key_identifier=False)


@defect("private-ca")
def lookalike_authority_with_key_identifier(sample: Sample) -> Credential:
    """The same with the trusted root's key identifier too: it is a hint for path building, not a proof (RFC 5280 4.2.1.1)."""
    return _lookalike(sample, key_identifier=True)


@defect(*_BOTH)
def copied_certificate(sample: Sample) -> Credential:
    """The trusted certificate without its key: the right modulus and wrong exponents (RFC 8446 4.4.3). RSA only."""
    if not isinstance(sample.good.key, rsa.RSAPrivateKey):
        raise ValueError("a certificate can be presented without its key for RSA only")
    return replace(sample.good, key=rsa_key_without_its_secret(sample.good.key))


# --- altered after signing


@defect(*_BOTH)
def tampered_subject(sample: Sample) -> Credential:
    """The trusted certificate with one octet of its subject changed; the key is its own (RFC 5280 6.1.3(a)(1))."""
    if not list(sample.good.leaf.subject):
        raise ValueError("this defect needs a certificate with a subject")
    tbs, algorithm, signature = der.split_certificate(sample.good.leaf)
    name = sample.good.leaf.subject.public_bytes()
    changed = name[:-1] + bytes((_other_letter(name[-1]),))
    # the subject stands after the issuer, so the last occurrence is the subject of a self-signed certificate too
    return replace(
        sample.good, leaf=der.certificate_from_parts(der.replace_last(tbs, name, changed), algorithm, signature)
    )


@defect(*_BOTH)
def tampered_signature(sample: Sample) -> Credential:
    """The trusted certificate with one octet of its signature changed; the key is its own."""
    tbs, algorithm, signature = der.split_certificate(sample.good.leaf)
    changed = signature[:-1] + bytes((signature[-1] ^ 0x01,))
    return replace(sample.good, leaf=der.certificate_from_parts(tbs, algorithm, changed))


# --- time


@defect(*_BOTH, trusted=True)
def expired(sample: Sample) -> Credential:
    """Valid until yesterday; a gateway certificate lives 365 days, and nobody sends a reminder."""
    return _dated(sample, timedelta(days=-366), timedelta(days=-1))


@defect(*_BOTH, trusted=True)
def not_yet_valid(sample: Sample) -> Credential:
    """Its time has not come yet; a certificate counts from its notBefore on (RFC 5280 6.1.3(a)(2))."""
    return _dated(sample, timedelta(days=1), timedelta(days=366))


@defect("private-ca")
def expired_intermediate(sample: Sample) -> Credential:
    """A current leaf under an intermediate that ended yesterday: every certificate of a path counts (RFC 5280 6.1.3(a)(2))."""
    key = new_ec_key()
    intermediate = _authority_below(sample, "expired intermediate", key, end=timedelta(days=-1))
    return _leaf_under(sample, intermediate, key)


# --- the rules for authorities


@defect("private-ca")
def leaf_as_issuer(sample: Sample) -> Credential:
    """A leaf signed by another leaf (CA:FALSE): else every certificate holder is an authority (RFC 5280 6.1.4(k))."""
    # a holder without key usage: nothing but basicConstraints says that it may not issue
    key, issuing, now = new_ec_key(), sample.authorities.issuing, sample.clock()
    holder = issue(
        _name("holder"),
        key,
        now - timedelta(days=1),
        now + timedelta(days=365),
        issuer=issuing.certificate.subject,
        issuer_key=issuing.key,
        extensions=CLIENT_EXTENSIONS,
    )
    return replace(_leaf_under(sample, holder, key), chain=(holder, *sample.authorities.intermediates))


@defect("private-ca")
def path_length_violated(sample: Sample) -> Credential:
    """An authority with pathLenConstraint 0 has issued another authority (RFC 5280 4.2.1.9)."""
    upper_key, lower_key = new_ec_key(), new_ec_key()
    no_more: Extensions = ((x509.BasicConstraints(ca=True, path_length=0), True),)
    upper = _authority_below(sample, "path length 0", upper_key, extensions=no_more)
    lower = issue(
        _name("one too many"),
        lower_key,
        upper.not_valid_before_utc,
        upper.not_valid_after_utc,
        issuer=upper.subject,
        issuer_key=upper_key,
        extensions=CA_EXTENSIONS,
    )
    return replace(_leaf_under(sample, lower, lower_key), chain=(lower, upper))


@defect("private-ca")
def missing_intermediate(sample: Sample) -> Credential:
    """The leaf of a deeper hierarchy without the intermediates that lead to the root (RFC 8446 4.4.2)."""
    key = new_ec_key()
    intermediate = _authority_below(sample, "left out", key)
    return replace(_leaf_under(sample, intermediate, key), chain=())


# --- purpose and strength


@defect("private-ca")
def wrong_usage(sample: Sample) -> Credential:
    """A leaf for serverAuth only: else every web server of the same authority is a gateway (RFC 5280 4.2.1.12)."""
    return _from_issuing(sample, ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),))


@defect("private-ca")
def email_usage(sample: Sample) -> Credential:
    """A leaf for emailProtection only: everybody with a signed mail would be a gateway (RFC 5280 4.2.1.12)."""
    return _from_issuing(sample, ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),))


@defect("private-ca")
def sha1_signature(sample: Sample) -> Credential:
    """A leaf signed with SHA-1, whose collisions are practical, by an RSA intermediate (RFC 8446 4.4.2.4)."""
    key = sample.new_rsa_key()
    intermediate = _authority_below(sample, "RSA intermediate", key)
    credential = _leaf_under(sample, intermediate, key)
    return replace(credential, leaf=der.with_sha1_signature(credential.leaf, key))


@defect(*_BOTH, trusted=True)
def rsa_1024(sample: Sample) -> Credential:
    """A key of 1024 bits; API Gateway itself never makes one under 2048."""
    key = new_rsa_key(1024)
    if sample.hierarchy is None:
        return gateway_credential(clock=sample.clock, key=key)
    return _from_issuing(sample, CLIENT_EXTENSIONS, key=key)


@defect("private-ca")
def version_1(sample: Sample) -> Credential:
    """A leaf as X.509 v1, without any extension: what 'openssl x509 -req' makes without a configuration."""
    plain, issuer = _from_issuing(sample, ()), sample.authorities.issuing
    tbs = der.version_1_tbs(plain.leaf)
    _, algorithm, _ = der.split_certificate(plain.leaf)
    return replace(plain, leaf=der.certificate_from_parts(tbs, algorithm, der.sign(tbs, issuer.key)))


# --- what they are made of


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{common_name} {secrets.token_hex(3)}")])


def _other_letter(octet: int) -> int:
    """Another octet for the end of a name, legal in every string type (PrintableString knows few characters beside letters)."""
    if octet > 0x7F:
        return octet ^ 0x01  # the end of a UTF-8 sequence stays one
    return ord("B") if octet in b"Aa" else ord("A")  # names are compared without regard to case


def _key_like_its_own(sample: Sample) -> PrivateKey:
    key = sample.good.key
    if isinstance(key, rsa.RSAPrivateKey):
        return sample.new_rsa_key() if key.key_size == 2048 else new_rsa_key(key.key_size)
    return new_ec_key()


def _dated(sample: Sample, begin: timedelta, end: timedelta) -> Credential:
    """A credential of the sample's kind, valid from now + *begin* to now + *end*."""
    now = sample.clock()
    if sample.hierarchy is None:
        return gateway_credential(not_before=now + begin, not_after=now + end, key=sample.new_rsa_key())
    return _from_issuing(sample, CLIENT_EXTENSIONS, begin=begin, end=end)


def _lookalike(sample: Sample, *, key_identifier: bool) -> Credential:
    """A leaf under a foreign root with the name (and the key identifier) of the root that the sample leads to."""
    key, begin = new_ec_key(), sample.clock() - timedelta(days=30)
    name, identifier = _root_of(sample)
    authority, leaf = CA_EXTENSIONS, CLIENT_EXTENSIONS
    if key_identifier:
        if identifier is None:
            raise ValueError("the trusted root has no key identifier that is known")
        pointer = x509.AuthorityKeyIdentifier(identifier, None, None)
        authority = (*authority, (x509.SubjectKeyIdentifier(identifier), False))
        leaf = (*leaf, (pointer, False))
    foreign = self_signed(name, key, begin, begin + timedelta(days=365), extensions=authority)
    return _leaf_under(sample, foreign, key, extensions=leaf)


def _root_of(sample: Sample) -> tuple[x509.Name, bytes | None]:
    """Name and key identifier of the root: of the hierarchy, or as the last certificate that is sent points to it."""
    if sample.hierarchy is not None:
        root = sample.hierarchy.root
        return root.subject, root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    last = sample.good.certificates[-1]
    try:
        pointer = last.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return last.issuer, None
    return last.issuer, pointer.key_identifier


def _authority_below(
    sample: Sample,
    common_name: str,
    key: PrivateKey,
    *,
    extensions: Extensions = CA_EXTENSIONS,
    end: timedelta = timedelta(days=365),
) -> x509.Certificate:
    """A CA certificate for *key*, issued by the sample's root."""
    root, now = sample.authorities.authorities[0], sample.clock()
    return issue(
        _name(common_name),
        key,
        now - timedelta(days=30),
        now + end,
        issuer=root.certificate.subject,
        issuer_key=root.key,
        extensions=extensions,
    )


def _leaf_under(
    sample: Sample,
    issuer: x509.Certificate,
    issuer_key: PrivateKey,
    *,
    extensions: Extensions = CLIENT_EXTENSIONS,
    key: PrivateKey | None = None,
    begin: timedelta = timedelta(hours=-1),
    end: timedelta = timedelta(days=365),
) -> Credential:
    """A leaf with the good credential's subject and a fresh key, issued by *issuer*, which is sent along."""
    private, now = key or new_ec_key(), sample.clock()
    leaf = issue(
        sample.good.leaf.subject,
        private,
        now + begin,
        now + end,
        issuer=issuer.subject,
        issuer_key=issuer_key,
        extensions=extensions,
    )
    return Credential(leaf, private, (issuer,))


def _from_issuing(
    sample: Sample,
    extensions: Extensions,
    *,
    key: PrivateKey | None = None,
    begin: timedelta = timedelta(hours=-1),
    end: timedelta = timedelta(days=365),
) -> Credential:
    """A leaf as the sample's issuing authority would issue it, but for what is given here."""
    issuing = sample.authorities.issuing
    leaf = _leaf_under(sample, issuing.certificate, issuing.key, extensions=extensions, key=key, begin=begin, end=end)
    return replace(leaf, chain=sample.authorities.intermediates)
