"""Faults: each is documented, changes one thing, and lets in whom a correct backend keeps out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from pytest_mtls.harness.backend.faults import FAULTS, Fault, behaviour_with
from pytest_mtls.harness.backend.faults.registry import fault as fault_decorator
from pytest_mtls.harness.backend.reference import Behaviour
from pytest_mtls.harness.errors import UsageError
from pytest_mtls.harness.pki.authority import Hierarchy, new_hierarchy, server_credential
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.defects import Sample, make_defect
from pytest_mtls.harness.pki.gateway_certificate import control_credential, gateway_credential
from pytest_mtls.harness.pki.keys import new_ec_key
from pytest_mtls.harness.pki.names import names_of
from pytest_mtls.harness.pki.truststore import Truststore
from pytest_mtls.harness.tls.observation import TlsVersion
from pytest_mtls.harness.tls.policy import Peer, VerifyError, refusal_during_handshake, refusal_of_request

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_CORRECT = Behaviour()
_each = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())


def _now() -> datetime:
    return _NOW


# --- the register


def test_there_are_faults() -> None:
    """Nothing below would be examined otherwise."""

    assert FAULTS


@_each
def test_a_fault_is_known_by_its_name(fault: Fault) -> None:
    """A kebab name, the one that --fault takes."""

    assert FAULTS[fault.name] is fault
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fault.name)


@_each
def test_a_fault_says_what_is_wrong(fault: Fault) -> None:
    """In one line without a full stop, for lists."""

    assert re.fullmatch(r"[A-Z][^\n]{10,110}[^\n.]", fault.wrong)


@_each
def test_a_fault_says_who_behaves_so(fault: Fault) -> None:
    """A server, a CVE or a setting: none of them is made up."""

    assert len(fault.like) > 5 and "\n" not in fault.like


def test_two_faults_of_one_name_are_refused_at_import() -> None:
    """The second would silently replace the first."""

    def dn_only(behaviour: Behaviour) -> Behaviour:
        """Another one."""
        return behaviour

    with pytest.raises(ValueError, match="duplicate fault: dn-only"):
        fault_decorator("nobody")(dn_only)


# --- behaviour


@_each
def test_a_fault_changes_one_thing(fault: Fault) -> None:
    """A fault that broke two things would prove less about the scenario that finds it."""

    broken = behaviour_with([fault.name])
    changed = {one.name for one in fields(Behaviour) if getattr(broken, one.name) != getattr(_CORRECT, one.name)}
    assert len(changed - {"alerts"}) == 1  # a refusal by alert would give the refused no session to misuse


def test_no_faults_make_no_difference() -> None:
    """The correct backend is the one without faults."""

    assert behaviour_with([]) == _CORRECT


def test_faults_can_be_combined() -> None:
    """Each changes the behaviour that the one before left."""

    both = behaviour_with(["missing-truststore-open", "tls13-only", "empty-truststore-open"])
    assert (both.open_when, both.tls) == (frozenset({"missing", "empty"}), (TlsVersion.TLS13,))


def test_a_given_behaviour_is_kept_otherwise() -> None:
    """The clock of a test survives the fault."""

    assert behaviour_with(["no-request"], replace(_CORRECT, clock=_now)).clock is _now


@pytest.mark.parametrize(("name", "hint"), [("dn-olny", r" Did you mean dn-only\?"), ("42", "")])
def test_an_unknown_fault_is_told(name: str, hint: str) -> None:
    """The message lists the known ones in order, and offers the one that may have been meant."""

    known = re.escape(", ".join(sorted(FAULTS)))
    message = rf"^--fault \({name}\): expected one of {known}\.{hint} See 'pytest-mtls backend --list-faults'\.$"
    with pytest.raises(UsageError, match=message):
        behaviour_with([name])


# --- faults of the policy


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who may come to a backend that trusts ``good``."""

    good: Credential
    stranger: Credential
    other_customer: Credential
    copy: Credential
    tampered: Credential

    def peer(self, who: Credential | None, *codes: int, **headers: str) -> Peer:
        """*who* as a backend sees it, with the errors that OpenSSL told of its leaf."""
        return Peer(
            certificate=None if who is None else who.leaf,
            chain=() if who is None else who.certificates,
            errors=tuple(VerifyError(0, code) for code in codes),
            trusted=(self.good.leaf,),
            now=_NOW,
            headers=headers,
        )


