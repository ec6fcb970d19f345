"""What the tests of the audit share: the report's schema, and an AWS configuration from nowhere else."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

__all__ = ["BACKEND", "SCHEMA", "VALIDATOR", "configure_aws"]

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
