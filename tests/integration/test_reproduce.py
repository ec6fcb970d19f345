"""``--keep`` and the ``reproduce`` line: what the report says can be seen again, by hand, with openssl alone."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_mtls.harness.kit import write_kit

from .checks import PROGRAM, Check, Checks, Served, require, serve

_SECONDS = 30


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture kit: whose certificates these servers and clients have."""
    folder = tmp_path_factory.mktemp("kit")
    write_kit(folder / "kit", depth=2)
    return folder / "kit"


@pytest.fixture(scope="module")
def careless(kit: Path) -> Iterator[Served]:
    """The reference backend, which lets everybody in who has no certificate."""
    with _backend(kit, "--fault=optional-unchecked") as served:
        yield served


@pytest.fixture(scope="module")
def trusting(kit: Path) -> Iterator[Served]:
    """The reference backend, which lets in every certificate."""
    with _backend(kit, "--fault=accept-any") as served:
        yield served


@contextmanager
def _backend(kit: Path, *options: str) -> Iterator[Served]:
    material = {
        "MTLS_SERVER_CERT": kit / "server" / "server.pem",
        "MTLS_SERVER_KEY": kit / "server" / "server.key",
        "MTLS_TRUSTSTORE": kit / "gateway" / "truststore-old.pem",
    }
    with serve([PROGRAM, "backend", *options], material) as served:
        yield served


def _check_by_url(checks: Checks, kit: Path, served: Served, keep: Path | None, *options: str) -> Check:
    files = ("--client-cert", str(kit / "gateway" / "old.pem"), "--client-key", str(kit / "gateway" / "old.key"))
    kept = () if keep is None else ("--keep", str(keep))
    return checks("--url", served.url, *files, *kept, *options)