@pytest.fixture(scope="module")
def people() -> People:
    """Gateway certificates with EC keys: the faults do not look at the kind of key."""
    good = gateway_credential(not_before=_NOW - timedelta(days=1), key=new_ec_key())
    sample = Sample(good, None, _now)
    return People(
        good=good,
        stranger=make_defect("stranger", sample),
        other_customer=gateway_credential(clock=_now, key=new_ec_key()),
        copy=make_defect("copied-serial-and-dates", sample),
        tampered=make_defect("tampered-signature", sample),
    )


def _with_pinned_chain(people: People) -> Peer:
    return people.peer(replace(people.stranger, chain=people.good.certificates), 18)


def _ended(people: People) -> Peer:
    return replace(people.peer(people.good), now=_NOW + timedelta(days=400))


def _early(people: People) -> Peer:
    return replace(people.peer(people.good), now=_NOW - timedelta(days=2))


Visit = Callable[[People], Peer]

_LET_IN: dict[str, tuple[str, Visit]] = {
    "nobody": ("optional-unchecked", lambda people: people.peer(None)),
    "nobody with a header": ("trusts-header", lambda people: people.peer(None, **{"X-Client-Cert": "x"})),
    "stranger": ("accept-any", lambda people: people.peer(people.stranger, 18)),
    "other customer": ("dn-only", lambda people: people.peer(people.other_customer, 18)),
    "copy": ("serial-and-name-only", lambda people: people.peer(people.copy, 18)),
    "pinned certificate in chain": ("any-in-chain", _with_pinned_chain),
    "tampered, not found": ("no-signature-check", lambda people: people.peer(people.tampered, 18)),
    "tampered, bad signature": ("no-signature-check", lambda people: people.peer(people.tampered, 7)),
    "tampered, bad signature under no CA": ("no-signature-check", lambda people: people.peer(people.tampered, 79, 7)),
    "expired": ("no-expiry-check", lambda people: people.peer(people.good, 10)),
    "ended since": ("no-expiry-check", _ended),
    "not yet valid": ("no-start-check", lambda people: people.peer(people.good, 9)),
    "not begun yet": ("no-start-check", _early),
}


@pytest.mark.parametrize(("name", "visit"), _LET_IN.values(), ids=_LET_IN.keys())
def test_a_fault_lets_in_whom_a_correct_policy_refuses(people: People, name: str, visit: Visit) -> None:
    """The fault is there, and it is the fault that does it."""

    peer = visit(people)
    correct, broken = _CORRECT.policy, behaviour_with([name]).policy
    assert refusal_of_request(correct, peer) is not None
    assert refusal_of_request(broken, peer) is None


_STILL_OUT: dict[str, tuple[str, Visit]] = {
    "stranger": ("optional-unchecked", lambda people: people.peer(people.stranger, 18)),
    "nobody without the header": ("trusts-header", lambda people: people.peer(None, Accept="*/*")),
    "stranger with a header": ("trusts-header", lambda people: people.peer(people.stranger, 18, Cert="x")),
    "nobody": ("accept-any", lambda people: people.peer(None)),
    "expired stranger": ("accept-any", lambda people: people.peer(people.stranger, 18, 10)),
    "another name": ("dn-only", lambda people: people.peer(people.stranger, 18)),
    "same name, another serial": ("serial-and-name-only", lambda people: people.peer(people.other_customer, 18)),
    "stranger alone": ("any-in-chain", lambda people: people.peer(people.stranger, 18)),
    "another key": ("no-signature-check", lambda people: people.peer(people.copy, 18)),
    "not yet valid": ("no-expiry-check", lambda people: people.peer(people.good, 9)),
    "expired": ("no-start-check", lambda people: people.peer(people.good, 10)),
    "no extension": ("require-extensions", lambda people: people.peer(people.stranger, 18)),
}


@pytest.mark.parametrize(
    ("name", "visit"), _STILL_OUT.values(), ids=[f"{one[0]}-{key}" for key, one in _STILL_OUT.items()]
)
def test_a_fault_lets_in_nobody_else(people: People, name: str, visit: Visit) -> None:
    """The rest of the policy is as it was."""

    assert refusal_of_request(behaviour_with([name]).policy, visit(people)) is not None


@_each
def test_the_good_credential_enters_all_the_same(people: People, fault: Fault) -> None:
    """Only the fault that wants extensions keeps a gateway certificate out."""

    refused = refusal_of_request(behaviour_with([fault.name]).policy, people.peer(people.good))
    assert (refused is not None) == (fault.name == "require-extensions")


