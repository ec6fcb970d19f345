"""``--ready-file`` and the files that are the user's own: nothing that is read is written to or deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pytest_mtls.harness.cli import main
from pytest_mtls.harness.pki.authority import new_hierarchy


@pytest.mark.parametrize("name", ["ca.pem", "./ca.pem", "link.pem"])
def test_a_ready_file_that_is_read_is_refused_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = new_hierarchy().root.public_bytes(Encoding.PEM)
    (tmp_path / "ca.pem").write_bytes(content)
    (tmp_path / "link.pem").symlink_to("ca.pem")

    code = main(["gateway", "--ca-bundle", "ca.pem", "--ready-file", name, "--host", "nobody.invalid"])

    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(
        f"pytest-mtls: --ready-file ({name}): expected a file of its own, saw one of --ca-bundle."
    )
    assert (tmp_path / "ca.pem").read_bytes() == content
