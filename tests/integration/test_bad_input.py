"""What cannot be used is refused before anything starts: one line that says what, its value, what to do; exit code 2."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from pytest_mtls.harness.backend import server
from pytest_mtls.harness.cli import main
from pytest_mtls.harness.options import OPTIONS
from pytest_mtls.harness.pki.gateway_certificate import control_credential

from .runs import Runs

Refuse = Callable[..., str]


def table(names: tuple[str, ...], *rows: tuple[str, ...]) -> pytest.MarkDecorator:
    """A parametrized test whose first column names the rows."""
    return pytest.mark.parametrize(names, rows, ids=[row[0] for row in rows])


URL = "check --url https://localhost:1/ --client-cert client.pem --client-key client.key"
HTTPS = r"expected https://HOST\[:PORT\]/PATH"
WITH_PORT = f"{HTTPS} with a port from 1 to 65535"


@pytest.fixture(scope="session")
def pem_files() -> dict[str, bytes]:
    """A client credential, and what people give in its place by mistake."""
    client, other, ed25519 = control_credential(), control_credential(), Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    begin = datetime.now(UTC).replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder(name, name, ed25519.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .sign(ed25519, None)
    )
    encrypted = client.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    return {
        "client.pem": client.certificate_pem,
        "client.key": client.key_pem,
        "other.key": other.key_pem,
        "encrypted.key": encrypted,
        "ed25519.pem": certificate.public_bytes(Encoding.PEM),
        "ed25519.key": ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "garbage.pem": b"this is no PEM\n",
        "empty.pem": b"",
        "cut.pem": client.certificate_pem[:200],
        "notes.txt": b"not a program\n",
    }


@pytest.fixture
def refuse(
    pem_files: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Refuse:
    """Gives a command line to the program in this process; returns the one line by which it is refused."""
    temporary, folder = tmp_path / "temporary", tmp_path / "work"
    temporary.mkdir()
    folder.mkdir()
    (folder / "folder").mkdir()
    (folder / "folder" / "file").touch()
    for name, content in pem_files.items():
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


# --- words that are not known


@table(
    ("command", "message"),
    (
        "check --server nod",
        r"--server \(nod\): expected one of .*node.*\. Did you mean node\? Or start yours by .*",
    ),
    ("check --server x", r"--server \(x\): expected one of .*reference.*\. Or start yours by --command\."),
    (
        "check --fault dn-onli",
        r"--fault \(dn-onli\): expected one of .*\. Did you mean dn-only\? See 'pytest-mtls backend --list-faults'\.",
    ),
    ("backend --fault dn-onli", r"--fault \(dn-onli\): expected one of .*\. Did you mean dn-only\? See .*"),
    (
        "check --scenario trust/gatewy-certificate",
        r"--scenario \(trust/gatewy-certificate\): no scenario of that id\. "
        r"Did you mean trust/gateway-certificate\? See 'pytest-mtls scenarios'\.",
    ),
    (
        "check --scenario 'turst/*'",
        r"--scenario \(turst/\*\): no scenario of that id\..* See 'pytest-mtls scenarios'\.",
    ),
    ("check --profile gatway", r"--profile \(gatway\): expected one of gateway, .*, all\. Did you mean gateway\?"),
    ("check --profile private_ca", r"--profile \(private_ca\): expected one of .*\. Did you mean private-ca\?"),
    ("check --tls 1.1", r"--tls \(1\.1\): expected 1\.2 or 1\.3\. Older versions are not probed\."),
    ("check --level most", r"--level \(most\): expected one of must, should, info\. Did you mean must\?"),
    (
        "check --capability live-relod",
        r"--capability \(live-relod\): expected one of .*\. Did you mean live-reload\?",
    ),
    (
        "check --command true --reload sometimes",
        r"--reload \(sometimes\): expected restart, signal:NAME, command:CMD or watch\. Choose one of these\.",
    ),
    (
        "check --command true --reload signal:HIP",
        r"--reload \(signal:HIP\): expected a signal's name as in signal:HUP, saw HIP\. See 'kill -l'\.",
    ),
    ("check --command true --reload signal:", r"--reload \(signal:\): expected a signal's name .*, saw none\. .*"),
    ("check --command true --reload command:", r"--reload command: expected a command line, saw nothing\. .*"),
)
def test_an_unknown_word_is_named_with_the_known_ones(refuse: Refuse, command: str, message: str) -> None:
    """The message has the option, the word, what there is, and the word that was probably meant."""

    assert re.fullmatch(message, refuse(command))


def test_a_server_that_is_not_installed_is_named_with_its_package(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the same as an unknown server."""

    monkeypatch.setattr(server, "find_program", lambda _: None)
    assert re.fullmatch(
        r"--server \(nginx\): expected the program 'nginx', which is not installed\. On Debian: apt-get install nginx\S*\.",
        refuse("check --server nginx"),
    )