def _reproduce(scenario: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    require("openssl")
    return subprocess.run(
        ["sh", "-c", scenario["reproduce"]], capture_output=True, text=True, timeout=_SECONDS, check=False
    )


def _status(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.partition("\n")[0].strip()


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to keep things in, of a name that a shell would take apart."""
    return tmp_path_factory.mktemp("to keep") / "it's here"


# --- a running backend


def test_missing_certificate_is_let_in_again(checks: Checks, kit: Path, careless: Served, keep: Path) -> None:
    """An accepted negative without a certificate: the line shows the answer that the report saw."""
    check = _check_by_url(checks, kit, careless, keep, "--scenario", "presence/no-certificate")
    scenario = check.scenario("presence/no-certificate")
    assert (scenario["reason"], _status(_reproduce(scenario))) == (
        "no certificate: expected rejected, saw accepted: HTTP 200",
        "HTTP/1.1 200 OK",
    )


def test_forged_header_is_believed_again(checks: Checks, kit: Path, careless: Served, keep: Path) -> None:
    """The headers of the case are in the line, whatever they contain."""
    check = _check_by_url(checks, kit, careless, keep, "--scenario", "forwarded-header/*")
    scenario = check.scenario("forwarded-header/forged-on-direct-connection")
    assert "Client-Cert: :MII" in scenario["reproduce"]
    assert _status(_reproduce(scenario)) == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "name",
    [
        "chain/tampered",
        "trust/other-customer-same-name",
        "trust/pinned-certificate-in-chain",
        "trust/self-signed-stranger",
        "vhost/no-server-name",
    ],
)
def test_stranger_is_let_in_again(checks: Checks, kit: Path, trusting: Served, keep: Path, name: str) -> None:
    """An accepted negative with a certificate: the line presents the same one, with its chain, by the same name."""
    check = _check_by_url(checks, kit, trusting, keep, "--scenario=chain/*", "--scenario=trust/*", "--scenario=vhost/*")
    scenario = check.scenario(name)
    assert (scenario["outcome"], _status(_reproduce(scenario))) == ("failed", "HTTP/1.1 200 OK")


def test_without_keep_the_line_repeats_the_check(checks: Checks, kit: Path, careless: Served) -> None:
    """No material was left, so the line makes it anew, and says what to add for material to look at."""
    check = _check_by_url(checks, kit, careless, None, "--scenario", "presence/no-certificate", "--tls", "1.2")
    line = check.scenario("presence/no-certificate")["reproduce"]
    assert shlex.split(line) == [
        *("pytest-mtls", "check", "--url", careless.url),
        *("--client-cert", str(kit / "gateway" / "old.pem"), "--client-key", str(kit / "gateway" / "old.key")),
        *("--tls", "1.2", "--scenario", "presence/no-certificate", "--profile", "gateway", "--keep", "DIR"),
    ]


# --- backends that the harness starts


@dataclass(frozen=True, slots=True)
class Target:
    """A backend that falls into the rotation trap, and how openssl shows that it refuses."""

    program: str
    arguments: tuple[str, ...]
    refusal: str


_S_SERVER = (
    "openssl s_server -accept {host}:{port} -cert {server_cert} -key {server_key} "
    "-CAfile {truststore} -Verify 10 -verify_return_error -www"
)
TARGETS = {
    "nginx": Target("nginx", ("--server", "nginx"), "HTTP/1.1 400 Bad Request"),
    "node": Target("node", ("--server", "node"), "unexpected eof while reading"),
    "command": Target("openssl", ("--command", _S_SERVER), "SSL alert number 48"),
    "reference": Target("openssl", ("--fault", "first-same-name-only"), "SSL alert number 48"),
}
TRAP = "rotation/both-old-first"


@dataclass(frozen=True, slots=True)
class Kept:
    """A check of a target with ``--keep``, and the folder that it left."""

    target: Target
    check: Check
    folder: Path


@pytest.fixture(params=TARGETS)
def kept(request: pytest.FixtureRequest, checks: Checks) -> Kept:
    """Each target in turn, where it is installed, with its trap and all that is left of it."""
    name: str = request.param
    target, folder = TARGETS[name], checks.folder / 'kept "by hand", it\'s here' / name
    require(target.program)
    check = checks(
        *target.arguments, "--scenario", TRAP, "--scenario", "presence/no-certificate", "--keep", str(folder)
    )
    return Kept(target, check, folder)


def _script_of(scenario: dict[str, Any]) -> Path:
    """The script that the report names."""
    notes = [re.fullmatch(r"to reproduce, first run (.+): the backend afresh, .*", one) for one in scenario["notes"]]
    (found,) = filter(None, notes)
    (path,) = shlex.split(found[1])
    return Path(path)


def test_each_backend_leaves_its_material_and_a_script(kept: Kept) -> None:
    """One folder a backend: the one that scenarios share, and the one of the scenario."""
    found = {script.parent.name: {one.name for one in script.parent.iterdir()} for script in kept.folder.glob("*/*.sh")}
    assert set(found) == {"shared-gateway", "rotation.both-old-first-gateway"}
    for names in found.values():
        assert names >= {"server.pem", "server.key", "server-ca.pem", "truststore.pem", "start.sh"}


def test_keys_are_for_their_owner_alone(kept: Kept) -> None:
    """Private keys 0600, scripts 0700, folders 0700."""
    keys, scripts = [*kept.folder.rglob("*.key")], [*kept.folder.rglob("start.sh")]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (*keys, *scripts, *kept.folder.glob("*"), kept.folder)}
    assert len(keys) >= 3
    assert {path: oct(mode) for path, mode in modes.items() if mode != (0o600 if path in keys else 0o700)} == {}


def test_started_again_the_backend_shows_what_the_report_says(kept: Kept) -> None:
    """The script that the report names starts it with the same material and port; then the line shows the refusal."""
    scenario = kept.check.scenario(TRAP)
    port = urlsplit(kept.check.probes(TRAP, "new certificate, second in the truststore")["1.2"]["url"]).port
    with serve([str(_script_of(scenario))], port=port):
        done = _reproduce(scenario)
    assert kept.target.refusal in done.stdout + done.stderr


def test_terminal_shows_script_and_line(kept: Kept) -> None:
    """Who reads only the terminal can copy both."""
    scenario = kept.check.scenario(TRAP)
    assert scenario["reproduce"] in kept.check.output
    assert shlex.quote(str(_script_of(scenario))) in " ".join(kept.check.output.split())


def test_scenario_that_passed_is_repeated_by_a_check(kept: Kept) -> None:
    """There is no case to show; the folder to keep is not named twice."""
    words = shlex.split(kept.check.scenario("presence/no-certificate")["reproduce"])
    assert words == [
        *("pytest-mtls", "check", *kept.target.arguments),
        *("--scenario", "presence/no-certificate", "--profile", "gateway"),
    ]


def test_profiles_keep_their_credentials_apart(checks: Checks) -> None:
    """A scenario that fails in two profiles has two credentials of one name."""
    folder = checks.folder / "two profiles"
    check = checks(
        "--fault", "no-expiry-check", "--scenario", "validity/expired", "--profile", "all", "--keep", str(folder)
    )
    lines = [check.scenario("validity/expired", profile)["reproduce"] for profile in ("gateway", "private-ca")]
    certificates = {Path(words[words.index("-cert") + 1]).read_bytes() for words in map(shlex.split, lines)}
    assert len(certificates) == 2
