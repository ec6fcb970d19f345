"""``check --url`` on servers that run already, with certificates of their owner's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.backend.contract import Capability
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy, server_credential
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential
from pytest_mtls.harness.pki.keys import new_rsa_key
from pytest_mtls.harness.pki.truststore import Truststore
from pytest_mtls.harness.scenario import Level, Profile, Scenario, catalogue

from .checks import SERVERS, Check, Checks, Served, serve

CORE = {Capability.START, Capability.RELOAD}
NEGATIVES = {
    "chain/tampered",
    "forwarded-header/forged-on-direct-connection",
    "possession/copied-certificate",
    "presence/certificate-requested",
    "presence/no-certificate",
    "trust/copied-serial-and-dates",
    "trust/other-customer-same-name",
    "trust/pinned-certificate-in-chain",
    "trust/self-signed-stranger",
    "vhost/no-server-name",
    "resumption/from-rejected-session",
}
"""What fails on a server that asks nobody for a certificate."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who runs a server: its certificates as files."""

    folder: Path

    def arguments(self, client: str, *, server_ca: str | None = "server-ca.pem") -> list[str]:
        """The options of a check with *client*'s credential."""
        options = [f"--client-cert={self.folder / client}.pem", f"--client-key={self.folder / client}.key"]
        return [*options, *([f"--server-ca={self.folder / server_ca}"] if server_ca else [])]

    @property
    def environment(self) -> dict[str, Path]:
        """What the server is started with."""
        return {
            "MTLS_SERVER_CERT": self.folder / "server.pem",
            "MTLS_SERVER_KEY": self.folder / "server.key",
            "MTLS_TRUSTSTORE": self.folder / "clients.pem",
        }


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Owner:
    """Somebody with a server certificate, a gateway certificate, and clients of a private authority with an intermediate."""
    folder, servers, clients = tmp_path_factory.mktemp("owner"), new_hierarchy(2), new_hierarchy(2)
    gateway = gateway_credential()
    server_credential(hierarchy=servers).write(folder, "server")
    gateway.write(folder, "gateway")
    clients.issue(rsa_key=True).write(folder, "rsa")
    clients.issue().write(folder, "ec")
    _issue(clients, x509.Name([])).write(folder, "empty-subject")
    _issue(clients, _name('Zoë, "50 %" \\ søn')).write(folder, "odd-subject")
    gateway_credential().write(folder, "stranger")
    Truststore((servers.root,)).write(folder / "server-ca.pem")
    Truststore((gateway.leaf, clients.root)).write(folder / "clients.pem")
    return Owner(folder)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _issue(authority: Hierarchy, subject: x509.Name) -> Credential:
    """A client certificate for *subject* with a name of its own besides, as SPIFFE has it."""
    key, begin = new_rsa_key(), datetime.now(UTC) - timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.issuing.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://a.example/b")]), True)
    )
    return Credential(builder.sign(authority.issuing.key, hashes.SHA256()), key, authority.intermediates)


@pytest.fixture(scope="module")
def server(owner: Owner) -> Iterator[Served]:
    """A server that is right."""
    with serve([sys.executable, str(SERVERS / "python_server.py")], owner.environment) as served:
        yield served


@pytest.fixture(scope="module")
def open_server(owner: Owner) -> Iterator[Served]:
    """A server that asks nobody for a certificate."""
    with serve([sys.executable, str(SERVERS / "python_server.py"), "--open"], owner.environment) as served:
        yield served


@pytest.fixture
def gateway(checks: Checks, server: Served, owner: Owner) -> Check:
    """The right server with a gateway certificate."""
    return checks("--url", server.url, *owner.arguments("gateway"))


@pytest.fixture(params=["rsa", "ec"])
def private(request: pytest.FixtureRequest, checks: Checks, server: Served, owner: Owner) -> Check:
    """The right server with a client of the private authority, whose intermediate stands in the PEM file."""
    return checks("--url", server.url, *owner.arguments(request.param), "--profile", "private-ca")


