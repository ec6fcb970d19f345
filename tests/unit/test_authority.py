"""Authorities, hierarchies of one to four, and what they issue."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pytest_mtls.harness.errors import UsageError
from pytest_mtls.harness.pki.authority import MAX_DEPTH, Hierarchy, new_hierarchy, server_credential

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module", params=range(1, MAX_DEPTH + 1))
def hierarchy(request: pytest.FixtureRequest) -> Hierarchy:
    """A hierarchy of each depth."""
    return new_hierarchy(request.param)


@pytest.fixture(scope="module")
def root_only() -> Hierarchy:
    """A root that issues leaves itself."""
    return new_hierarchy(1)


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value


@pytest.mark.parametrize("depth", range(1, MAX_DEPTH + 1))
def test_depth_counts_ca_certificates(depth: int) -> None:
    """The root counts, the leaf does not."""

    made = new_hierarchy(depth)
    assert (made.depth, len(made.certificates)) == (depth, depth)


@pytest.mark.parametrize("depth", [-1, 0, MAX_DEPTH + 1])
def test_other_depths_are_refused(depth: int) -> None:
    """API Gateway allows chains of up to four."""

    message = rf"^depth \({depth}\): expected 1 to 4 CA certificates\. API Gateway allows no more\.$"
    with pytest.raises(UsageError, match=message):
        new_hierarchy(depth)


def test_the_root_comes_first_and_signs_itself(hierarchy: Hierarchy) -> None:
    """What a truststore holds is self-signed."""

    hierarchy.root.verify_directly_issued_by(hierarchy.root)  # raises InvalidSignature otherwise
    assert hierarchy.root == hierarchy.certificates[0]


def test_each_authority_certifies_the_next(hierarchy: Hierarchy) -> None:
    """The certificates are one path, root first."""

    for upper, lower in pairwise(hierarchy.certificates):
        lower.verify_directly_issued_by(upper)  # raises InvalidSignature otherwise


def test_all_are_authorities_with_their_own_key(hierarchy: Hierarchy) -> None:
    """Each says CA:TRUE and comes with the key that it certifies."""

    for authority in hierarchy.authorities:
        assert _constraints(authority.certificate).ca
        assert authority.key.public_key() == authority.certificate.public_key()


def test_the_last_authority_issues(hierarchy: Hierarchy) -> None:
    """A leaf is signed by the authority at the end of the path."""

    leaf = hierarchy.issue().leaf
    leaf.verify_directly_issued_by(hierarchy.issuing.certificate)  # raises InvalidSignature otherwise
    assert hierarchy.issuing.certificate == hierarchy.certificates[-1]


def test_a_leaf_comes_with_its_intermediates_and_without_the_root(hierarchy: Hierarchy) -> None:
    """RFC 8446 4.4.2: each certifies the one before, and the root may be left out."""

    assert hierarchy.issue().chain == tuple(reversed(hierarchy.certificates[1:]))


def test_openssl_finds_the_path_from_leaf_to_root(hierarchy: Hierarchy, tmp_path: Path) -> None:
    """With the root alone in the truststore, leaf and chain are enough."""

    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl program is not installed")
    leaf, root, chain = tmp_path / "leaf.pem", tmp_path / "root.pem", tmp_path / "chain.pem"
    credential = hierarchy.issue()
    leaf.write_bytes(credential.leaf.public_bytes(Encoding.PEM))
    root.write_bytes(hierarchy.root.public_bytes(Encoding.PEM))
    chain.write_bytes(credential.certificate_pem)
    words: list[str | Path] = [
        program,
        "verify",
        "-show_chain",
        "-purpose",
        "sslclient",
        "-CAfile",
        root,
        "-untrusted",
        chain,
        leaf,
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert len(re.findall(r"^depth=", done.stdout, re.MULTILINE)) == hierarchy.depth + 1, done.stderr


def test_hierarchies_have_names_of_their_own() -> None:
    """Two roots can stand in one truststore without being taken for each other."""

    assert new_hierarchy().root.subject != new_hierarchy().root.subject


# --- leaves


def test_a_leaf_is_for_clients_and_servers(root_only: Hierarchy) -> None:
    """An ordinary leaf may stand on either side."""

    usage = root_only.issue().leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH} <= set(usage)


def test_a_leaf_is_no_authority(root_only: Hierarchy) -> None:
    """Its holder must not be able to issue."""

    assert not _constraints(root_only.issue().leaf).ca


def test_a_leaf_bears_the_name_asked_for(root_only: Hierarchy) -> None:
    """The common name stands in the subject."""

    (name,) = root_only.issue("orders.example").leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "orders.example"


def test_a_leaf_has_an_ec_key_unless_asked_otherwise(root_only: Hierarchy) -> None:
    """EC keys cost nothing to make."""

    assert isinstance(root_only.issue().key, ec.EllipticCurvePrivateKey)


def test_a_leaf_can_have_an_rsa_key(root_only: Hierarchy) -> None:
    """A wrong signature can be sent for RSA only."""

    key = root_only.issue(rsa_key=True).key
    assert isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048


def test_a_leaf_began_an_hour_ago_and_lives_for_a_year(root_only: Hierarchy) -> None:
    """A server's clock may be behind ours."""

    leaf, begin = root_only.issue(clock=lambda: _NOW).leaf, _NOW - timedelta(hours=1)
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (begin, begin + timedelta(days=365))


def test_the_end_of_a_leaf_can_be_chosen(root_only: Hierarchy) -> None:
    """Short-lived credentials are ordinary ones with an early end."""

    end = _NOW + timedelta(seconds=6)
    assert root_only.issue(clock=lambda: _NOW, not_after=end).leaf.not_valid_after_utc == end


def test_a_leafs_key_is_its_own(root_only: Hierarchy) -> None:
    """Certificate and key of what is issued belong together."""

    credential = root_only.issue(name="the good one")
    assert (credential.key.public_key(), credential.name) == (credential.leaf.public_key(), "the good one")


# --- the server's certificate


def test_a_server_certificate_names_localhost_and_both_loopback_addresses() -> None:
    """Whatever a client calls the backend on this machine, the name fits."""

    names = server_credential().leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == addresses


def test_a_server_certificate_comes_with_one_intermediate() -> None:
    """As a backend should have it: the root stays at home."""

    assert len(server_credential().chain) == 1


def test_a_server_certificate_can_come_from_a_given_hierarchy(root_only: Hierarchy) -> None:
    """Who has to trust the server must know its root."""

    leaf = server_credential(("other.example",), hierarchy=root_only).leaf
    leaf.verify_directly_issued_by(root_only.root)  # raises InvalidSignature otherwise
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["other.example"]
