"""The commands in README.md and docs/ can be typed as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_mtls.harness.backend.process import find_program
from pytest_mtls.harness.pki.gateway_certificate import gateway_credential

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "docs/ci.md",
    "docs/gateway.md",
    "docs/architecture.md",
    "docs/report.md",
    "docs/audit.md",
    "docs/matrix.md",
    "docs/servers.md",
    "docs/fixtures.md",
    "docs/revocation.md",
    "CONTRIBUTING.md",
)
PROGRAM = str(Path(sys.executable).with_name("pytest-mtls"))


def commands_of(page: str) -> list[str]:
    """The ``pytest-mtls check`` lines of a page, continuation lines joined."""
    text = (ROOT / page).read_text("utf-8").replace("\\\n", " ")
    found = re.findall(r"(?<![\w$/] )(?:^|[ '])(pytest-mtls check [^\n`']*)", text, re.MULTILINE)
    return [re.sub(r"\s+", " ", command).strip() for command in found if " --" in command]


COMMANDS = sorted({command for page in PAGES for command in commands_of(page)})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with what the commands name: a server, and the user's own certificates."""
    (tmp_path / "server").write_text("#!/bin/sh\n")
    (tmp_path / "server").chmod(0o755)
    (tmp_path / "nginx.conf").write_text("{port} {server_cert} {server_key} {truststore}")
    certificate, _ = gateway_credential().write(tmp_path, "gateway")
    (tmp_path / "ca.pem").write_bytes(certificate.read_bytes())
    return tmp_path


def test_there_are_commands() -> None:
    """Nothing below would be tested otherwise."""
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_documented_check_has_options_that_exist_and_selects_scenarios(command: str, repository: Path) -> None:
    """With --list nothing is started, but every option is read."""
    words = [PROGRAM, *shlex.split(command.replace("$GITHUB_STEP_SUMMARY", "summary.md"))[1:], "--list"]
    words = [word for word in words if word != "…"]
    for name in ("nginx", "node"):
        if name in command.split("--", 1)[1] and find_program(name) is None:
            pytest.skip(f"{name} is not installed")
    run = subprocess.run(words, cwd=repository, capture_output=True, text=True, timeout=60, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(("MUST", "SHOULD", "INFO"))


@pytest.mark.parametrize("page", PAGES)
def test_links_between_the_pages_lead_somewhere(page: str) -> None:
    """A page that was moved takes its links along."""
    folder = (ROOT / page).parent
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text("utf-8"))

    assert [link for link in links if not (folder / link).exists()] == []


def test_first_line_of_the_readme_ends_in_conformant(tmp_path: Path) -> None:
    """What the set-up line runs at its end; the installation itself is tox's part."""
    run = subprocess.run(
        [PROGRAM, "check"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ)
    )

    assert run.returncode == 0, run.stdout
    assert run.stdout.splitlines()[-1].startswith("conformant: ")


def test_readme_has_exactly_two_set_up_lines() -> None:
    """One to use it, one to test it."""
    set_up = (ROOT / "README.md").read_text("utf-8").partition("## Set-up")[2].partition("## ")[0]

    assert len([line for line in set_up.splitlines() if line.startswith("python3 -m venv")]) == 2
