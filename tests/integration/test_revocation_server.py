"""``mtls_revocation``: distribution points and responders on loopback, and how a test switches them while they run."""

from __future__ import annotations

import base64
import http.client
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from pytest_mtls import CrlMode, OcspMode, RevocationPki, UsageError, new_hierarchy
from pytest_mtls.harness.wait import poll_until

NewPki = Callable[..., RevocationPki]
SECONDS = 10
Answer = tuple[int, str | None, bytes]


def ask(url: str, method: str = "GET", body: bytes | None = None, content_type: str = "") -> Answer:
    """Status, content type and content; the path goes over the wire as it stands."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=SECONDS)
    try:
        connection.request(method, f"/{path}", body, {"Content-Type": content_type} if content_type else {})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()


def request_for(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """An OCSP request."""
    return (
        ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1()).build().public_bytes(Encoding.DER)
    )


def by_post(pki: RevocationPki, certificate: x509.Certificate) -> Answer:
    """What the issuing authority's responder says to a POST."""
    request = request_for(certificate, pki.issuing.authority.certificate)
    return ask(pki.ocsp.url, "POST", request, "application/ocsp-request")


def status(answer: Answer) -> str:
    """The certificate's status in an answer by OCSP."""
    return ocsp.load_der_ocsp_response(answer[2]).certificate_status.name.lower()


def listed(pki: RevocationPki) -> set[int]:
    """The serial numbers on the issuing authority's list, as it is served."""
    return {entry.serial_number for entry in x509.load_der_x509_crl(ask(pki.crl.url)[2])}


# --- HTTP


def test_list_is_served_as_der_with_its_content_type(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation()
    code, kind, body = ask(pki.crl.url)

    assert (code, kind) == (200, "application/pkix-crl")
    assert x509.load_der_x509_crl(body).issuer == pki.root.subject


def test_post_and_both_spellings_of_get_are_the_same_question(mtls_revocation: NewPki) -> None:
    """RFC 6960 A.1: base64, URL-encoded; many clients leave its slashes as they are."""
    pki = mtls_revocation(depth=2)
    leaf = pki.issue().leaf
    text = base64.b64encode(request_for(leaf, pki.issuing.authority.certificate)).decode()
    answers = [
        by_post(pki, leaf),
        ask(f"{pki.ocsp.url}/{quote(text, safe='')}"),
        ask(f"{pki.ocsp.url}/{quote(text, safe='/')}"),
    ]

    assert {(code, kind) for code, kind, _ in answers} == {(200, "application/ocsp-response")}
    assert {status(answer) for answer in answers} == {"good"}
    assert pki.ocsp.requests == 3


def test_base64_with_slashes_in_the_path_is_read(mtls_revocation: NewPki) -> None:
    """Octets of ones give slashes throughout, also two in a row."""
    pki = mtls_revocation()
    request = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"\xff" * 20, b"\xff" * 20, 5, hashes.SHA1()).build()
    text = base64.b64encode(request.public_bytes(Encoding.DER)).decode()

    assert "//" in text
    assert status(ask(f"{pki.ocsp.url}/{text}")) == "unknown"


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", "%ff%fe"])
def test_get_without_a_request_is_malformed(text: str, mtls_revocation: NewPki) -> None:
    code, _, body = ask(f"{mtls_revocation().ocsp.url}/{quote(text, safe='%')}")

    assert code == 200
    assert ocsp.load_der_ocsp_response(body).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_post_of_another_content_type_is_refused(mtls_revocation: NewPki) -> None:
    assert ask(mtls_revocation().ocsp.url, "POST", b"\0", "text/plain")[0] == 415


@pytest.mark.parametrize(
    ("path", "method", "code"),
    [
        ("0/crl", "POST", 405),
        ("0/ocsp", "GET", 405),
        ("0/other", "GET", 404),
        ("7/crl", "GET", 404),
        ("-1/crl", "GET", 404),
        ("", "GET", 404),
    ],
)
def test_other_paths_and_methods_are_refused(path: str, method: str, code: int, mtls_revocation: NewPki) -> None:
    url = mtls_revocation().crl.url.removesuffix("0/crl")

    assert ask(url + path, method)[0] == code


