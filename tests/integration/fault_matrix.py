"""Which fault fails which scenario, and the page that shows it: ``python -m tests.integration.fault_matrix > docs/faults.md``."""

from __future__ import annotations

from pytest_mtls.harness.backend.faults import FAULTS
from pytest_mtls.harness.scenario import catalogue

# G: fails in profile gateway, P: in private-ca. A scenario that is not named does not fail.
EXPECTED = {
    "accept-any": {
        "chain/tampered": "G",
        "reload/broken-bundle-fails-closed": "GP",
        "reload/replacement-takes-effect": "GP",
        "reload/unchanged-truststore": "GP",
        "resumption/after-removal": "GP",
        "resumption/from-rejected-session": "GP",
        "rotation/drill": "G",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "trust/bundle-every-authority": "P",
        "trust/copied-serial-and-dates": "G",
        "trust/other-customer-same-name": "G",
        "trust/pinned-certificate-in-chain": "GP",
        "trust/self-signed-stranger": "GP",
        "trust/unknown-authority": "P",
        "vhost/no-server-name": "GP",
    },
    "any-in-chain": {
        "trust/pinned-certificate-in-chain": "GP",
    },
    "broken-reload-open": {
        "reload/broken-bundle-fails-closed": "GP",
    },
    "caches-verdict": {
        "reload/replacement-takes-effect": "GP",
        "resumption/after-removal": "GP",
        "rotation/drill": "G",
        "rotation/old-removed": "G",
        "validity/expires-while-running": "GP",
    },
    "depth-limit-1": {
        "chain/depth-2": "P",
        "chain/depth-3": "P",
        "chain/depth-4": "P",
    },
    "depth-limit-2": {
        "chain/depth-3": "P",
        "chain/depth-4": "P",
    },
    "depth-limit-3": {
        "chain/depth-4": "P",
    },
    "dn-only": {
        "chain/tampered": "G",
        "reload/replacement-takes-effect": "G",
        "resumption/after-removal": "G",
        "resumption/from-rejected-session": "G",
        "rotation/drill": "G",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "trust/copied-serial-and-dates": "G",
        "trust/other-customer-same-name": "G",
    },
    "empty-truststore-open": {
        "reload/broken-bundle-fails-closed": "GP",
        "trust/empty-truststore": "GP",
    },
    "expired-hides-namesakes": {
        "rotation/expired-old-beside-new": "G",
    },
    "first-anchor-only": {
        "trust/bundle-every-authority": "P",
        "trust/bundle-with-intermediates": "P",
    },
    "first-same-name-only": {
        "rotation/both-new-first": "G",
        "rotation/both-old-first": "G",
        "rotation/drill": "G",
        "rotation/switch": "G",
    },
    "foreign-authorities": {
        "reload/replacement-takes-effect": "P",
        "resumption/after-removal": "P",
        "trust/bundle-every-authority": "P",
        "trust/self-signed-stranger": "GP",
        "trust/unknown-authority": "P",
    },
    "issuer-name-only": {
        "chain/tampered": "GP",
        "reload/replacement-takes-effect": "G",
        "resumption/after-removal": "G",
        "resumption/from-rejected-session": "G",
        "rotation/drill": "G",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "trust/authority-same-name": "P",
        "trust/copied-serial-and-dates": "G",
        "trust/other-customer-same-name": "G",
    },
    "leaf-dates-only": {
        "chain/expired-intermediate": "P",
    },
    "locks-to-first-seen": {
        "reload/replacement-takes-effect": "G",
        "rotation/both-new-first": "G",
        "rotation/both-old-first": "G",
        "rotation/drill": "G",
        "rotation/old-removed": "G",
        "rotation/switch": "G",
    },
    "missing-truststore-open": {
        "trust/missing-truststore": "GP",
    },
    "near-expiry-gateway": {
        "readiness/gateway-certificate-expiry": "GP",
    },
    "no-ca-flag-check": {
        "chain/leaf-as-issuer": "P",
    },
    "no-expiry-check": {
        "chain/expired-intermediate": "P",
        "rotation/expired-old-beside-new": "G",
        "validity/expired": "GP",
        "validity/expires-while-running": "GP",
    },
    "no-path-length-check": {
        "chain/path-length": "P",
    },
    "no-purpose-check": {
        "purpose/no-client-usage": "P",
    },
    "no-request": {
        "chain/expired-intermediate": "P",
        "chain/leaf-as-issuer": "P",
        "chain/path-length": "P",
        "chain/tampered": "GP",
        "forwarded-header/forged-on-direct-connection": "GP",
        "possession/copied-certificate": "GP",
        "presence/certificate-requested": "GP",
        "presence/no-certificate": "GP",
        "purpose/no-client-usage": "P",
        "reload/broken-bundle-fails-closed": "GP",
        "reload/replacement-takes-effect": "GP",
        "reload/unchanged-truststore": "GP",
        "resumption/after-removal": "GP",
        "resumption/from-rejected-session": "GP",
        "rotation/deleted": "G",
        "rotation/expired-old-beside-new": "G",
        "rotation/drill": "G",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "trust/authority-same-name": "P",
        "trust/bundle-every-authority": "P",
        "trust/copied-serial-and-dates": "G",
        "trust/other-customer-same-name": "G",
        "trust/pinned-certificate-in-chain": "GP",
        "trust/self-signed-stranger": "GP",
        "trust/unknown-authority": "P",
        "validity/expired": "GP",
        "validity/not-yet-valid": "GP",
        "vhost/no-server-name": "GP",
    },
    "no-session-context": {
        "resumption/gateway-resumes": "GP",
        "rotation/drill": "G",
    },
    "no-signature-check": {
        "chain/tampered": "GP",
        "trust/authority-same-name": "P",
    },
    "no-start-check": {
        "validity/not-yet-valid": "GP",
    },
    "open-without-server-name": {
        "vhost/no-server-name": "GP",
    },
    "optional-unchecked": {
        "forwarded-header/forged-on-direct-connection": "GP",
        "presence/no-certificate": "GP",
        "reload/broken-bundle-fails-closed": "GP",
        "reload/unchanged-truststore": "GP",
        "resumption/from-rejected-session": "GP",
        "rotation/deleted": "G",
        "rotation/drill": "G",
        "vhost/no-server-name": "GP",
    },
    "pinned-only": {
        "chain/depth-1": "P",
        "chain/depth-2": "P",
        "chain/depth-3": "P",
        "chain/depth-4": "P",
        "reload/broken-bundle-fails-closed": "P",
        "reload/replacement-takes-effect": "P",
        "reload/unchanged-truststore": "P",
        "resumption/after-removal": "P",
        "trust/bundle-every-authority": "P",
        "trust/bundle-with-intermediates": "P",
    },
    "reload-adds-only": {
        "reload/replacement-takes-effect": "GP",
        "resumption/after-removal": "GP",
        "rotation/drill": "G",
        "rotation/old-removed": "G",
    },
    "reload-drops-client-auth": {
        "reload/broken-bundle-fails-closed": "GP",
        "reload/replacement-takes-effect": "GP",
        "reload/unchanged-truststore": "GP",
        "resumption/after-removal": "GP",
        "rotation/deleted": "G",
        "rotation/drill": "G",
        "rotation/old-removed": "G",
    },
    "reload-ignored": {
        "reload/replacement-takes-effect": "GP",
        "resumption/after-removal": "GP",
        "rotation/both-new-first": "G",
        "rotation/both-old-first": "G",
        "rotation/deleted": "G",
        "rotation/drill": "G",
        "rotation/old-removed": "G",
        "rotation/switch": "G",
    },
    "require-extensions": {
        "reload/broken-bundle-fails-closed": "G",
        "reload/replacement-takes-effect": "G",
        "reload/unchanged-truststore": "G",
        "resumption/after-removal": "G",
        "rotation/both-new-first": "G",
        "rotation/both-old-first": "G",
        "rotation/deleted": "G",
        "rotation/drill": "G",
        "rotation/new-not-yet-added": "G",
        "rotation/old-removed": "G",
        "rotation/switch": "G",
        "trust/gateway-certificate": "G",
    },
    "resumed-is-authenticated": {
        "resumption/after-removal": "GP",
        "resumption/from-rejected-session": "GP",
    },
    "resumes-expired": {
        "resumption/after-expiry": "GP",
    },
    "resumes-removed": {
        "resumption/after-removal": "GP",
    },
    "serial-and-name-only": {
        "chain/tampered": "G",
        "resumption/from-rejected-session": "G",
        "trust/copied-serial-and-dates": "G",
    },
    "server-expired": {
        "server-identity/currently-valid": "GP",
    },
    "server-leaf-only": {
        "server-identity/chain-sent": "GP",
    },
    "server-wide-wildcard": {
        "server-identity/wildcard-one-label": "GP",
    },
    "server-wrong-name": {
        "server-identity/name-matches": "GP",
        "server-identity/wildcard-one-label": "GP",
    },
    "tls13-only": {
        "server-identity/tls12-offered": "GP",
    },
    "trusts-header": {
        "forwarded-header/forged-on-direct-connection": "GP",
    },
    "trusts-header-of-strangers": {
        "forwarded-header/forged-on-direct-connection": "GP",
    },
    "watches-file": {},
}

