"""What openssl says of a kit's files, and what it is known to get wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pytest_mtls.harness.kit import Kit
from pytest_mtls.harness.kit_content import Case

__all__ = ["TRAPPED", "run", "verified", "verify"]

TRAPPED = {
    ("gateway/new.pem", "gateway/truststore-both-old-first.pem"),
    ("gateway/old.pem", "gateway/truststore-both-new-first.pem"),
}
"""What OpenSSL gets wrong: of two certificates of one name in a truststore it lets in the first alone."""


def run(*words: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """A program's exit code and output."""
    return subprocess.run([str(word) for word in words], input=stdin, capture_output=True, text=True, timeout=30)


def verify(kit: Kit, case: Case, *options: str) -> subprocess.CompletedProcess[str]:
    """What openssl says of the case's certificate as a client's, given its truststore, chain and CRL."""
    # level 2 is what Debian's OpenSSL asks of a handshake: no RSA key under 2048 bits, no SHA-1
    words: list[str | Path] = ["openssl", "verify", "-purpose", "sslclient", "-auth_level", "2", *options]
    words += ["-no-CApath", "-no-CAstore", "-CAfile", kit.folder / case.truststore]
    if case.chain is not None:
        words += ["-untrusted", kit.folder / case.chain]
    if case.crl is not None:
        words += ["-crl_check", "-CRLfile", kit.folder / case.crl]
    return run(*words, kit.folder / case.certificate)


def verified(kit: Kit, case: Case, *options: str) -> bool:
    """Whether openssl lets the case in."""
    return verify(kit, case, *options).returncode == 0
