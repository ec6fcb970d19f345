"""The register of defects: names, profiles, and whom they are made of."""

from __future__ import annotations

import re

import pytest

from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import DEFECTS, Defect, Sample, defect, make_defect

from .defect_samples import Kit


@pytest.mark.parametrize("one", DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_says_why_it_matters(one: Defect) -> None:
    """One line, a sentence, published in reports and the kit."""

    assert re.fullmatch(r"[^\n]{20,150}[^\n.]\.", one.why)


@pytest.mark.parametrize("one", DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_is_for_a_known_profile(one: Defect) -> None:
    """The words are those of the catalogue."""

    assert one.profiles and set(one.profiles) <= {"gateway", "private-ca"}


@pytest.mark.parametrize("one", DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_bears_its_name(kit: Kit, one: Defect) -> None:
    """Reports call it by that name, and it is the one that it is registered by."""

    kind = "gateway" if "gateway" in one.profiles else "private-ca-1"
    assert kit.defect(one.name, kind).name == one.name == next(name for name in DEFECTS if DEFECTS[name] is one)


# A lookalike takes the root's name from the credential, so it can be made of one that somebody else has given us.
_OF_AUTHORITIES = {
    name for name, one in DEFECTS.items() if "gateway" not in one.profiles and not name.startswith("lookalike-")
}


@pytest.mark.parametrize("name", sorted(_OF_AUTHORITIES))
def test_a_defect_of_authorities_needs_one(kit: Kit, name: str) -> None:
    """Asked of a self-signed sample it is an error, not something else."""

    with pytest.raises(ValueError, match="needs a credential that an authority issued"):
        make_defect(name, kit.sample("gateway"))


def test_a_name_cannot_be_registered_twice() -> None:
    """The second function of a name would silently replace the first."""

    def stranger(sample: Sample) -> Credential:
        """Another one of that name."""
        return sample.good

    with pytest.raises(ValueError, match="duplicate defect: stranger is already registered"):
        defect("gateway")(stranger)


def test_a_refused_duplicate_leaves_the_first(kit: Kit) -> None:
    """What is registered stays what it was."""

    before = DEFECTS["expired"]

    def expired(sample: Sample) -> Credential:
        """Another one of that name."""
        return sample.good

    with pytest.raises(ValueError, match="duplicate defect"):
        defect("gateway")(expired)
    assert DEFECTS["expired"] is before
