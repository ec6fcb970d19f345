"""Host names in server certificates."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.pki.issue import Extensions, self_signed
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.pki.names import ServedNames, matches, names_of

_NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _certificate(common_name: str | None, *names: x509.GeneralName) -> x509.Certificate:
    parts = [] if common_name is None else [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    extensions: Extensions = ((x509.SubjectAlternativeName(names), False),) if names else ()
    return self_signed(x509.Name(parts), new_ec_key(), _NOW, _NOW + timedelta(days=1), extensions=extensions)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.COM", "api.example.com"),
        ("api.example.com", "API.EXAMPLE.COM"),
        ("api.example.com.", "api.example.com"),
        ("api.example.com", "api.example.com."),
        ("localhost", "localhost"),
        ("api.example.com", "*.example.com"),
        ("API.example.com", "*.EXAMPLE.com"),
        ("xn--bcher-kva.example.com", "*.example.com"),
    ],
)
def test_a_host_matches_its_name(host: str, name: str) -> None:
    """Letter case and a final dot do not count; an asterisk stands for the left-most label."""

    assert matches(host, ServedNames((name,)))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.example.com", "www.example.com"),
        ("api.example.com", "example.com"),
        ("example.com", "*.example.com"),
        ("v1.api.example.com", "*.example.com"),
        ("api.example.com", "a*.example.com"),
        ("api.example.com", "*pi.example.com"),
        ("api.v1.example.com", "api.*.example.com"),
        ("api.example.com", "*.*.com"),
        ("example.com", "*.com"),
        ("localhost", "*"),
        ("api.example.com", "*"),
        ("api.example.com", ""),
        ("api.example.com.evil.example", "api.example.com"),
        ("notexample.com", "example.com"),
    ],
)
def test_a_host_does_not_match_another_name(host: str, name: str) -> None:
    """An asterisk stands for one whole label, the left-most, and never for a public suffix (RFC 9525 6.3)."""

    assert not matches(host, ServedNames((name,)))


def test_one_of_several_names_is_enough() -> None:
    """A certificate is made out to all of its names."""

    assert matches("b.example", ServedNames(("a.example", "b.example")))


def test_no_name_matches_nothing() -> None:
    """A certificate without names is made out to nobody."""

    assert not matches("a.example", ServedNames())


def test_names_are_those_of_the_subject_alternative_name() -> None:
    """DNS names and addresses, each kind for itself."""

    names = (
        x509.IPAddress(ipaddress.ip_address("::1")),
        x509.DNSName("a.example"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("*.b.example"),
    )
    found = names_of(_certificate("cn.example", *names))

    assert found.dns == ("a.example", "*.b.example")
    assert str(found) == "a.example, *.b.example, ::1, 127.0.0.1"


@pytest.mark.parametrize("host", ["::1", "0:0:0:0:0:0:0:1"])
def test_an_address_matches_however_it_is_spelt(host: str) -> None:
    """Addresses are compared as numbers."""

    assert matches(host, ServedNames(addresses=(ipaddress.ip_address("::1"),)))


@pytest.mark.parametrize("name", ["127.0.0.1", "*.0.0.1"])
def test_an_address_never_matches_a_name(name: str) -> None:
    """A dNSName that looks like an address is none (RFC 9525 6.5)."""

    assert not matches("127.0.0.1", ServedNames((name,)))


def test_the_common_name_does_not_count_beside_other_names() -> None:
    """RFC 9525 knows no common name, and API Gateway looks at it only where there is nothing else."""

    assert "cn.example" not in names_of(_certificate("cn.example", x509.DNSName("a.example"))).dns


def test_without_other_names_the_common_name_counts() -> None:
    """API Gateway still takes it then."""

    assert names_of(_certificate("cn.example")).dns == ("cn.example",)


def test_names_of_other_kinds_are_left_out() -> None:
    """Mail addresses and URIs are no host names, and do not bring the common name back."""

    assert names_of(_certificate("cn.example", x509.RFC822Name("ops@a.example"))) == ServedNames()


def test_a_certificate_may_have_no_name_at_all() -> None:
    """Neither names nor a common name: an empty answer, no error."""

    assert names_of(_certificate(None)) == ServedNames()