@pytest.fixture
def unverified(checks: Checks, open_server: Served, owner: Owner) -> Check:
    """The server that asks nobody."""
    return checks("--url", open_server.url, *owner.arguments("gateway"))


def _scenarios(profile: Profile) -> list[Scenario]:
    return [one for one in catalogue().values() if profile in one.profiles]


def _reach(profile: Profile) -> set[str]:
    """What can be examined without starting or reloading anything."""
    by_wildcard = {"server-identity/wildcard-one-label"}  # judged only where the certificate names the host by one
    return {one.id for one in _scenarios(profile) if not one.needs} - by_wildcard


# --- a right server


def test_right_server_is_partial_with_exit_code_0(gateway: Check) -> None:
    """Nothing is wrong, but not everything was tried."""
    assert (gateway.code, gateway.summary["result"]) == (0, "partial")


def test_strict_does_not_take_partial_for_good(checks: Checks, server: Served, owner: Owner) -> None:
    """Who wants the whole judgement gets exit code 3."""
    some = ("--scenario", "presence/*", "--scenario", "rotation/*")
    check = checks("--url", server.url, *owner.arguments("gateway"), *some, "--strict")
    assert (check.code, check.summary["result"]) == (3, "partial")


def test_all_that_needs_no_start_passes(gateway: Check) -> None:
    """One good credential is enough for these."""
    assert gateway.ids("passed") == _reach(Profile.GATEWAY)


def test_everything_else_is_skipped_with_what_it_needs(gateway: Check) -> None:
    """Skipped is never passed, and the reason is a capability."""
    skipped = {one["id"]: one["reason"] for one in gateway.report["scenarios"] if one["outcome"] == "skipped"}
    needs = {one.id: f"needs {', '.join(one.needs)}" for one in _scenarios(Profile.GATEWAY) if one.needs}
    not_applicable = {
        "server-identity/wildcard-one-label": "the server certificate does not name the host by a wildcard"
    }
    assert skipped == needs | not_applicable


def test_terminal_lists_the_musts_that_were_left_out(gateway: Check) -> None:
    """Partial is said loudly."""
    text = " ".join(gateway.output.split())
    musts = [one for one in _scenarios(Profile.GATEWAY) if one.level is Level.MUST]
    left_out = sorted(one.id for one in musts if CORE & set(one.needs))
    assert f"PARTIAL: {len(left_out)} MUST scenarios were not run" in text
    assert f"which {', '.join(left_out)}" in text


def test_target_is_described_without_capabilities(gateway: Check, server: Served) -> None:
    """The report says what was judged, and that nothing was declared."""
    target = gateway.report["target"]
    assert (target["kind"], target["url"], target["capabilities"]) == ("url", server.url, [])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_host_may_be_a_name_or_an_address(checks: Checks, server: Served, owner: Owner, host: str) -> None:
    """An address goes without SNI, and is looked up among the certificate's addresses."""
    url = f"https://{host}:{server.port}/"
    check = checks("--url", url, *owner.arguments("gateway"), "--scenario=server-identity/*", "--scenario=presence/*")
    assert (check.code, check.ids("failed"), check.ids("inconclusive")) == (0, set(), set())


def test_server_ca_may_be_left_out(checks: Checks, server: Served, owner: Owner) -> None:
    """Then the server's certificate is not traced to anybody."""
    options = owner.arguments("gateway", server_ca=None)
    assert checks("--url", server.url, *options, "--scenario", "presence/*").code == 0


def test_nothing_is_left_behind(gateway: Check) -> None:
    """No temporary file, no word on the error output."""
    assert (gateway.left_behind, gateway.errors) == ((), "")


# --- clients of a private authority


def test_private_client_is_let_in_with_its_intermediate(private: Check) -> None:
    """The chain in the PEM file is sent along."""
    assert (private.code, private.summary["result"], private.ids("failed") | private.ids("inconclusive")) == (
        0,
        "partial",
        set(),
    )