LETTERS = {"gateway": "G", "private-ca": "P"}

_HEAD = """# Faults

The reference backend is correct in everything; each of these switches breaks it in one thing, on purpose, to prove that a
scenario can fail. A test runs the whole catalogue against every one of them, and fails when a scenario fails that is not
named here, or when one that is named here passes. `pytest-mtls backend --fault NAME` runs one for other purposes: to try a
scanner or a client, for instance.

This page is generated: `python -m tests.integration.fault_matrix > docs/faults.md`.

## What each fault does

| fault | what is wrong | who behaves so |
|---|---|---|
"""

_MATRIX = """
## Which scenarios find it

A scenario stands with the profiles in which the fault fails it (a SHOULD: warns).

| fault | scenarios |
|---|---|
"""

_BY_SCENARIO = """
## What can fail a scenario

| scenario | faults |
|---|---|
"""

_PROFILES = {"G": "gateway", "P": "private-ca", "GP": "gateway, private-ca"}


def page() -> str:
    """docs/faults.md."""
    lines = [_HEAD]
    lines += [f"| `{one.name}` | {one.wrong} | {one.like} |\n" for _, one in sorted(FAULTS.items())]
    lines.append(_MATRIX)
    for fault, row in EXPECTED.items():
        found = ", ".join(f"{scenario} ({_PROFILES[letters]})" for scenario, letters in row.items())
        lines.append(f"| `{fault}` | {found or 'changes what reload/needs-restart reports'} |\n")
    lines.append(_BY_SCENARIO)
    for scenario in catalogue():
        faults = ", ".join(f"`{fault}`" for fault, row in EXPECTED.items() if scenario in row)
        lines.append(f"| {scenario} | {faults or '`watches-file` (reported only)'} |\n")
    return "".join(lines)


if __name__ == "__main__":
    print(page(), end="")
