"""The certificates and revocation lists of the kit, judged by openssl, which knows nothing of it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pytest_mtls.harness.kit import Kit
from pytest_mtls.harness.kit_content import Case, Kind
from pytest_mtls.harness.pki.defects import DEFECTS
from pytest_mtls.harness.pki.gateway_certificate import GATEWAY_NAME

from .openssl import TRAPPED, run, verified, verify

NOT_FOR_VERIFY = {"copied-certificate"}
"""Defects that a certificate does not show: who lacks the key is found out by the handshake."""


def label(case: Case) -> tuple[str, str, str | None]:
    return case.certificate, case.truststore, case.crl


# --- what openssl says of the files


def test_openssl_reads_every_certificate(kit: Kit) -> None:
    """Every PEM block of every certificate, chain and truststore is one that openssl x509 can read."""
    kinds = (Kind.CERTIFICATE, Kind.CHAIN, Kind.TRUSTSTORE)
    text = "".join((kit.folder / entry.path).read_text() for entry in kit.entries if entry.kind in kinds)
    blocks = set(re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", text, re.DOTALL))

    assert blocks and [block for block in blocks if run("openssl", "x509", "-noout", stdin=block).returncode] == []


def test_fingerprints_are_those_of_openssl(small: Kit) -> None:
    """The fingerprint of each case is the one that openssl computes from the file."""
    told, seen = {case.certificate: case.sha256 for case in small.cases}, {}
    for path in told:
        answer = run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", small.folder / path)
        seen[path] = answer.stdout.strip().rpartition("=")[2].replace(":", "").lower()

    assert told == seen


def test_keys_belong_to_their_certificates(small: Kit) -> None:
    """The public half of every key is the one in the certificate beside it."""
    strangers = [
        entry.path
        for entry in small.entries
        if entry.kind is Kind.KEY
        and run("openssl", "pkey", "-pubout", "-in", small.folder / entry.path).stdout
        != run("openssl", "x509", "-noout", "-pubkey", "-in", (small.folder / entry.path).with_suffix(".pem")).stdout
    ]

    assert strangers == []


def test_openssl_verifies_what_is_expected_to_be_accepted(kit: Kit) -> None:
    """Whoever must be accepted passes openssl verify, but for the second of two certificates of one name."""
    refused = {label(case)[:2] for case in kit.cases if case.expected == "accepted" and not verified(kit, case)}

    assert refused == TRAPPED


def test_the_rotation_trap_is_openssls_alone(small: Kit) -> None:
    """Taken as trust anchors in their own right, both certificates of a rotation are accepted."""
    trapped = [case for case in small.cases if label(case)[:2] in TRAPPED]

    assert [verified(small, case, "-partial_chain") for case in trapped] == [True, True]


def test_openssl_refuses_what_is_expected_to_be_rejected(kit: Kit) -> None:
    """Whoever must be rejected fails openssl verify, but for a certificate without its key."""
    accepted = {case.certificate for case in kit.cases if case.expected == "rejected" and verified(kit, case)}

    assert {path.split("/")[2] for path in accepted} == NOT_FOR_VERIFY


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        ("rsa-1024", "EE certificate key too weak"),
        ("sha1-signature", "CA signature digest algorithm too weak"),
        ("path-length-violated", "path length constraint exceeded"),
        ("wrong-usage", "unsuitable certificate purpose"),
        ("tampered-signature", "signature failure|self-signed certificate$"),  # a pinned one is merely unknown then
        ("missing-intermediate", "unable to get local issuer certificate"),
    ],
)
def test_defect_is_refused_for_its_own_reason(small: Kit, defect: str, reason: str) -> None:
    """Nothing else is wrong with a defect: openssl names its deviation, also where the defect itself is trusted."""
    cases = [case for case in small.cases if case.certificate.split("/")[-2] == defect]
    answers = [verify(small, case).stderr for case in cases]

    assert answers and [answer for answer in answers if not re.search(reason, answer, re.MULTILINE)] == []


def test_pinned_defects_stand_in_their_own_truststore(small: Kit) -> None:
    """A gateway certificate that is wrong in itself is judged by a backend that trusts it, beside the control."""
    control = (small.folder / "gateway/control.pem").read_text()
    folders = [small.folder / "defects/gateway" / defect.name for defect in DEFECTS.values() if defect.trusted]
    missing = [
        folder.name
        for folder in folders
        if (folder / "truststore.pem").read_text() != (folder / "client.pem").read_text() + control
    ]

    assert folders and missing == []


def test_copied_certificate_is_the_trusted_one(small: Kit) -> None:
    """Who has copied a certificate without its key presents exactly the one that is let in."""
    copies, originals = small.folder / "defects", ("gateway/new.pem", "private-ca/client.pem")

    assert [
        (copies / profile / "copied-certificate/client.pem").read_text() for profile in ("gateway", "private-ca")
    ] == [(small.folder / path).read_text() for path in originals]


def test_chain_has_the_depth_asked_for(kit: Kit) -> None:
    """Leaf and intermediates go over the wire, the root stays in the truststore."""
    sent = x509.load_pem_x509_certificates((kit.folder / "private-ca/client.pem").read_bytes())
    whole = (kit.folder / "private-ca/truststore-with-intermediates.pem").read_bytes()

    assert (len(sent), len(x509.load_pem_x509_certificates(whole))) == (kit.depth, kit.depth)


@pytest.mark.parametrize(
    "name", ["-verify_hostname localhost", "-verify_ip 127.0.0.1", "-verify_ip ::1"], ids=lambda name: name.split()[1]
)
def test_server_certificate_names_loopback(small: Kit, name: str) -> None:
    """The server certificate leads to its root and is made out to every name of this machine."""
    server = small.folder / "server"
    files = ("-CAfile", server / "server-ca.pem", "-untrusted", server / "chain.pem", server / "server.pem")

    assert run("openssl", "verify", "-purpose", "sslserver", *name.split(), *files).returncode == 0


@pytest.mark.parametrize("name", ["old", "new"])
def test_gateway_certificates_are_like_amazons(small: Kit, name: str) -> None:
    """One name for all, no extension, 365 days, RSA-2048."""
    certificate = x509.load_pem_x509_certificate((small.folder / f"gateway/{name}.pem").read_bytes())
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    size = getattr(certificate.public_key(), "key_size", None)

    assert (certificate.subject, certificate.issuer, len(certificate.extensions), lifetime, size) == (
        *(GATEWAY_NAME, GATEWAY_NAME),
        *(0, timedelta(days=365), 2048),
    )


@pytest.mark.parametrize(
    ("name", "order"),
    [("old", ["old"]), ("both-old-first", ["old", "new"]), ("both-new-first", ["new", "old"]), ("new", ["new"])],
)
def test_rotation_truststores_keep_their_order(small: Kit, name: str, order: list[str]) -> None:
    """Each truststore of the rotation holds what its name says, in that order."""
    gateway = small.folder / "gateway"

    assert (gateway / f"truststore-{name}.pem").read_text() == "".join(
        (gateway / f"{one}.pem").read_text() for one in order
    )


# --- revocation


def issuing(kit: Kit) -> Path:
    return kit.folder / "private-ca" / ("root.pem" if kit.depth == 1 else f"intermediate-{kit.depth - 1}.pem")


def test_crls_are_signed_by_the_issuing_authority(kit: Kit) -> None:
    """Openssl verifies both revocation lists with the certificate that issued the leaves."""
    lists = [kit.folder / "private-ca" / f"{name}.crl.pem" for name in ("empty", "revoked")]
    answers = [run("openssl", "crl", "-noout", "-in", path, "-CAfile", issuing(kit)).stderr.strip() for path in lists]

    assert answers == ["verify OK", "verify OK"]


@pytest.mark.parametrize(("name", "listed"), [("empty", []), ("revoked", ["revoked.pem"])])
def test_crls_list_the_revoked_serial(kit: Kit, name: str, listed: list[str]) -> None:
    """The one list names nobody, the other exactly the revoked leaf."""
    text = run("openssl", "crl", "-noout", "-text", "-in", kit.folder / "private-ca" / f"{name}.crl.pem").stdout
    leaves = [
        x509.load_pem_x509_certificate((kit.folder / "private-ca" / one).read_bytes()).serial_number for one in listed
    ]

    assert [int(serial, 16) for serial in re.findall(r"Serial Number: ([0-9A-F]+)", text)] == leaves


def test_crls_cover_the_whole_path(kit: Kit) -> None:
    """A server that wants the list of every authority finds it, and refuses the revoked leaf alone."""
    cases = [case for case in kit.cases if case.crl is not None]

    assert [verified(kit, case, "-crl_check_all") for case in cases] == [case.expected == "accepted" for case in cases]


def test_revoked_leaf_is_refused_for_its_revocation(kit: Kit) -> None:
    """Openssl gives the reason: with the list that names it the leaf is revoked."""
    folder = kit.folder / "private-ca"
    chain = ("-untrusted", folder / "chain.pem") if kit.depth > 1 else ()
    lists = ("-crl_check", "-CRLfile", folder / "revoked.crl.pem")
    answer = run("openssl", "verify", "-CAfile", folder / "truststore.pem", *chain, *lists, folder / "revoked.pem")

    assert "certificate revoked" in answer.stderr