def test_who_says_that_it_is_a_client_passes_for_the_fault_that_wants_it(people: People) -> None:
    """The control certificate has the extensions."""

    policy = behaviour_with(["require-extensions"]).policy
    assert refusal_of_request(policy, people.peer(control_credential(clock=_now))) is None


@pytest.mark.parametrize(
    "name", ["accept-any", "dn-only", "serial-and-name-only", "any-in-chain", "no-signature-check"]
)
def test_a_fault_of_the_path_lets_the_handshake_end(name: str) -> None:
    """It judges whole peers, so it cannot refuse at the first error; a correct policy does."""

    error = VerifyError(0, 18)
    assert refusal_during_handshake(_CORRECT.policy, error) is not None
    assert refusal_during_handshake(behaviour_with([name]).policy, error) is None


# --- the other faults


@pytest.mark.parametrize("server_name", [None, "localhost"])
def test_a_correct_backend_asks_everybody(server_name: str | None) -> None:
    """The twin of the next two."""

    assert _CORRECT.ask(server_name)


@pytest.mark.parametrize("server_name", [None, "localhost"])
def test_no_request_asks_nobody(server_name: str | None) -> None:
    """With or without a server name."""

    assert not behaviour_with(["no-request"]).ask(server_name)


def test_open_without_server_name_asks_the_others() -> None:
    """Only who sends no name is not asked."""

    ask = behaviour_with(["open-without-server-name"]).ask
    assert (ask(None), ask("localhost")) == (False, True)


@pytest.fixture(scope="module")
def bundles(people: People) -> tuple[Truststore, Truststore]:
    """Before and after a rotation, with one certificate in common."""
    control = control_credential(clock=_now).leaf
    return Truststore.of([people.good.leaf, control]), Truststore.of([people.other_customer.leaf, control])


def test_a_correct_reload_replaces(bundles: tuple[Truststore, Truststore]) -> None:
    """The twin of the next two."""

    old, new = bundles
    assert _CORRECT.reload(old, new) == new


def test_reload_adds_only_never_removes(bundles: tuple[Truststore, Truststore]) -> None:
    """Old before new, each certificate once."""

    old, new = bundles
    expected: tuple[x509.Certificate, ...] = (*old.certificates, new.certificates[0])
    assert behaviour_with(["reload-adds-only"]).reload(old, new).certificates == expected


def test_reload_ignored_keeps_the_old(bundles: tuple[Truststore, Truststore]) -> None:
    """Nothing that was added counts, nothing that was removed is gone."""

    old, new = bundles
    assert behaviour_with(["reload-ignored"]).reload(old, new) == old


def test_first_same_name_only_is_openssls_default() -> None:
    """It leaves X509_V_FLAG_PARTIAL_CHAIN out."""

    assert (_CORRECT.partial_chain, behaviour_with(["first-same-name-only"]).partial_chain) == (True, False)


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    """What the server certificates lead to."""
    return new_hierarchy(2)


def served_with(fault: str, hierarchy: Hierarchy) -> Credential:
    """What a fault in the material makes of an ordinary server certificate."""
    alter = behaviour_with([fault]).alter_server
    assert alter is not None
    return alter(server_credential(hierarchy=hierarchy), hierarchy)


def test_server_wrong_name_is_made_out_to_another_host(hierarchy: Hierarchy) -> None:
    """And to no other."""

    assert names_of(served_with("server-wrong-name", hierarchy).leaf).dns == ("other.example",)


def test_server_wide_wildcard_stands_for_two_labels(hierarchy: Hierarchy) -> None:
    """It keeps the names that it is called by otherwise."""

    assert names_of(served_with("server-wide-wildcard", hierarchy).leaf).dns == ("localhost", "*.test")


def test_server_leaf_only_leaves_the_intermediate_out(hierarchy: Hierarchy) -> None:
    """The leaf is the one that was due."""

    assert served_with("server-leaf-only", hierarchy).chain == ()


def test_server_expired_ended_yesterday_and_keeps_its_names(hierarchy: Hierarchy) -> None:
    """So that nothing else is wrong with it."""

    server = served_with("server-expired", hierarchy)
    assert server.leaf.not_valid_after_utc < datetime.now(UTC)
    assert names_of(server.leaf) == names_of(server_credential().leaf)


def test_tls13_only_offers_nothing_older() -> None:
    """API Gateway then cannot connect at all."""

    assert behaviour_with(["tls13-only"]).tls == (TlsVersion.TLS13,)