# --- options that do not go together


@table(
    ("command", "message"),
    (
        "check --url https://localhost/ --command true",
        r"--command with --url: expected one target, saw 2\. Leave one out\.",
    ),
    (
        "check --server node --command true",
        r"--command with --server: expected one target, saw 2\. Leave one out\.",
    ),
    (
        "check --fault dn-only --server nginx",
        r"--fault \(dn-only\): expected --server reference with it, saw --server nginx\. "
        r"Leave it out, or change the target\.",
    ),
    (
        "check --fault dn-only --command true",
        r"--fault \(dn-only\): expected .*, saw --command\. Leave it out, or .*",
    ),
    (
        "check --client-cert a.pem",
        r"--client-cert \(a\.pem\): expected --url with it, saw no target\. Leave it out, or .*",
    ),
    (
        "check --client-key a.key --command true",
        r"--client-key \(a\.key\): expected --url with it, saw --command\. .*",
    ),
    (
        "check --server-ca a.pem --server node",
        r"--server-ca \(a\.pem\): expected --url with it, saw --server node\. .*",
    ),
    (
        "check --reload watch",
        r"--reload \(watch\): expected --command or --server with it, saw no target\. Leave it out, or .*",
    ),
    (
        "check --server reference --reload watch",
        r"--reload \(watch\): .*, saw --server reference\. Leave it out, or .*",
    ),
    (f"{URL} --reload signal:HUP", r"--reload \(signal:HUP\): expected --command or --server .*, saw --url\. .*"),
    (f"{URL} --reload-within 1", r"--reload-within \(1\): expected .* with it, saw --url\. Leave it out, or .*"),
    (f"{URL} --start-within 1", r"--start-within \(1\): expected .* with it, saw --url\. Leave it out, or .*"),
    (
        "check --url https://localhost/ --client-cert a.pem",
        r"--url \(https://localhost/\): expected --client-key too\. Give the certificate .*, and its key\.",
    ),
    ("check --url https://localhost/", r"--url \(https://localhost/\): expected --client-cert too\. Give .*"),
    (
        "check --accept-status 200,403 --reject-status 403",
        r"--accept-status and --reject-status \(403\): expected different statuses\. Name it in one of them\.",
    ),
    (
        "check --profile private-ca --scenario rotation/both-old-first",
        r"no scenario is left by --profile, --scenario and --level together\. Loosen one; see 'pytest-mtls scenarios'\.",
    ),
    ("check --json a --junit ./a", r"--json and --junit \(a\): expected two files, saw one\. Give another name .*"),
    (
        "backend --server-cert client.pem",
        r"--server-cert with --server-key: expected both or neither\. Give the other one too\.",
    ),
)
def test_options_that_mean_nothing_together_are_refused(refuse: Refuse, command: str, message: str) -> None:
    """Somebody would rely in vain on an option that was silently left out."""

    assert re.fullmatch(message, refuse(command))


# --- values


@pytest.mark.parametrize("option", ["reload-within", "start-within", "timeout"])
@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", "3601", "1,5"])
def test_seconds_have_to_be_seconds(refuse: Refuse, option: str, value: str) -> None:
    """Anything else than a number in reach is refused."""

    assert refuse(f"check --command true --{option}={value}") == (
        f"--{option} ({value}): expected seconds, more than 0 and at most 3600. Give a number."
    )


@pytest.mark.parametrize("option", ["accept-status", "reject-status"])
@pytest.mark.parametrize("value", ["OK", "20x", "99", "600", "200,", "200 201", "²00"])
def test_statuses_have_to_be_statuses(refuse: Refuse, option: str, value: str) -> None:
    """Anything else than numbers from 100 to 599 with commas between them is refused."""

    assert refuse(f"check --{option}='{value}'") == (
        f"--{option} ({value}): expected HTTP statuses such as 401,403. Separate them by commas."
    )


@pytest.mark.parametrize("value", ["health", "/two words", "/\x01", "/grün"])
def test_a_path_has_to_be_one_that_can_be_sent(refuse: Refuse, value: str) -> None:
    """What cannot stand in a request line is refused."""

    assert refuse(f"check --path '{value}'") == (
        f"--path ({value}): expected a path that begins with / and has no blanks. Percent-encode the rest."
    )


