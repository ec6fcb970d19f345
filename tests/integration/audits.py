"""What the tests of the audit share: the report's schema, runs on the mock, and an AWS configuration from nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from pytest_mtls import MockGateway
from pytest_mtls.harness.cli import main

__all__ = ["BACKEND", "SCHEMA", "VALIDATOR", "Audit", "Auditing", "auditing", "configure_aws", "fail"]

SCHEMA = json.loads(files("pytest_mtls.harness.audit").joinpath("audit.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
BACKEND = "https://backend.test/"


def configure_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and region for the length of a test, and none of the machine's; each call is made once."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    given = {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@dataclass(frozen=True)
class Audit:
    """What came of one."""

    code: int
    report: dict[str, Any]

    def of(self, check: str) -> dict[str, str]:
        """The outcomes of a check by the path of the resource."""
        found = [one for one in self.report["outcomes"] if one["id"] == f"audit/{check}"]
        return {one["resource"].partition("::/")[2] or one["resource"]: one["outcome"] for one in found}

    def reason(self, check: str) -> str:
        """The reason of the check's only outcome."""
        (reason,) = {one["reason"] for one in self.report["outcomes"] if one["id"] == f"audit/{check}"}
        return str(reason)

    def ids(self, *outcomes: str) -> set[str]:
        """The checks, without ``audit/``, with one of these outcomes."""
        return {one["id"].partition("/")[2] for one in self.report["outcomes"] if one["outcome"] in outcomes}


Auditing = Callable[..., Audit]


def auditing(gateway: MockGateway, path: Path) -> Auditing:
    """Runs the command on *gateway*, with its report at *path*, which is held against the schema."""

    def carry_out(*options: str) -> Audit:
        code = main(["audit", "--endpoint-url", gateway.endpoint, "--json", str(path), *options])
        report = json.loads(path.read_text("utf-8"))
        VALIDATOR.validate(report)
        return Audit(code, report)

    return carry_out


def fail(gateway: MockGateway, operation: str, status: int, code: str) -> None:
    """Let *operation* fail from now on."""
    fault = {"operation": operation, "status": status, "code": code, "times": 1000}
    httpx.put(f"{gateway.endpoint}/_mtls/faults", json={"errors": [fault]}, trust_env=False).raise_for_status()
