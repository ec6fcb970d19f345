"""Fresh instances of the samples."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pytest_mtls import RevocationPki

from .authorizers import SAMPLES, Authorizer, Clock, Load

IMPATIENT = 0.3
"""Seconds that a silent responder is waited for; the sample's own are more, for networks."""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """``load("crl_authorizer", authorities, clock=None, OCSP_SOFT_FAIL="true")``: a fresh instance."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def fresh(name: str, trusted: RevocationPki, *, clock: Clock | None = None, **environment: str) -> Authorizer:
        monkeypatch.setenv("TRUSTSTORE", str(trusted.truststore.write(tmp_path / "truststore.pem")))
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        found = importlib.util.spec_from_file_location(f"sample_{name}", SAMPLES / f"{name}.py")
        assert found is not None and found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        monkeypatch.setattr("authorizer_common.SECONDS", IMPATIENT)
        if clock is not None:
            module.CHECK.clock = clock
        return Authorizer(module)

    return fresh