@pytest.mark.parametrize("option", [one for one in OPTIONS if not one.is_flag], ids=lambda one: one.name)
def test_an_empty_value_is_refused(refuse: Refuse, option: object) -> None:
    """A variable that was not set must not lead to another backend's being judged, nor to another selection."""

    name, metavar = getattr(option, "name"), getattr(option, "metavar")  # noqa: B009 - parametrize gives objects
    assert refuse(f"check --{name}=''") == (
        f"--{name}: expected {metavar}, saw an empty value. Give one, or leave it out."
    )


@pytest.mark.parametrize("name", ["host", "port", "server-cert", "server-key", "truststore"])
def test_an_empty_value_is_refused_by_backend_too(refuse: Refuse, name: str) -> None:
    """To serve whom nobody named would be worse than not to serve."""

    assert refuse(f"backend --{name}=''") == f"--{name}: expected a value, saw an empty one. Give one, or leave it out."


@table(
    ("command", "message"),
    (
        "check --command no-such-server",
        r"--command \(no-such-server\): expected a program that can be run, saw none\. "
        r"Check the name, or give its full path\.",
    ),
    (
        "check --command './notes.txt --port 1'",
        r"--command \(\./notes\.txt\): expected a program that can be run, saw a file that is not executable\. "
        r"Make it so \(chmod \+x\), or name its interpreter first\.",
    ),
    (
        "check --command ./folder",
        r"--command \(\./folder\): expected a program that can be run, saw .*\. Make it so .*",
    ),
    (
        'check --command "node \'server.js"',
        r"--command \(node 'server\.js\): expected a command line, saw No closing quotation\. Check the quotes\.",
    ),
    ("check --command ' '", r"--command: expected a command line, saw nothing\. Give the command .*"),
    (
        "check --command 'true {truststor}'",
        r"--command: unknown placeholder \{truststor\}: expected one of .*\. Did you mean \{truststore\}\?",
    ),
    (
        "check --command true --reload 'command:kill {prot}'",
        r"--reload command: unknown placeholder \{prot\}: expected one of .*\. Did you mean \{port\}\?",
    ),
)
def test_a_command_that_cannot_work_is_refused(refuse: Refuse, command: str, message: str) -> None:
    """The message has what is wrong with it, and nothing was started."""

    assert re.fullmatch(message, refuse(command))


@table(
    ("url", "message"),
    ("http://localhost/", rf"{HTTPS}, saw http\. mTLS needs https\."),
    ("localhost:8443", rf"{HTTPS}, saw localhost\. mTLS needs https\."),
    ("//localhost/", rf"{HTTPS}, saw no scheme\. mTLS needs https\."),
    ("https://", rf"{HTTPS}, saw no host\. mTLS needs https\."),
    ("https://:8443/", rf"{HTTPS}, saw no host\. mTLS needs https\."),
    ("https://localhost:0/", rf"{WITH_PORT}, saw 0\. Correct the port\."),
    ("https://localhost:99999/", rf"{WITH_PORT}, saw: Port out of range 0-65535\. Correct the URL\."),
    ("https://localhost:abc/", rf"{WITH_PORT}, saw: Port could not be cast .*\. Correct the URL\."),
    ("https://[::1/", rf"{WITH_PORT}, saw: Invalid IPv6 URL\. Correct the URL\."),
    ("https://a..b/", rf"{HTTPS}, saw a host that no name can have\. Correct the host\."),
    (f"https://{'a' * 64}.test/", rf"{HTTPS}, saw a host that no name can have\. Correct the host\."),
    ("https://localhost/two words", rf"{HTTPS} in ASCII without blanks, saw others\. Percent-encode .*"),
    ("https://bücher.test/", rf"{HTTPS} in ASCII without blanks, saw others\. .* write the host as xn--…\."),
)
def test_a_url_that_cannot_be_called_is_refused(refuse: Refuse, url: str, message: str) -> None:
    """The message has the URL and what is wrong with it."""

    said = refuse(f"check --url '{url}' --client-cert client.pem --client-key client.key")
    assert re.fullmatch(rf"--url \({re.escape(url)}\): {message}", said)


def test_a_password_in_a_url_is_refused_and_not_repeated(refuse: Refuse) -> None:
    """The request would not send it, and reports would show it."""

    said = refuse("check --url https://user:hunter2@localhost/ --client-cert client.pem --client-key client.key")
    assert said == "--url: expected no user name or password in the URL, saw one for localhost. Leave it out."


