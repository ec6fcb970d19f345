"""The page in a browser, where there is one: its policy lets its own script run, and a link opens what it leads to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pytest_mtls.harness.report.html import report_to_html

from .checks import require
from .made_reports import FAILED, PASSED, outcome, report


@pytest.fixture
def chromium() -> str:
    """The browser; skips the test where it is not installed."""
    return require("chromium")


def test_the_page_is_alive_in_a_browser(chromium: str, tmp_path: Path) -> None:
    """A copy button at each command; the details that the address leads to are open, though they are not at first."""

    text = report_to_html(report(outcome(FAILED), outcome(PASSED)))
    place = tmp_path / "page.html"
    place.write_text(text, "utf-8")
    (anchor,) = re.findall(r'<details class="cell passed quiet">.*?<div class="body" id="(.*?)">', text, re.DOTALL)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    run = subprocess.run(
        [chromium, *options, f"{place.as_uri()}#{anchor}"], capture_output=True, text=True, timeout=120, check=True
    )
    assert run.stdout.count("<button") == 2
    assert re.search(r'<details class="cell passed quiet" open="">', run.stdout)