# --- certificates


def test_leaf_and_intermediates_name_their_issuers_points(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation(depth=3)
    for certificate, issuer in zip(pki.issue().certificates, reversed(pki.authorities), strict=True):
        (point,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        (access,) = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value

        assert [name.value for name in point.full_name or ()] == [issuer.crl.url]
        assert access.access_location.value == issuer.ocsp.url


def test_leaf_names_no_point_that_was_switched_off(mtls_revocation: NewPki) -> None:
    leaf = mtls_revocation().issue(crl=False, ocsp=False).leaf
    kinds = {type(extension.value) for extension in leaf.extensions}

    assert not kinds & {x509.CRLDistributionPoints, x509.AuthorityInformationAccess}


# --- revocation


def test_revoked_leaf_is_on_the_list_and_the_others_are_not(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation(depth=2)
    good, bad = pki.issue(), pki.issue()
    pki.revoke(bad)

    assert listed(pki) == {bad.leaf.serial_number}
    assert (status(by_post(pki, good.leaf)), status(by_post(pki, bad.leaf))) == ("good", "revoked")


def test_unpublished_revocation_is_known_to_the_responder_alone(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation()
    leaf = pki.issue().leaf
    pki.revoke(leaf, publish=False)

    assert listed(pki) == set()
    assert status(by_post(pki, leaf)) == "revoked"
    pki.publish()
    assert listed(pki) == {leaf.serial_number}


def test_each_list_has_the_next_number_and_what_the_former_had(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation()
    leaves = [pki.issue() for _ in range(3)]
    found = []
    for leaf in leaves:
        pki.revoke(leaf)
        crl = x509.load_der_x509_crl(ask(pki.crl.url)[2])
        found.append((crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number, len(crl)))

    assert found == [(2, 1), (3, 2), (4, 3)]


def test_intermediate_is_revoked_by_the_authority_above(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation(depth=3)
    pki.revoke(pki.authorities[1].authority.certificate)

    assert [len(authority.revoked) for authority in pki.authorities] == [1, 0, 0]
    assert [len(crl) for crl in lists(pki.crl_pem())] == [0, 0, 1]


def lists(pem: bytes) -> list[x509.CertificateRevocationList]:
    """The lists of a PEM file."""
    end = b"-----END X509 CRL-----\n"
    return [x509.load_pem_x509_crl(block + end) for block in pem.split(end)[:-1]]


def test_pem_has_every_authoritys_list_issuing_first(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation(depth=3)

    assert [crl.issuer for crl in lists(pki.crl_pem())] == [one.subject for one in pki.truststore]


def test_reason_is_told(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation()
    leaf = pki.issue().leaf
    pki.revoke(leaf, "keyCompromise")

    assert ocsp.load_der_ocsp_response(by_post(pki, leaf)[2]).revocation_reason is x509.ReasonFlags.key_compromise


def test_lists_are_dated_by_the_clock_that_was_given(mtls_revocation: NewPki) -> None:
    now = datetime(2031, 2, 3, tzinfo=UTC)
    pki = mtls_revocation(clock=lambda: now, lifetime=timedelta(days=2))
    crl = x509.load_der_x509_crl(ask(pki.crl.url)[2])

    assert crl.last_update_utc <= now
    assert crl.next_update_utc == crl.last_update_utc + timedelta(days=2)


# --- modes


def test_modes_of_authorities_are_their_own(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation(depth=2)
    pki.authorities[0].crl.mode = "malformed"
    pki.ocsp.mode = "tryLater"

    assert (pki.crl.mode, pki.authorities[0].ocsp.mode) == (CrlMode.FULL, OcspMode.NORMAL)
    assert listed(pki) == set()
    with pytest.raises(ValueError, match="pars"):
        x509.load_der_x509_crl(ask(pki.authorities[0].crl.url)[2])


def test_mode_changes_what_is_served_and_back(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation()
    full = ask(pki.crl.url)
    pki.crl.mode = CrlMode.STALE
    stale = ask(pki.crl.url)
    pki.crl.mode = "full"

    assert stale != full
    assert ask(pki.crl.url) == full


def test_requests_are_counted_by_authority_and_in_all(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation(depth=2)
    for authority, times in zip(pki.authorities, (1, 2), strict=True):
        for _ in range(times):
            ask(authority.crl.url)
    by_post(pki, pki.issue().leaf)

    assert [authority.crl.requests for authority in pki.authorities] == [1, 2]
    assert (pki.crl_requests, pki.ocsp_requests) == (3, 1)


@pytest.mark.parametrize("kind", ["crl", "ocsp"])
def test_silent_one_accepts_and_never_answers(kind: str, mtls_revocation: NewPki) -> None:
    """Only the end of the server ends the wait; others are answered meanwhile."""
    pki = mtls_revocation(depth=2)
    getattr(pki, kind).mode = "silent"
    seen: list[object] = []

    def wait() -> None:
        try:
            seen.append(ask(pki.crl.url) if kind == "crl" else by_post(pki, pki.root))
        except (http.client.HTTPException, OSError) as error:
            seen.append(type(error).__name__)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert poll_until(lambda: pki.crl_requests + pki.ocsp_requests == 1, SECONDS)
    other = ask(pki.authorities[0].crl.url)
    before = list(seen)
    pki.stop()
    waiting.join(SECONDS)

    assert (other[0], before, len(seen)) == (200, [], 1)
    assert isinstance(seen[0], str), "an answer came"


def test_stopped_server_refuses_until_it_is_started_again(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation()
    for _ in range(2):
        pki.stop()
        with pytest.raises(ConnectionRefusedError):
            ask(pki.crl.url)
        pki.start()
        assert ask(pki.crl.url)[0] == 200


def test_nobody_listens_after_the_block() -> None:
    with RevocationPki() as pki:
        assert ask(pki.crl.url)[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(pki.crl.url)


def test_several_at_once_do_not_know_each_other(mtls_revocation: NewPki) -> None:
    one, other = mtls_revocation(), mtls_revocation()
    leaf = one.issue()
    one.revoke(leaf)

    assert (len(listed(one)), len(listed(other))) == (1, 0)
    with pytest.raises(UsageError, match="expected a certificate of this hierarchy"):
        other.revoke(leaf)


# --- mistakes


def test_unknown_mode_is_told_with_the_known_ones(mtls_revocation: NewPki) -> None:
    pki = mtls_revocation()
    with pytest.raises(UsageError, match=r"CRL mode \(stales\): expected one of full, stale, .* Did you mean stale\?"):
        pki.crl.mode = "stales"
    with pytest.raises(UsageError, match=r"OCSP mode \(trylater\): .* Did you mean tryLater\?"):
        pki.ocsp.mode = "trylater"

    assert (pki.crl.mode, pki.ocsp.mode) == ("full", "normal")


@pytest.mark.parametrize("reason", ["stolen", "removeFromCRL"])
def test_unknown_reason_is_told(reason: str, mtls_revocation: NewPki) -> None:
    pki = mtls_revocation()
    with pytest.raises(UsageError, match=rf"reason \({reason}\): expected one of .*keyCompromise"):
        pki.revoke(pki.issue(), reason)

    assert pki.issuing.revoked == ()


def test_list_of_a_silent_point_cannot_be_had(mtls_revocation: NewPki) -> None:
    with pytest.raises(UsageError, match="silent"):
        mtls_revocation().crl_pem("silent")


def test_certificate_of_the_same_name_but_another_key_is_not_revoked(mtls_revocation: NewPki) -> None:
    with pytest.raises(UsageError, match="expected a certificate of this hierarchy"):
        mtls_revocation().revoke(new_hierarchy().issue())


@pytest.mark.parametrize("depth", [0, 5])
def test_impossible_depth_is_told(depth: int, mtls_revocation: NewPki) -> None:
    with pytest.raises(UsageError, match="expected 1 to 4 CA certificates"):
        mtls_revocation(depth=depth)