@table(
    ("certificate", "key", "message"),
    (
        "none.pem",
        "client.key",
        r"client certificate \(none\.pem\): .*, saw: No such file or directory\. Check the path\.",
    ),
    ("folder", "client.key", r"client certificate \(folder\): .*, saw: Is a directory\. Check the path\."),
    (
        "garbage.pem",
        "client.key",
        r"client certificate \(garbage\.pem\): expected PEM certificates, saw none that can be parsed \(.*\)\. Give .*",
    ),
    (
        "empty.pem",
        "client.key",
        r"client certificate \(empty\.pem\): expected PEM certificates, saw none .*\. Give .*",
    ),
    ("cut.pem", "client.key", r"client certificate \(cut\.pem\): expected PEM certificates, saw none .*\. Give .*"),
    ("client.pem", "none.key", r"private key \(none\.key\): .*, saw: No such file or directory\. Check the path\."),
    ("client.pem", "client.pem", r"private key \(client\.pem\): expected a PEM private key, saw none .*\. Give .*"),
    (
        "client.pem",
        "other.key",
        r"private key \(other\.key\): expected the key of the certificate in client\.pem, saw another one\. Give .*",
    ),
    (
        "client.pem",
        "encrypted.key",
        r"private key \(encrypted\.key\): expected an unencrypted key, saw an encrypted one\. Decrypt a copy .*",
    ),
    (
        "ed25519.pem",
        "ed25519.key",
        r"private key \(ed25519\.key\): expected RSA or EC, saw Ed25519PrivateKey\. Give .*",
    ),
)
def test_a_client_certificate_that_cannot_be_presented_is_refused(
    refuse: Refuse, certificate: str, key: str, message: str
) -> None:
    """The message has the file and what to do about it; no link to somebody's documentation, and no key."""

    said = refuse(f"check --url https://localhost:1/ --client-cert {certificate} --client-key {key}")
    assert re.fullmatch(message, said)
    assert "http" not in said


@table(
    ("file", "message"),
    (
        "none.pem",
        r"--server-ca \(none\.pem\): expected a readable PEM file, saw: No such file .*\. Check the path\.",
    ),
    (
        "garbage.pem",
        r"--server-ca \(garbage\.pem\): expected PEM certificates, saw none that can be parsed .*\. Give .*",
    ),
)
def test_an_unreadable_server_ca_is_refused(refuse: Refuse, file: str, message: str) -> None:
    """To go on without it would mean to talk to anybody."""

    assert re.fullmatch(message, refuse(f"{URL} --server-ca {file}"))


# --- where reports and material go


@pytest.mark.parametrize("option", ["json", "junit"])
@table(
    ("path", "message"),
    ("none/report", r"expected a folder that exists, saw none: none\. Make it first\."),
    ("notes.txt/report", r"expected a folder that exists, saw none: notes\.txt\. Make it first\."),
    ("folder", r"expected a file, saw a folder\. Give a file name in it\."),
)
def test_a_report_that_will_not_be_writable_is_refused_at_once(
    refuse: Refuse, option: str, path: str, message: str
) -> None:
    """Nobody wants to hear of it when the run is over."""

    assert re.fullmatch(rf"--{option} \({path}\): {message}", refuse(f"check --{option} {path}"))


@pytest.mark.parametrize("path", ["notes.txt", "notes.txt/deep/down"])
def test_a_folder_to_keep_that_cannot_be_made_is_refused(refuse: Refuse, path: str) -> None:
    """A file in its place, or above it, is named."""

    assert re.fullmatch(
        rf"--keep \({path}\): expected a folder, saw a file at \S+/notes\.txt\. Give another path\.",
        refuse(f"check --keep {path}"),
    )


@table(
    ("command", "message"),
    (
        "check --json report",
        r"--json \(report\): expected a file that can be written, saw: no permission\. Give .*",
    ),
    (
        "check --keep new/folder",
        r"--keep \(new/folder\): expected a folder to write to, saw: no permission at \S+\. .*",
    ),
)
def test_a_place_without_permission_is_refused(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch, command: str, message: str
) -> None:
    """The administrator, who runs tests in containers, may write anywhere; so the answer is put into the system's mouth."""

    monkeypatch.setattr(os, "access", lambda *_: False)
    assert re.fullmatch(message, refuse(command))


