"""What docs/gateway.md says can be typed and run as it stands there; the AWS CLI's part is in ``test_story``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from pytest_mtls import gateway_credential
from pytest_mtls.harness.gateway.settings import Settings

from ..checks import PROGRAM, PYTEST, clean_environment, finished

PAGE = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text("utf-8")


def block(heading: str, language: str) -> str:
    """The first block of code under a heading."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{language}\n(.*?)```", part, re.DOTALL)
    assert found is not None
    return found[1]


def shown(value: object) -> str:
    """A value as the table has it."""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_every_setting_is_in_the_table_with_its_default() -> None:
    """In the code's order."""
    rows = re.findall(r"^\| (`\w+`) \| (`\S+`) \|", PAGE, re.MULTILINE)

    assert rows == [(f"`{one.name}`", shown(one.default)) for one in fields(Settings)]


def test_line_on_stdout_has_the_members_that_the_page_shows(tmp_path: Path) -> None:
    """Started as the page says; SIGTERM ends it in order."""
    command = block("Start it", "sh").split()
    assert command[0] == "pytest-mtls"
    certificate, _ = gateway_credential().write(tmp_path, "server-ca")
    documented = json.loads(block("Start it", "json"))
    process = subprocess.Popen(
        [PROGRAM, *command[1:-1], str(certificate)], stdout=subprocess.PIPE, text=True, env=clean_environment()
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=20)

    assert list(ready) == list(documented)
    assert ready["execute_api"] == f"{ready['endpoint']}/_aws/execute-api/{{api_id}}/{{stage}}/"
    assert (process.returncode, rest) == (0, "")


def test_example_for_a_pytest_suite_passes(tmp_path: Path) -> None:
    """With the embedded backend as the one under test."""
    (tmp_path / "test_example.py").write_text(block("In a pytest suite", "python"), "utf-8")
    run = finished(tmp_path, *PYTEST, "-q", "-W", "error")

    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout


def test_example_for_a_custom_domain_passes(tmp_path: Path) -> None:
    """With httpx as the client under test."""
    client = """

def our_client(url, trust, credential):
    import httpx

    return httpx.get(url, verify=credential.ssl_context(trust=trust), trust_env=False)
"""
    heading = "Custom domains with mutual TLS: does our client present the right certificate?"
    (tmp_path / "test_example.py").write_text(block(heading, "python") + client, "utf-8")
    run = finished(tmp_path, *PYTEST, "-q", "-W", "error")

    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout


def test_recipe_for_a_ci_job_waits_for_the_gateway(tmp_path: Path) -> None:
    """The script of the page's job, with a rehearsal that only looks at what it was given."""
    certificate, _ = gateway_credential().write(tmp_path, "server-ca")
    assert certificate.name == "server-ca.pem"
    rehearsal = tmp_path / "rehearse-rotation.sh"
    rehearsal.write_text('#!/bin/sh\necho "at $ENDPOINT"\n')
    rehearsal.chmod(0o755)
    lines = block("In a CI job", "yaml").splitlines()[1:]
    script = (
        "\n".join(line.strip() for line in lines)
        .replace("pytest-mtls", PROGRAM)
        .replace("python -c", f"{sys.executable} -c")
    )
    run = finished(tmp_path, "bash", "-euc", f"{script}\nkill %1; wait %1", within=60)

    assert run.returncode == 0, run.stderr
    assert "at http://127.0.0.1:" in run.stdout
    assert not (tmp_path / "gateway.json").exists()


@pytest.mark.parametrize("word", ["CloudWatch", "WAF", "VPC links", "VTL", "JWT", "WebSocket traffic", "usage plans"])
def test_page_says_what_is_not_emulated(word: str) -> None:
    """What the contract leaves out."""
    assert word in PAGE.partition("## What is not emulated")[2]
