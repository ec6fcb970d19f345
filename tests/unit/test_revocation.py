"""CRLs and OCSP answers as octets: what they say, and in which one thing each wrong one is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from hypothesis import given
from hypothesis import strategies as st

from pytest_mtls.harness.pki.authority import Authority, Hierarchy, new_hierarchy
from pytest_mtls.harness.pki.issue import revocation_extensions
from pytest_mtls.harness.pki.names import issued_by
from pytest_mtls.harness.pki.ocsp import OcspMode, ocsp_answer
from pytest_mtls.harness.pki.revocation import CrlMode, Revoked, armour, crl_of, make_crl

NOW = datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC)
WEEK = timedelta(days=7)
SERIAL = 0x1234
ENTRY = Revoked(SERIAL, NOW - timedelta(days=1), x509.ReasonFlags.key_compromise)
FUZZED = new_hierarchy().issuing
CRL_URL, OCSP_URL = "http://crl.example/1.crl", "http://ocsp.example/"


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Whoever takes back."""
    return new_hierarchy().issuing


def crl(authority: Authority, mode: CrlMode = CrlMode.FULL, number: int = 1) -> x509.CertificateRevocationList:
    """The authority's list with one entry."""
    return x509.load_der_x509_crl(make_crl(authority, [ENTRY], now=NOW, mode=mode, number=number, lifetime=WEEK))


def is_signed(found: x509.CertificateRevocationList, authority: Authority) -> bool:
    """Whether the authority signed the list."""
    return found.is_signature_valid(authority.key.public_key())


# --- lists


def test_full_list_names_who_when_and_why_and_its_own_number_and_dates(authority: Authority) -> None:
    found = crl(authority, number=7)
    entry = found.get_revoked_certificate_by_serial_number(SERIAL)

    assert entry is not None
    assert entry.revocation_date_utc == ENTRY.moment
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 7
    assert found.next_update_utc == found.last_update_utc + WEEK
    assert found.last_update_utc < NOW
    assert found.issuer == authority.certificate.subject and is_signed(found, authority)


def test_stale_list_differs_in_its_dates_alone(authority: Authority) -> None:
    found = crl(authority, CrlMode.STALE)

    assert found.next_update_utc is not None and found.next_update_utc < NOW
    assert found.issuer == authority.certificate.subject and is_signed(found, authority)
    assert found.get_revoked_certificate_by_serial_number(SERIAL) is not None


def test_list_of_a_wrong_issuer_has_the_same_serials_under_another_name(authority: Authority) -> None:
    found = crl(authority, CrlMode.WRONG_ISSUER)

    assert found.issuer != authority.certificate.subject and not is_signed(found, authority)
    assert found.get_revoked_certificate_by_serial_number(SERIAL) is not None


def test_wrongly_signed_list_bears_the_authoritys_name_and_hides_what_is_revoked(authority: Authority) -> None:
    found = crl(authority, CrlMode.WRONGLY_SIGNED)

    assert found.issuer == authority.certificate.subject and not is_signed(found, authority)
    assert len(found) == 0


def test_malformed_list_cannot_be_parsed(authority: Authority) -> None:
    with pytest.raises(ValueError, match="pars"):
        crl(authority, CrlMode.MALFORMED)


def test_silence_is_no_list(authority: Authority) -> None:
    with pytest.raises(ValueError, match="silent"):
        crl(authority, CrlMode.SILENT)


def test_armour_is_the_pem_that_cryptography_reads_and_writes(authority: Authority) -> None:
    found = crl(authority)

    assert armour(found.public_bytes(Encoding.DER)) == found.public_bytes(Encoding.PEM)


def test_list_of_serials_is_as_old_as_the_revocations_in_it(authority: Authority) -> None:
    found = x509.load_pem_x509_crl(crl_of(authority, [1, 2], clock=lambda: NOW))

    assert {entry.revocation_date_utc for entry in found} == {found.last_update_utc}


# --- certificates that say where to ask


def test_leaf_names_the_urls_that_were_asked_for() -> None:
    hierarchy = new_hierarchy(2)
    leaf = hierarchy.issue(crl_distribution_points=(CRL_URL,), authority_information_access=(OCSP_URL,)).leaf
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess)

    assert [name.value for point in points.value for name in point.full_name or ()] == [CRL_URL]
    assert [(one.access_method, one.access_location.value) for one in access.value] == [
        (AuthorityInformationAccessOID.OCSP, OCSP_URL)
    ]
    assert not points.critical and not access.critical
    assert issued_by(leaf, hierarchy.issuing.certificate)


def test_leaf_without_urls_has_neither_extension() -> None:
    kinds = {type(extension.value) for extension in new_hierarchy().issue().leaf.extensions}

    assert not kinds & {x509.CRLDistributionPoints, x509.AuthorityInformationAccess}


@pytest.fixture(scope="module")
def published() -> Hierarchy:
    """A hierarchy whose authorities name where the one above publishes."""
    return new_hierarchy(4, extensions=lambda number: revocation_extensions((f"http://crl.example/{number}",)))


def test_each_intermediate_names_the_list_of_the_authority_above_it(published: Hierarchy) -> None:
    found = [
        one.extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name
        for one in published.certificates[1:]
    ]

    assert [names[0].value for names in found if names] == [f"http://crl.example/{number}" for number in range(3)]
    assert not [one for one in published.root.extensions if isinstance(one.value, x509.CRLDistributionPoints)]


def test_hierarchy_that_says_where_it_publishes_still_holds_together(published: Hierarchy) -> None:
    chain = published.issue().certificates

    assert all(issued_by(below, above) for below, above in zip(chain, (*chain[1:], published.root), strict=True))