@table(
    ("command", "message"),
    ("kit folder", r"kit folder \(folder\): expected a new or empty folder, saw files in it\. Give another path\."),
    (
        "kit notes.txt",
        r"kit folder \(notes\.txt\): expected a new or empty folder, saw a file\. Give another path\.",
    ),
    (
        "kit none/deep",
        r"kit folder \(none/deep\): expected a new or empty folder .*, saw: No such file .*\. Give .*",
    ),
    ("kit new --depth 5", r"depth \(5\): expected 1 to 4 CA certificates\. API Gateway allows no more\."),
    (
        "kit new --depth x",
        r"Invalid value for '--depth': 'x' is not a valid integer\. See 'pytest-mtls kit --help'\.",
    ),
    ("kit", r"Missing argument 'DIR'\. See 'pytest-mtls kit --help'\."),
)
def test_a_kit_is_written_to_a_new_folder_only(refuse: Refuse, command: str, message: str) -> None:
    """What is there already stays as it is."""

    assert re.fullmatch(message, refuse(command))


# --- the foreground backend


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_backend_says_that_its_port_is_taken(refuse: Refuse, taken_port: int) -> None:
    """The message has address and port."""

    assert refuse(f"backend --port {taken_port}") == (
        f"port (127.0.0.1:{taken_port}): expected one to listen on, saw: Address already in use. Choose another one."
    )


@table(
    ("options", "message"),
    ("--port 0", r"--port \(0\): expected a number from 1 to 65535\. Leave it out for a free one\."),
    ("--port https", r"--port \(https\): expected a number from 1 to 65535\. Leave it out for a free one\."),
    (
        "--host 192.0.2.1",
        r"port \(192\.0\.2\.1:\d+\): expected one to listen on, saw: [^()]+\. Choose another one\.",
    ),
    (
        "--truststore none.pem",
        r"truststore \(none\.pem\): expected a readable file, saw: No such file or directory\. Check the path\.",
    ),
    ("--truststore garbage.pem", r"truststore \(garbage\.pem\): expected PEM certificates, saw none\. Put in .*"),
    (
        "--truststore cut.pem",
        r"truststore \(cut\.pem\): expected an END CERTIFICATE line in block 1, saw the end .*",
    ),
    (
        "--server-cert client.pem --server-key other.key",
        r"private key \(other\.key\): expected the key of the certificate in client\.pem, saw another one\. Give .*",
    ),
    ("--server-cert garbage.pem --server-key other.key", r"server certificate \(garbage\.pem\): expected PEM .*"),
    ("--refuse maybe", r"Invalid value for '--refuse': .*\. See 'pytest-mtls backend --help'\."),
)
def test_backend_refuses_material_that_it_cannot_serve_with(refuse: Refuse, options: str, message: str) -> None:
    """It does not listen before all of it was read."""

    assert re.fullmatch(message, refuse(f"backend {options}"))


# --- the command line itself


@table(
    ("command", "message"),
    ("chek", r"No such command 'chek'\..* See 'pytest-mtls --help'\."),
    (
        "check --comand x",
        r"No such option '?--comand'?\. .*--command.* See 'pytest-mtls check --help'\.",
    ),
    ("check server.py", r"Got unexpected extra argument \(server\.py\)\. See 'pytest-mtls check --help'\."),
    ("check --path", r"Option '--path' requires an argument\. See 'pytest-mtls.* --help'\."),
    ("check -n many", r"-n \(many\): expected a number of processes, or auto\. Leave it out for one\."),
)
def test_a_slip_of_the_keyboard_is_told_with_where_to_look(refuse: Refuse, command: str, message: str) -> None:
    """Click's words, in our one line."""

    assert re.fullmatch(message, refuse(command))


def test_a_mistake_leaves_the_shell_clean(tmp_path: Path) -> None:
    """In a process of its own too: exit code 2, one line, no traceback, nothing left."""

    run = Runs(tmp_path)("check", "--server", "nod")
    assert (run.code, run.out, run.err.count("\n"), run.is_clean) == (2, "", 1, True)


def test_a_fault_of_our_own_does_not_look_like_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A traceback would end with exit code 1, which says that a MUST failed."""

    nothing: dict[str, str] = {}
    monkeypatch.setattr("pytest_mtls.harness.settings.parse", lambda _: nothing["a key that is not there"])
    assert main(["check"]) == 3
    assert re.fullmatch(
        r"pytest-mtls: internal error: KeyError: 'a key that is not there' \(test_bad_input\.py:\d+\)\. Please report it\.\n",
        capsys.readouterr().err,
    )


def test_the_same_mistakes_are_told_by_pytest(tmp_path: Path) -> None:
    """As an option of pytest: its own exit code for usage, and our sentence."""

    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    runs = Runs(tmp_path)
    run = runs.end(runs.start("--pyargs", "pytest_mtls.scenarios", "--mtls-server", "nod", words=words))
    assert (run.code, run.is_clean) == (4, True)
    assert "ERROR: --server (nod): expected one of" in run.said
