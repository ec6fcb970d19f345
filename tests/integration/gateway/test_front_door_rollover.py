"""Truststores with a CA's rollover certificate: the new key, signed by the former one under one name (RFC 4210 4.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.gateway.facade import Api, MockGateway
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.issue import CA_EXTENSIONS, Extensions, issue, self_signed
from pytest_mtls.harness.pki.keys import PrivateKey, new_ec_key

from .front_door_support import visit
from .running import Backend

NAME = "api.example.com"
ROOT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
CLIENT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
LIFE = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)

pytestmark = pytest.mark.timeout(60)


@dataclass(frozen=True)
class Rollover:
    """A root's two keys; ``identified`` certificates have key identifiers."""

    identified: bool
    old_key: PrivateKey = field(default_factory=new_ec_key)
    new_key: PrivateKey = field(default_factory=new_ec_key)

    @property
    def old(self) -> x509.Certificate:
        """The former root."""
        return self_signed(ROOT, self.old_key, *LIFE, extensions=self._authority(self.old_key, self.old_key))

    @property
    def new_with_old(self) -> x509.Certificate:
        """The new key, signed by the former one."""
        extensions = self._authority(self.new_key, self.old_key)
        return issue(ROOT, self.new_key, *LIFE, issuer=ROOT, issuer_key=self.old_key, extensions=extensions)

    def client(self) -> Credential:
        """Issued by the new key."""
        key = new_ec_key()
        extensions = self._issued_by(self.new_key)
        leaf = issue(CLIENT, key, *LIFE, issuer=ROOT, issuer_key=self.new_key, extensions=extensions)
        return Credential(leaf, key)

    def _authority(self, own: PrivateKey, issuer: PrivateKey) -> Extensions:
        subject = (x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
        return (*CA_EXTENSIONS, *((subject,) if self.identified else ()), *self._issued_by(issuer))

    def _issued_by(self, issuer: PrivateKey) -> Extensions:
        found = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
        return ((found, False),) if self.identified else ()


@pytest.fixture
def api(mtls_gateway: MockGateway, behind: Backend) -> Api:
    """An API that answers 200; domains are AVAILABLE at once."""
    mtls_gateway.set(domain_update_ms=0)
    return mtls_gateway.proxy_api(behind.url)


def test_path_goes_through_the_rollover_certificate_to_the_former_root(mtls_gateway: MockGateway, api: Api) -> None:
    """It is no root for its name alone."""
    rollover = Rollover(identified=True)
    mtls_gateway.domain(NAME, truststore=[rollover.new_with_old, rollover.old], api=api)

    assert visit(mtls_gateway, NAME, rollover.client()).status == 200
    assert mtls_gateway.log.front_door()[0]["outcome"] == "accepted"


@pytest.mark.parametrize("identified", [True, False])
def test_rollover_certificate_alone_lacks_its_root(mtls_gateway: MockGateway, api: Api, identified: bool) -> None:
    """As when only the root is missing."""
    rollover = Rollover(identified)
    mtls_gateway.domain(NAME, truststore=[rollover.new_with_old], api=api)

    assert visit(mtls_gateway, NAME, rollover.client()).status == 403
    assert mtls_gateway.log.front_door()[0]["reason"] == "Could not find issuer for certificate"