# --- OCSP


def request_for(authority: Authority, *, algorithm: hashes.HashAlgorithm, nonce: bytes | None = None) -> bytes:
    """A request for the serial number under that authority."""
    own = ocsp.OCSPRequestBuilder().add_certificate(authority.certificate, authority.certificate, algorithm).build()
    name = hashes.Hash(algorithm)
    name.update(authority.certificate.subject.public_bytes())
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name.finalize(), own.issuer_key_hash, SERIAL, algorithm)
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def answer(authority: Authority, mode: OcspMode, *, revoked: bool = False, request: bytes = b"") -> ocsp.OCSPResponse:
    """What is said of the serial number."""
    asked = request or request_for(authority, algorithm=hashes.SHA1())
    octets = ocsp_answer(authority, asked, {SERIAL: ENTRY} if revoked else {}, now=NOW, mode=mode)
    assert octets is not None
    return ocsp.load_der_ocsp_response(octets)


TRUTH = (OcspMode.NORMAL, OcspMode.STALE, OcspMode.DELEGATED)
CLAIMS = {
    OcspMode.GOOD: ocsp.OCSPCertStatus.GOOD,
    OcspMode.REVOKED: ocsp.OCSPCertStatus.REVOKED,
    OcspMode.UNKNOWN: ocsp.OCSPCertStatus.UNKNOWN,
    OcspMode.FOREIGN_SIGNED: ocsp.OCSPCertStatus.GOOD,
    OcspMode.UNDELEGATED: ocsp.OCSPCertStatus.GOOD,
    OcspMode.OTHER_CERTIFICATE: ocsp.OCSPCertStatus.GOOD,
}


@pytest.mark.parametrize("mode", TRUTH)
def test_mode_that_tells_the_truth_tells_it(mode: OcspMode, authority: Authority) -> None:
    good, taken_back = answer(authority, mode), answer(authority, mode, revoked=True)

    assert good.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert taken_back.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert taken_back.revocation_time_utc == ENTRY.moment
    assert taken_back.revocation_reason is x509.ReasonFlags.key_compromise


@pytest.mark.parametrize(("mode", "status"), CLAIMS.items())
@pytest.mark.parametrize("revoked", [False, True])
def test_mode_that_claims_something_claims_it_of_everybody(
    mode: OcspMode, status: ocsp.OCSPCertStatus, revoked: bool, authority: Authority
) -> None:
    assert answer(authority, mode, revoked=revoked).certificate_status is status


@pytest.mark.parametrize("mode", [*TRUTH, *CLAIMS])
def test_only_the_stale_answer_has_expired(mode: OcspMode, authority: Authority) -> None:
    found = answer(authority, mode)

    assert found.next_update_utc is not None
    assert found.this_update_utc < NOW
    assert (found.next_update_utc < NOW) == (mode is OcspMode.STALE)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384()], ids=lambda one: one.name)
def test_answer_names_the_certificate_as_the_request_did(algorithm: hashes.HashAlgorithm, authority: Authority) -> None:
    request = request_for(authority, algorithm=algorithm)
    asked, found = ocsp.load_der_ocsp_request(request), answer(authority, OcspMode.NORMAL, request=request)

    assert (found.serial_number, found.issuer_name_hash, found.issuer_key_hash) == (
        asked.serial_number,
        asked.issuer_name_hash,
        asked.issuer_key_hash,
    )
    assert found.certificate_status is ocsp.OCSPCertStatus.GOOD


def test_only_the_other_certificates_answer_is_about_another_serial(authority: Authority) -> None:
    numbers = {mode: answer(authority, mode).serial_number for mode in (*TRUTH, *CLAIMS)}

    assert {mode for mode, number in numbers.items() if number != SERIAL} == {OcspMode.OTHER_CERTIFICATE}


def test_certificate_of_another_authority_is_unknown(authority: Authority) -> None:
    request = request_for(new_hierarchy().issuing, algorithm=hashes.SHA1())

    assert answer(authority, OcspMode.NORMAL, revoked=True, request=request).certificate_status is (
        ocsp.OCSPCertStatus.UNKNOWN
    )


def test_nonce_is_given_back(authority: Authority) -> None:
    request = request_for(authority, algorithm=hashes.SHA256(), nonce=b"0123456789abcdef")
    found = answer(authority, OcspMode.NORMAL, request=request)

    assert found.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"0123456789abcdef"


@pytest.mark.parametrize(
    ("mode", "word"), [(OcspMode.TRY_LATER, "TRY_LATER"), (OcspMode.INTERNAL_ERROR, "INTERNAL_ERROR")]
)
def test_error_has_no_status(mode: OcspMode, word: str, authority: Authority) -> None:
    assert answer(authority, mode).response_status.name == word


def test_silent_responder_says_nothing(authority: Authority) -> None:
    assert ocsp_answer(authority, b"", {}, now=NOW, mode=OcspMode.SILENT) is None


@given(st.binary(max_size=200))
def test_what_is_no_request_is_called_malformed(octets: bytes) -> None:
    found = answer(FUZZED, OcspMode.NORMAL, request=octets or b"\0")

    assert found.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_damaged_request_gets_an_answer(place: int, change: int) -> None:
    octets = bytearray(request_for(FUZZED, algorithm=hashes.SHA1(), nonce=b"12345678"))
    octets[place % len(octets)] ^= change

    assert isinstance(answer(FUZZED, OcspMode.NORMAL, request=bytes(octets)), ocsp.OCSPResponse)