def test_ec_key_leaves_out_the_copied_certificate(checks: Checks, server: Served, owner: Owner) -> None:
    """A wrong signature can be sent for RSA only, and the report says so."""
    check = checks("--url", server.url, *owner.arguments("ec"), "--profile", "private-ca")
    scenario = check.scenario("possession/copied-certificate", "private-ca")
    assert (scenario["outcome"], scenario["reason"]) == (
        "skipped",
        "the credential has an EC key; a wrong signature can be sent for RSA only",
    )


def test_rsa_key_does_not(checks: Checks, server: Served, owner: Owner) -> None:
    """Proof of possession is tried with the user's own certificate."""
    check = checks("--url", server.url, *owner.arguments("rsa"), "--profile", "private-ca")
    assert check.scenario("possession/copied-certificate", "private-ca")["outcome"] == "passed"


def test_private_client_proves_nothing_about_gateway_certificates(checks: Checks, server: Served, owner: Owner) -> None:
    """In profile gateway the scenario wants API Gateway's own kind."""
    check = checks("--url", server.url, *owner.arguments("rsa"), "--scenario", "trust/gateway-certificate")
    scenario = check.scenario("trust/gateway-certificate")
    assert scenario["outcome"] == "skipped"
    assert "is none of API Gateway's" in scenario["reason"]


@pytest.mark.parametrize("client", ["empty-subject", "odd-subject"])
def test_unusual_subject_is_no_obstacle(checks: Checks, server: Served, owner: Owner, client: str) -> None:
    """What cannot be altered, or written into a header as it is, does not stop the scenarios that would do so."""
    names = {"chain/tampered", "forwarded-header/forged-on-direct-connection"}
    options = ("--profile", "private-ca", *(f"--scenario={name}" for name in sorted(names)))
    assert checks("--url", server.url, *owner.arguments(client), *options).ids("passed") == names


# --- what is wrong


def test_server_that_asks_nobody_is_nonconformant(unverified: Check) -> None:
    """Every negative fails, and nothing else does."""
    assert (unverified.code, unverified.summary["result"], unverified.ids("failed")) == (1, "nonconformant", NEGATIVES)


def test_reason_says_what_was_expected_and_seen(unverified: Check) -> None:
    """In the words of every report."""
    assert unverified.scenario("presence/no-certificate")["reason"] == (
        "no certificate: expected rejected, saw accepted: HTTP 200"
    )


def test_wrong_server_ca_is_inconclusive(checks: Checks, server: Served, owner: Owner) -> None:
    """We may be talking to somebody else: exit code 3, nothing passed, and the option is named."""
    check = checks("--url", server.url, *owner.arguments("gateway", server_ca="clients.pem"))
    text = " ".join(check.output.split())
    assert (check.code, check.summary["result"], check.ids("passed")) == (3, "inconclusive", set())
    assert "expected a server certificate that leads to --server-ca" in text
    assert "Check the URL, or give the CA of this server." in text


def test_credential_that_is_not_let_in_is_inconclusive(checks: Checks, server: Served, owner: Owner) -> None:
    """Without a good credential no refusal proves anything; the message says what to look at."""
    check = checks("--url", server.url, *owner.arguments("stranger"))
    text = " ".join(check.output.split())
    assert (check.code, check.ids("passed")) == (3, set())
    assert "expected the good credential (CN=ApiGateway,L=Seattle,C=US) to be let in" in text
    assert "Is it in the backend's truststore" in text


def test_server_that_is_not_there_is_inconclusive(checks: Checks, server: Served, owner: Owner) -> None:
    """Nobody listens: exit code 3, and the address is named."""
    url = f"https://127.0.0.2:{server.port}/"
    check = checks("--url", url, *owner.arguments("gateway"), "--scenario", "presence/*")
    assert check.code == 3
    assert f"expected a server at {url}" in " ".join(check.output.split())
