"""The openssl program reads our CRLs and OCSP answers as they are meant."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_mtls import Credential, RevocationPki
from pytest_mtls.harness.pki.truststore import Truststore

from .checks import require

NewPki = Callable[..., RevocationPki]
DEPTHS = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program said."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class OpenSsl:
    """The program, in a folder with a PKI's files."""

    program: str
    folder: Path
    pki: RevocationPki

    def run(self, *words: str) -> Answer:
        """A command; stdout and stderr together."""
        done = subprocess.run(
            [self.program, *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
        return Answer(done.returncode, done.stdout)

    def verify(self, shown: Credential, mode: str) -> Answer:
        """``openssl verify -crl_check_all`` with the lists of all authorities in that mode."""
        Truststore.of(shown.certificates).write(self.folder / "shown.pem")
        (self.folder / "crl.pem").write_bytes(self.pki.crl_pem(mode))
        chain = ["-CAfile", "root.pem", "-untrusted", "shown.pem", "-CRLfile", "crl.pem"]
        return self.run("verify", "-crl_check_all", *chain, "shown.pem")

    def ocsp(self, shown: Credential, *more: str) -> Answer:
        """``openssl ocsp`` against the responder that runs."""
        Truststore.of(shown.certificates).write(self.folder / "shown.pem")
        asked = ["-issuer", "issuer.pem", "-cert", "shown.pem", "-url", self.pki.ocsp.url, "-timeout", "10"]
        return self.run("ocsp", *asked, "-CAfile", "root.pem", "-verify_other", "authorities.pem", *more)


@pytest.fixture
def openssl(mtls_revocation: NewPki, tmp_path: Path) -> Callable[[int], OpenSsl]:
    """``openssl(depth)``: the program beside a new PKI."""

    def beside(depth: int) -> OpenSsl:
        pki = mtls_revocation(depth=depth)
        Truststore.of([pki.root]).write(tmp_path / "root.pem")
        Truststore.of([pki.issuing.authority.certificate]).write(tmp_path / "issuer.pem")
        pki.truststore.write(tmp_path / "authorities.pem")
        return OpenSsl(require("openssl"), tmp_path, pki)

    return beside


Beside = Callable[[int], OpenSsl]


# --- lists


@pytest.mark.parametrize("depth", DEPTHS)
def test_verify_tells_good_from_revoked(depth: int, openssl: Beside) -> None:
    program = openssl(depth)
    good, bad = program.pki.issue(), program.pki.issue()
    program.pki.revoke(bad)

    assert program.verify(good, "full") == Answer(0, "shown.pem: OK\n")
    answer = program.verify(bad, "full")
    assert answer.code == 2
    assert "error 23 at 0 depth lookup: certificate revoked" in answer.text


def test_verify_notices_a_revoked_intermediate(openssl: Beside) -> None:
    program = openssl(3)
    leaf = program.pki.issue()
    program.pki.revoke(program.pki.authorities[1].authority.certificate)

    assert "error 23 at 2 depth lookup: certificate revoked" in program.verify(leaf, "full").text


@pytest.mark.parametrize(
    ("mode", "code", "text"),
    [
        ("stale", 2, "error 12 at 0 depth lookup: CRL has expired"),
        ("wrong-issuer", 2, "error 3 at 0 depth lookup: unable to get certificate CRL"),
        ("wrongly-signed", 2, "error 8 at 0 depth lookup: CRL signature failure"),
        ("malformed", 1, "crl.pem"),
    ],
)
def test_verify_refuses_a_good_leaf_by_a_list_that_is_wrong(mode: str, code: int, text: str, openssl: Beside) -> None:
    program = openssl(2)
    answer = program.verify(program.pki.issue(), mode)

    assert answer.code == code
    assert text in answer.text


@pytest.mark.parametrize(
    ("mode", "verified", "entries"),
    [("full", True, True), ("stale", True, True), ("wrong-issuer", False, True), ("wrongly-signed", False, False)],
)
def test_crl_shows_number_entries_and_whose_signature_it_is(
    mode: str, verified: bool, entries: bool, openssl: Beside
) -> None:
    program = openssl(1)
    bad = program.pki.issue()
    program.pki.revoke(bad, "keyCompromise")
    (program.folder / "crl.pem").write_bytes(program.pki.crl_pem(mode))
    shown = program.run("crl", "-in", "crl.pem", "-noout", "-text").text
    answer = program.run("crl", "-in", "crl.pem", "-noout", "-CAfile", "root.pem")

    assert "X509v3 CRL Number: \n                2\n" in shown
    assert (f"Serial Number: {bad.leaf.serial_number:X}" in shown.replace(": 0", ": ")) == entries
    assert ("Key Compromise" in shown) == entries
    assert ("verify OK" in answer.text) == verified


# --- OCSP


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("mode", ["normal", "delegated"])
def test_ocsp_tells_good_from_revoked(mode: str, depth: int, openssl: Beside) -> None:
    program = openssl(depth)
    good, bad = program.pki.issue(), program.pki.issue()
    program.pki.revoke(bad, "keyCompromise")
    program.pki.ocsp.mode = mode
    answers = [program.ocsp(one).text for one in (good, bad)]

    assert all("Response verify OK" in text and "nonce" not in text.lower() for text in answers)
    assert "shown.pem: good" in answers[0]
    assert "shown.pem: revoked" in answers[1] and "Reason: keyCompromise" in answers[1]


def test_ocsp_gives_back_the_nonce(openssl: Beside) -> None:
    """With -no_nonce the program does not ask for one, so there is none to miss."""
    program = openssl(1)
    leaf = program.pki.issue()

    assert "OCSP Nonce" in program.ocsp(leaf, "-resp_text").text
    assert "OCSP Nonce" not in program.ocsp(leaf, "-resp_text", "-no_nonce").text


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("good", "shown.pem: good"),
        ("revoked", "shown.pem: revoked"),
        ("unknown", "shown.pem: unknown"),
        ("stale", "Status times invalid"),
        ("tryLater", "Responder Error: trylater (3)"),
        ("internalError", "Responder Error: internalerror (2)"),
        ("foreign-signed", "Response Verify Failure"),
        ("undelegated", "missing ocspsigning usage"),
        ("other-certificate", "ERROR: No Status found"),
    ],
)
def test_ocsp_says_of_each_mode_what_it_is(mode: str, text: str, openssl: Beside) -> None:
    program = openssl(2)
    leaf = program.pki.issue()
    program.pki.ocsp.mode = mode

    assert text in program.ocsp(leaf).text
    assert program.pki.ocsp.requests == 1


def test_ocsp_knows_no_certificate_of_another_authority(openssl: Beside, mtls_revocation: NewPki) -> None:
    program, other = openssl(1), mtls_revocation()
    Truststore.of([other.root]).write(program.folder / "issuer.pem")
    Truststore.of([program.pki.root]).write(program.folder / "root.pem")

    assert "shown.pem: unknown" in program.ocsp(other.issue()).text


def test_ocsp_gives_up_on_a_silent_responder_and_on_one_that_is_down(openssl: Beside) -> None:
    program = openssl(1)
    leaf = program.pki.issue()
    program.pki.ocsp.mode = "silent"
    silent = program.ocsp(leaf, "-timeout", "1")
    program.pki.stop()
    down = program.ocsp(leaf, "-timeout", "1")  # it tries again until then

    assert silent.code != 0 and "good" not in silent.text
    assert down.code != 0 and "Error querying OCSP responder" in down.text
    assert program.pki.ocsp.requests == 1
