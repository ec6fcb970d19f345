"""Defects: OpenSSL refuses each for the reason that its name says, where the good credential beside it verifies."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pytest_mtls.harness.pki.defects import DEFECTS

from .defect_samples import CLIENT, EVERY, ISSUED, Kit
from .openssl import Verify

_LEVEL_1, _LEVEL_2 = ("-auth_level", "1"), ("-auth_level", "2")

# X509_V_ERR codes, https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_BAD_SIGNATURE, _NOT_YET_VALID, _EXPIRED, _SELF_SIGNED, _NO_ISSUER = 7, 9, 10, 18, 20
_NO_CA_OLD, _PATH_LENGTH, _PURPOSE, _KEY_TOO_WEAK, _DIGEST_TOO_WEAK, _NO_CA = 24, 25, 26, 66, 68, 79


# --- the reasons


class Reason(NamedTuple):
    """Why OpenSSL refuses a defect: one of these codes at this depth, with these options."""

    defect: str
    kind: str
    codes: tuple[int, ...]
    depth: int = 0
    options: tuple[str, ...] = ()


_REASONS = (
    *(Reason("stranger", kind, (_SELF_SIGNED,)) for kind in EVERY),
    Reason("other-customer", "gateway", (_SELF_SIGNED,)),
    *(Reason("copied-serial-and-dates", kind, (_SELF_SIGNED,)) for kind in EVERY),
    *(Reason("pinned-certificate-in-chain", kind, (_SELF_SIGNED,)) for kind in EVERY),
    Reason("other-authority", "private-ca-1", (_NO_ISSUER,)),
    Reason("other-authority", "private-ca-3", (_NO_ISSUER,), 2),
    *(Reason("lookalike-authority", kind, (_BAD_SIGNATURE,)) for kind in ISSUED),
    *(Reason("lookalike-authority-with-key-identifier", kind, (_BAD_SIGNATURE,)) for kind in ISSUED),
    *(Reason("tampered-subject", kind, (_BAD_SIGNATURE,)) for kind in EVERY),
    # the altered certificate is not the trusted one any more, and OpenSSL does not look at signatures by oneself
    Reason("tampered-signature", "gateway", (_SELF_SIGNED,)),
    *(Reason("tampered-signature", kind, (_BAD_SIGNATURE,)) for kind in ISSUED),
    *(Reason("expired", kind, (_EXPIRED,)) for kind in EVERY),
    *(Reason("not-yet-valid", kind, (_NOT_YET_VALID,)) for kind in EVERY),
    *(Reason("expired-intermediate", kind, (_EXPIRED,), 1) for kind in ISSUED),
    *(Reason("leaf-as-issuer", kind, (_NO_CA, _NO_CA_OLD), 1) for kind in ISSUED),
    *(Reason("path-length-violated", kind, (_PATH_LENGTH,), 2) for kind in ISSUED),
    *(Reason("missing-intermediate", kind, (_NO_ISSUER,)) for kind in ISSUED),
    *(Reason("wrong-usage", kind, (_PURPOSE,), options=CLIENT) for kind in ISSUED),
    *(Reason("email-usage", kind, (_PURPOSE,), options=CLIENT) for kind in ISSUED),
    *(Reason("sha1-signature", kind, (_DIGEST_TOO_WEAK,), options=_LEVEL_1) for kind in ISSUED),
    *(Reason("rsa-1024", kind, (_KEY_TOO_WEAK,), options=_LEVEL_2) for kind in EVERY),
)

_NOT_FOR_OPENSSL = {
    "copied-certificate": "the certificate is good; only the handshake shows that the key is missing",
    "version-1": "many verifiers take it; what it is shows in its version",
}


def test_every_defect_has_a_reason() -> None:
    """A new defect must be entered above, for all its profiles, or it would go unexamined."""

    examined = {(reason.defect, reason.kind.removesuffix("-1").removesuffix("-3")) for reason in _REASONS}
    published = {(one.name, profile) for one in DEFECTS.values() for profile in one.profiles}
    assert {(name, profile) for name, profile in published if name not in _NOT_FOR_OPENSSL} == examined


@pytest.mark.parametrize("reason", _REASONS, ids=lambda reason: f"{reason.defect}-{reason.kind}")
def test_a_defect_is_refused_for_what_its_name_says(kit: Kit, verify: Verify, reason: Reason) -> None:
    """OpenSSL tells the error of that name, at the certificate that is to blame."""

    bad = kit.defect(reason.defect, reason.kind)
    trusted = bad if DEFECTS[reason.defect].trusted else kit.sample(reason.kind).good
    errors = kit.errors(verify, bad, trusted, reason.kind, *reason.options)
    assert set(errors) & {(code, reason.depth) for code in reason.codes}, errors


@pytest.mark.parametrize(
    ("kind", "options"),
    sorted({(reason.kind, reason.options) for reason in _REASONS}),
    ids=lambda value: value if isinstance(value, str) else "-".join(value).strip("-") or "plain",
)
def test_the_good_credential_verifies_with_the_same_options(
    kit: Kit, verify: Verify, kind: str, options: tuple[str, ...]
) -> None:
    """The positive twin: without it a refusal may be about anything."""

    good = kit.sample(kind).good
    assert kit.errors(verify, good, good, kind, *options) == []


@pytest.mark.parametrize(
    "reason", [reason for reason in _REASONS if reason.options], ids=lambda reason: f"{reason.defect}-{reason.kind}"
)
def test_purpose_and_strength_are_all_that_is_wrong(kit: Kit, verify: Verify, reason: Reason) -> None:
    """Without the option that looks at purpose or strength these defects verify: nothing else is wrong with them."""

    bad = kit.defect(reason.defect, reason.kind)
    assert kit.errors(verify, bad, bad, reason.kind) == []
