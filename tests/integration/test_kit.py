"""The fixture kit, judged by programs that know nothing of it: openssl, curl, and Python's own TLS server."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from pytest_mtls.harness import kit as kit_module
from pytest_mtls.harness.errors import UsageError
from pytest_mtls.harness.kit import SCHEMA, Kit, write_kit
from pytest_mtls.harness.kit_content import Case, Kind
from pytest_mtls.harness.pki.credential import write_private
from pytest_mtls.harness.pki.defects import DEFECTS
from pytest_mtls.harness.pki.gateway_certificate import GATEWAY_NAME

NOT_FOR_VERIFY = {"copied-certificate"}
"""Defects that a certificate does not show: who lacks the key is found out by the handshake."""

TRAPPED = {
    ("gateway/new.pem", "gateway/truststore-both-old-first.pem"),
    ("gateway/old.pem", "gateway/truststore-both-new-first.pem"),
}
"""What OpenSSL gets wrong: of two certificates of one name in a truststore it lets in the first alone."""

PRESENTS_ANYTHING = """\
openssl_conf = settings
[settings]
ssl_conf = ssl
[ssl]
system_default = client
[client]
CipherString = DEFAULT:@SECLEVEL=0
"""
"""For curl, which otherwise refuses by itself to present weak certificates, so that the server is not even asked."""


@pytest.fixture(scope="module", params=[1, 2, 3, 4], ids="depth-{}".format)
def kit(request: pytest.FixtureRequest, kit_of: Callable[[int], Kit]) -> Kit:
    """A kit of each depth."""
    depth: int = request.param
    return kit_of(depth)


@pytest.fixture(scope="module")
def kit_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Kit]:
    """Makes the kit of a depth, once."""
    folder = tmp_path_factory.mktemp("kits")

    @cache
    def make(depth: int) -> Kit:
        return write_kit(folder / str(depth), depth=depth)

    return make


@pytest.fixture
def small(kit_of: Callable[[int], Kit]) -> Kit:
    """A kit of depth 1."""
    return kit_of(1)


def run(*words: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], input=stdin, capture_output=True, text=True, timeout=30)


def verify(kit: Kit, case: Case, *options: str) -> subprocess.CompletedProcess[str]:
    """What openssl says of the case's certificate as a client's, given its truststore, chain and CRL."""
    # level 2 is what Debian's OpenSSL asks of a handshake: no RSA key under 2048 bits, no SHA-1
    words: list[str | Path] = ["openssl", "verify", "-purpose", "sslclient", "-auth_level", "2", *options]
    words += ["-no-CApath", "-no-CAstore", "-CAfile", kit.folder / case.truststore]
    if case.chain is not None:
        words += ["-untrusted", kit.folder / case.chain]
    if case.crl is not None:
        words += ["-crl_check", "-CRLfile", kit.folder / case.crl]
    return run(*words, kit.folder / case.certificate)


def verified(kit: Kit, case: Case, *options: str) -> bool:
    return verify(kit, case, *options).returncode == 0


def label(case: Case) -> tuple[str, str, str | None]:
    return case.certificate, case.truststore, case.crl


# --- what openssl says of the files


def test_openssl_reads_every_certificate(kit: Kit) -> None:
    """Every PEM block of every certificate, chain and truststore is one that openssl x509 can read."""
    kinds = (Kind.CERTIFICATE, Kind.CHAIN, Kind.TRUSTSTORE)
    text = "".join((kit.folder / entry.path).read_text() for entry in kit.entries if entry.kind in kinds)
    blocks = set(re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", text, re.DOTALL))

    assert blocks and [block for block in blocks if run("openssl", "x509", "-noout", stdin=block).returncode] == []


def test_fingerprints_are_those_of_openssl(small: Kit) -> None:
    """The fingerprint of each case is the one that openssl computes from the file."""
    told, seen = {case.certificate: case.sha256 for case in small.cases}, {}
    for path in told:
        answer = run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", small.folder / path)
        seen[path] = answer.stdout.strip().rpartition("=")[2].replace(":", "").lower()

    assert told == seen


def test_keys_belong_to_their_certificates(small: Kit) -> None:
    """The public half of every key is the one in the certificate beside it."""
    strangers = [
        entry.path
        for entry in small.entries
        if entry.kind is Kind.KEY
        and run("openssl", "pkey", "-pubout", "-in", small.folder / entry.path).stdout
        != run("openssl", "x509", "-noout", "-pubkey", "-in", (small.folder / entry.path).with_suffix(".pem")).stdout
    ]

    assert strangers == []


def test_openssl_verifies_what_is_expected_to_be_accepted(kit: Kit) -> None:
    """Whoever must be accepted passes openssl verify, but for the second of two certificates of one name."""
    refused = {label(case)[:2] for case in kit.cases if case.expected == "accepted" and not verified(kit, case)}

    assert refused == TRAPPED


def test_the_rotation_trap_is_openssls_alone(small: Kit) -> None:
    """Taken as trust anchors in their own right, both certificates of a rotation are accepted."""
    trapped = [case for case in small.cases if label(case)[:2] in TRAPPED]

    assert [verified(small, case, "-partial_chain") for case in trapped] == [True, True]


def test_openssl_refuses_what_is_expected_to_be_rejected(kit: Kit) -> None:
    """Whoever must be rejected fails openssl verify, but for a certificate without its key."""
    accepted = {case.certificate for case in kit.cases if case.expected == "rejected" and verified(kit, case)}

    assert {path.split("/")[2] for path in accepted} == NOT_FOR_VERIFY


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        ("rsa-1024", "EE certificate key too weak"),
        ("sha1-signature", "CA signature digest algorithm too weak"),
        ("path-length-violated", "path length constraint exceeded"),
        ("wrong-usage", "unsuitable certificate purpose"),
        ("tampered-signature", "signature failure|self-signed certificate$"),  # a pinned one is merely unknown then
        ("missing-intermediate", "unable to get local issuer certificate"),
    ],
)
def test_defect_is_refused_for_its_own_reason(small: Kit, defect: str, reason: str) -> None:
    """Nothing else is wrong with a defect: openssl names its deviation, also where the defect itself is trusted."""
    cases = [case for case in small.cases if case.certificate.split("/")[-2] == defect]
    answers = [verify(small, case).stderr for case in cases]

    assert answers and [answer for answer in answers if not re.search(reason, answer, re.MULTILINE)] == []


def test_pinned_defects_stand_in_their_own_truststore(small: Kit) -> None:
    """A gateway certificate that is wrong in itself is judged by a backend that trusts it, beside the control."""
    control = (small.folder / "gateway/control.pem").read_text()
    folders = [small.folder / "defects/gateway" / defect.name for defect in DEFECTS.values() if defect.trusted]
    missing = [
        folder.name
        for folder in folders
        if (folder / "truststore.pem").read_text() != (folder / "client.pem").read_text() + control
    ]

    assert folders and missing == []


def test_copied_certificate_is_the_trusted_one(small: Kit) -> None:
    """Who has copied a certificate without its key presents exactly the one that is let in."""
    copies, originals = small.folder / "defects", ("gateway/new.pem", "private-ca/client.pem")

    assert [
        (copies / profile / "copied-certificate/client.pem").read_text() for profile in ("gateway", "private-ca")
    ] == [(small.folder / path).read_text() for path in originals]


def test_chain_has_the_depth_asked_for(kit: Kit) -> None:
    """Leaf and intermediates go over the wire, the root stays in the truststore."""
    sent = x509.load_pem_x509_certificates((kit.folder / "private-ca/client.pem").read_bytes())
    whole = (kit.folder / "private-ca/truststore-with-intermediates.pem").read_bytes()

    assert (len(sent), len(x509.load_pem_x509_certificates(whole))) == (kit.depth, kit.depth)


@pytest.mark.parametrize(
    "name", ["-verify_hostname localhost", "-verify_ip 127.0.0.1", "-verify_ip ::1"], ids=lambda name: name.split()[1]
)
def test_server_certificate_names_loopback(small: Kit, name: str) -> None:
    """The server certificate leads to its root and is made out to every name of this machine."""
    server = small.folder / "server"
    files = ("-CAfile", server / "server-ca.pem", "-untrusted", server / "chain.pem", server / "server.pem")

    assert run("openssl", "verify", "-purpose", "sslserver", *name.split(), *files).returncode == 0


@pytest.mark.parametrize("name", ["old", "new"])
def test_gateway_certificates_are_like_amazons(small: Kit, name: str) -> None:
    """One name for all, no extension, 365 days, RSA-2048."""
    certificate = x509.load_pem_x509_certificate((small.folder / f"gateway/{name}.pem").read_bytes())
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    size = getattr(certificate.public_key(), "key_size", None)

    assert (certificate.subject, certificate.issuer, len(certificate.extensions), lifetime, size) == (
        *(GATEWAY_NAME, GATEWAY_NAME),
        *(0, timedelta(days=365), 2048),
    )


@pytest.mark.parametrize(
    ("name", "order"),
    [("old", ["old"]), ("both-old-first", ["old", "new"]), ("both-new-first", ["new", "old"]), ("new", ["new"])],
)
def test_rotation_truststores_keep_their_order(small: Kit, name: str, order: list[str]) -> None:
    """Each truststore of the rotation holds what its name says, in that order."""
    gateway = small.folder / "gateway"

    assert (gateway / f"truststore-{name}.pem").read_text() == "".join(
        (gateway / f"{one}.pem").read_text() for one in order
    )


# --- revocation


def issuing(kit: Kit) -> Path:
    return kit.folder / "private-ca" / ("root.pem" if kit.depth == 1 else f"intermediate-{kit.depth - 1}.pem")


def test_crls_are_signed_by_the_issuing_authority(kit: Kit) -> None:
    """Openssl verifies both revocation lists with the certificate that issued the leaves."""
    lists = [kit.folder / "private-ca" / f"{name}.crl.pem" for name in ("empty", "revoked")]
    answers = [run("openssl", "crl", "-noout", "-in", path, "-CAfile", issuing(kit)).stderr.strip() for path in lists]

    assert answers == ["verify OK", "verify OK"]


@pytest.mark.parametrize(("name", "listed"), [("empty", []), ("revoked", ["revoked.pem"])])
def test_crls_list_the_revoked_serial(kit: Kit, name: str, listed: list[str]) -> None:
    """The one list names nobody, the other exactly the revoked leaf."""
    text = run("openssl", "crl", "-noout", "-text", "-in", kit.folder / "private-ca" / f"{name}.crl.pem").stdout
    leaves = [
        x509.load_pem_x509_certificate((kit.folder / "private-ca" / one).read_bytes()).serial_number for one in listed
    ]

    assert [int(serial, 16) for serial in re.findall(r"Serial Number: ([0-9A-F]+)", text)] == leaves


def test_crls_cover_the_whole_path(kit: Kit) -> None:
    """A server that wants the list of every authority finds it, and refuses the revoked leaf alone."""
    cases = [case for case in kit.cases if case.crl is not None]

    assert [verified(kit, case, "-crl_check_all") for case in cases] == [case.expected == "accepted" for case in cases]


def test_revoked_leaf_is_refused_for_its_revocation(kit: Kit) -> None:
    """Openssl gives the reason: with the list that names it the leaf is revoked."""
    folder = kit.folder / "private-ca"
    chain = ("-untrusted", folder / "chain.pem") if kit.depth > 1 else ()
    lists = ("-crl_check", "-CRLfile", folder / "revoked.crl.pem")
    answer = run("openssl", "verify", "-CAfile", folder / "truststore.pem", *chain, *lists, folder / "revoked.pem")

    assert "certificate revoked" in answer.stderr


# --- the kit on a real server


class Quiet(BaseHTTPRequestHandler):
    """Answers every GET with 200."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    """Hands each connection to a thread, which does the handshake too; refused ones are no news."""

    daemon_threads = False  # so that closing waits for them

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@contextmanager
def serving(kit: Kit, truststore: str, crl: str | None = None) -> Iterator[int]:
    """Python's TLS server with the kit's files on a free port of loopback; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(kit.folder / "server/server.pem", kit.folder / "server/server.key")
    context.load_verify_locations(kit.folder / truststore)
    if crl is not None:
        context.load_verify_locations(kit.folder / crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    with QuietServer(("127.0.0.1", 0), Quiet) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def fetch(kit: Kit, port: int, *options: str | Path) -> str:
    """What curl gets: the status, or 'refused' when the server ended the connection; other trouble by its number."""
    words = ["curl", "--silent", "--max-time", "10", "--noproxy", "*", "--output", os.devnull]
    words += ["--write-out", "%{http_code}", "--cacert", str(kit.folder / "server/server-ca.pem")]
    answer = run(*words, *options, f"https://localhost:{port}/")
    if answer.returncode in (35, 55, 56):  # the handshake, sending or receiving failed
        return "refused"
    return f"curl {answer.returncode}" if answer.returncode else answer.stdout


def shown(kit: Kit, certificate: str, key: str) -> tuple[str | Path, ...]:
    return "--cert", kit.folder / certificate, "--key", kit.folder / key


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_good_client_is_served(kit: Kit, tls: str) -> None:
    """Curl with the good leaf and its chain gets an answer from a server that trusts the root alone."""
    with serving(kit, "private-ca/truststore.pem") as port:
        client = shown(kit, "private-ca/client.pem", "private-ca/client.key")
        answer = fetch(kit, port, f"--tlsv{tls}", "--tls-max", tls, *client)

    assert answer == "200"


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_client_without_a_certificate_is_refused(kit: Kit, tls: str) -> None:
    """Curl without a certificate gets nothing from the same server."""
    with serving(kit, "private-ca/truststore.pem") as port:
        answer = fetch(kit, port, f"--tlsv{tls}", "--tls-max", tls)

    assert answer == "refused"


def test_server_says_what_the_kit_says(small: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case, put to Python's server, ends as kit.json says, but for the rotation trap."""
    (tmp_path / "openssl.cnf").write_text(PRESENTS_ANYTHING)
    monkeypatch.setenv("OPENSSL_CONF", str(tmp_path / "openssl.cnf"))  # read by curl; our own OpenSSL is loaded
    wrong: set[tuple[str, str]] = set()
    for truststore, crl in dict.fromkeys((case.truststore, case.crl) for case in small.cases):
        with serving(small, truststore, crl) as port:
            for case in small.cases:
                if (case.truststore, case.crl) == (truststore, crl):
                    answer = fetch(small, port, *shown(small, case.certificate, case.key))
                    if answer != {"accepted": "200", "rejected": "refused"}[case.expected]:
                        wrong.add((case.certificate, case.truststore))

    assert wrong == TRAPPED


# --- what the kit says of itself


def test_kit_json_is_the_kit(kit: Kit) -> None:
    """The file for programs holds what the function returned, under its schema's name."""
    told = json.loads((kit.folder / "kit.json").read_text())

    assert (told["schema"], told) == (SCHEMA, json.loads(json.dumps(kit.to_json())))


def test_kit_json_lists_every_file_and_nothing_else(kit: Kit) -> None:
    """The entries are the files, each once."""
    told = [entry["path"] for entry in json.loads((kit.folder / "kit.json").read_text())["entries"]]
    there = [path.relative_to(kit.folder).as_posix() for path in kit.folder.rglob("*") if path.is_file()]

    assert sorted(told) == sorted(there)


def test_cases_name_files_of_the_kit(kit: Kit) -> None:
    """Every path of a case is that of an entry of the right kind."""
    kinds = {entry.path: entry.kind for entry in kit.entries} | {None: None}
    wanted = {
        (Kind.CERTIFICATE, Kind.KEY, Kind.TRUSTSTORE, chain, crl) for chain in (None, "chain") for crl in (None, "crl")
    }

    assert {
        (kinds[case.certificate], kinds[case.key], kinds[case.truststore], kinds[case.chain], kinds[case.crl])
        for case in kit.cases
    } <= wanted


def test_every_case_has_its_positive_twin(kit: Kit) -> None:
    """Each truststore that somebody must be kept out of has somebody who must be let in."""
    sides = {
        expected: {(case.truststore, case.crl) for case in kit.cases if case.expected == expected}
        for expected in ("accepted", "rejected")
    }

    assert sides["rejected"] and sides["rejected"] <= sides["accepted"]


def test_every_defect_is_there_for_each_of_its_profiles(kit: Kit) -> None:
    """The folders are the catalogue of defects."""
    wanted = {f"defects/{profile}/{defect.name}" for defect in DEFECTS.values() for profile in defect.profiles}

    assert {path.relative_to(kit.folder).as_posix() for path in kit.folder.glob("defects/*/*")} == wanted


def test_one_gateway_name_in_a_truststore_outside_the_rotation(small: Kit) -> None:
    """Two certificates of the gateway's name would disturb each other; only the rotation wants that."""
    bundles = [entry.path for entry in small.entries if entry.kind is Kind.TRUSTSTORE and "both" not in entry.path]
    counts = {
        path: [one.subject for one in x509.load_pem_x509_certificates((small.folder / path).read_bytes())].count(
            GATEWAY_NAME
        )
        for path in bundles
    }

    assert max(counts.values()) == 1


def test_readme_tells_why_each_defect_matters(kit: Kit) -> None:
    """The text for people has a line for every defect of every profile."""
    text = (kit.folder / "README.md").read_text()
    lines = [
        f"| `defects/{profile}/{defect.name}` | {defect.why} |"
        for defect in DEFECTS.values()
        for profile in defect.profiles
    ]

    assert [line for line in lines if line not in text.splitlines()] == []


def test_documents_do_not_tell_where_the_kit_was_made(small: Kit) -> None:
    """A kit can be handed on: no path of this machine stands in it."""
    texts = [(small.folder / name).read_text() for name in ("README.md", "kit.json")]

    assert [str(small.folder.parent) in text for text in texts] == [False, False]


def test_cases_hold_from_the_day_of_the_kit_until_it_expires(tmp_path: Path) -> None:
    """Just before it expires openssl says of every certificate what it said on the first day."""
    now = datetime(2031, 3, 1, 12, tzinfo=UTC)
    kit = write_kit(tmp_path / "kit", clock=lambda: now)
    first, last = (f"{moment.timestamp():.0f}" for moment in (now, kit.expires - timedelta(minutes=1)))
    said = {moment: [verified(kit, case, "-attime", moment) for case in kit.cases] for moment in (first, last)}

    assert (kit.created, said[first]) == (now, said[last])


# --- the folder


def test_modes_keep_others_out(kit: Kit) -> None:
    """Folders are open to their owner alone, and so are private keys."""
    folders = {path.stat().st_mode & 0o777 for path in (kit.folder, *kit.folder.rglob("*")) if path.is_dir()}
    keys = {path.stat().st_mode & 0o777 for path in kit.folder.rglob("*.key")}

    assert (folders, keys) == ({0o700}, {0o600})


def test_no_private_key_outside_the_key_files(kit: Kit) -> None:
    """Keys stand in files of their own, all of which are listed as keys."""
    holders = {path for path in kit.folder.rglob("*") if path.is_file() and "PRIVATE KEY" in path.read_text()}

    assert holders == {kit.folder / entry.path for entry in kit.entries if entry.kind is Kind.KEY}


def test_two_kits_share_no_key(tmp_path: Path, small: Kit) -> None:
    """Every kit is made afresh."""
    other = write_kit(tmp_path / "kit")

    assert {case.sha256 for case in other.cases}.isdisjoint(case.sha256 for case in small.cases)


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    """A folder that is there and empty becomes the kit, with nothing beside it."""
    (tmp_path / "kit").mkdir(mode=0o755)
    write_kit(tmp_path / "kit")

    assert ((tmp_path / "kit").stat().st_mode & 0o777, os.listdir(tmp_path)) == (0o700, ["kit"])


def test_link_to_an_empty_folder_stays_a_link(tmp_path: Path) -> None:
    """The kit goes where a symbolic link points."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    write_kit(tmp_path / "link")

    assert (tmp_path / "link").is_symlink() and (tmp_path / "there/kit.json").is_file()


def a_folder_with_a_file(root: Path) -> Path:
    (root / "kit").mkdir()
    (root / "kit/precious").write_text("mine")
    return root / "kit"


def a_file(root: Path) -> Path:
    (root / "kit").write_text("mine")
    return root / "kit"


def below_a_file(root: Path) -> Path:
    return a_file(root) / "kit"


def without_a_parent(root: Path) -> Path:
    return root / "nowhere" / "kit"


def a_name_too_long(root: Path) -> Path:
    return root / ("k" * 300)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (a_folder_with_a_file, r"kit folder \(.*kit\): expected a new or empty folder, saw files in it\. Give"),
        (a_file, r"kit folder \(.*kit\): expected a new or empty folder, saw a file\. Give"),
        (below_a_file, r"kit folder \(.*kit\): expected .* that can be written, saw: Not a directory\. Give"),
        (without_a_parent, r"kit folder \(.*kit\): expected .*, saw: No such file or directory\. Give .* make the fol"),
        (a_name_too_long, r"kit folder \(.*kkk\): expected .*, saw: File name too long\. Give"),
    ],
)
def test_folder_that_cannot_be_used_is_refused(tmp_path: Path, target: Callable[[Path], Path], message: str) -> None:
    """A target that is not new or empty, or cannot be made, is the user's mistake, and nothing changes."""
    folder = target(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=message):
        write_kit(folder)

    assert sorted(tmp_path.rglob("*")) == before


def test_working_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's working directory is replaced under his feet."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"kit folder \(\.\): expected a folder to be made, saw the working directory"):
        write_kit(Path("."))


def test_folder_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing permission is told as such (played, because root may write everywhere)."""

    def forbidden(path: str, mode: int = 0o777) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "mkdir", forbidden)
    with pytest.raises(UsageError, match=r"kit folder \(.*kit\): expected .*, saw: Permission denied\. Give another"):
        write_kit(tmp_path / "kit")


@pytest.mark.parametrize("depth", [0, 5])
def test_depth_out_of_range_is_refused(tmp_path: Path, depth: int) -> None:
    """API Gateway knows one to four CA certificates; nothing is written for another number."""
    with pytest.raises(UsageError, match=rf"depth \({depth}\): expected 1 to 4 CA certificates"):
        write_kit(tmp_path / "kit", depth=depth)

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("trouble", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left on device"), UsageError)],
    ids=["interrupt", "full disk"],
)
def test_kit_that_cannot_be_finished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: BaseException, raised: type[BaseException]
) -> None:
    """Neither an interrupt nor a full disk in the middle of the work leaves a file behind."""
    written: list[Path] = []

    def write(path: Path, content: bytes) -> None:
        if len(written) == 10:
            raise trouble
        write_private(path, content)
        written.append(path)

    monkeypatch.setattr(kit_module, "write_private", write)
    with pytest.raises(raised):
        write_kit(tmp_path / "kit")

    assert (len(written), os.listdir(tmp_path)) == (10, [])


def test_folder_that_is_filled_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """What somebody puts in the target's place while the kit is made is not replaced."""

    def clock() -> datetime:
        (tmp_path / "kit").mkdir(exist_ok=True)
        (tmp_path / "kit/theirs").touch()
        return datetime.now(UTC)

    with pytest.raises(UsageError, match="saw: Directory not empty"):
        write_kit(tmp_path / "kit", clock=clock)

    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["kit", "kit/theirs"]
