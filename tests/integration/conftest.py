"""What many tests beside this file want: peers and verdicts, runs of the program, and what came of them."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pytest_mtls.harness.cli import main
from pytest_mtls.harness.pki.authority import server_credential
from pytest_mtls.harness.pki.credential import Credential
from pytest_mtls.harness.pki.gateway_certificate import control_credential
from pytest_mtls.harness.tls.observation import TlsVersion

from .checks import Checks, shared_folder
from .peers import Peers
from .refusals import Refuse, pem_files
from .reported import RUNS, Reported, reported_run
from .runs import Runs
from .scripts import Provoke

# --- peers and verdicts


@pytest.fixture(params=list(TlsVersion), ids=lambda tls: f"tls{tls}")
def tls(request: pytest.FixtureRequest) -> TlsVersion:
    """Each TLS version in turn."""
    return TlsVersion(request.param)


@pytest.fixture(scope="session")
def peer_credential() -> Credential:
    """What the peers present."""
    return server_credential()


@pytest.fixture(scope="session")
def client() -> Credential:
    """What the probes present unless a test has something else in mind."""
    return control_credential()


@pytest.fixture
def peers(peer_credential: Credential) -> Iterator[Peers]:
    """Starts peers; all have ended, without a fault of their own, when the test has."""
    with Peers(peer_credential) as peers:
        yield peers


@pytest.fixture
def provoke(peers: Peers, client: Credential, tls: TlsVersion) -> Provoke:
    """Probes a scripted peer between two controls, and judges."""
    return Provoke(peers, client, tls)


# --- the program


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Starts the program in a folder of its own."""
    return Runs(tmp_path)


@pytest.fixture(scope="session")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Checks:
    """Carries out checks, each command line once."""
    return Checks(tmp_path_factory)


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Reported]:
    """The run of a name in ``RUNS``, and its reports."""
    return partial(reported_run, shared_folder(tmp_path_factory))


@pytest.fixture(params=RUNS)
def each_report(request: pytest.FixtureRequest, reported: Callable[[str], Reported]) -> Reported:
    """Each run of ``RUNS`` in turn."""
    return reported(request.param)


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Gives a command line to the program in this process; returns the one line by which it is refused."""
    temporary, folder = tmp_path / "temporary", tmp_path / "work"
    temporary.mkdir()
    folder.mkdir()
    (folder / "folder").mkdir()
    (folder / "folder" / "file").touch()
    for name, content in pem_files().items():
        (folder / name).write_bytes(content)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(pytest, "main", lambda *_: pytest.fail("a run was started"))

    def run(command: str) -> str:
        code = main(shlex.split(command))
        printed, message = capsys.readouterr()
        assert (code, printed) == (2, "")
        assert re.fullmatch(r"pytest-mtls: [^\n]+[.?]\n", message)
        assert not list(temporary.iterdir())
        return message.removeprefix("pytest-mtls: ").rstrip("\n")

    return run
