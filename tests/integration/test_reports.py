"""The reports of real runs: valid by the published schema, readable by CI servers, and the same story on the terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from pytest_mtls.harness.backend.contract import Capability
from pytest_mtls.harness.backend.faulty import start_faulty
from pytest_mtls.harness.options import OPTIONS
from pytest_mtls.harness.outcome import Result
from pytest_mtls.harness.pki.gateway_certificate import control_credential
from pytest_mtls.harness.report.model import Summary
from pytest_mtls.harness.scenario import Level, Profile
from pytest_mtls.harness.tls.observation import Closing, Phase, TlsVersion, Trouble

from .checks import PROGRAM, clean_environment, once
from .runs import Run, Runs

REPORTS = ("--json", "report.json", "--junit", "junit.xml")
SCHEMA: dict[str, Any] = json.loads(
    files("pytest_mtls.harness.report").joinpath("report.schema.json").read_text("utf-8")
)
DOCUMENT = Path(__file__).parents[2] / "docs" / "report.md"


# --- runs, each made once for all tests


@dataclass(frozen=True, slots=True)
class Reported:
    """A run and its reports."""

    run: Run
    junit: bytes

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report."""
        assert self.run.report is not None
        return self.run.report

    @property
    def result(self) -> str:
        """The summary's word."""
        return str(self.report["summary"]["result"])


def _conformant(runs: Runs) -> Run:
    return runs("check", *REPORTS, "--profile", "all")


def _nonconformant(runs: Runs) -> Run:
    faults = ("--fault", "dn-only", "--fault", "near-expiry-gateway")
    return runs(
        "check", "--server", "reference", *faults, "--scenario", "trust/*", "--scenario", "readiness/*", *REPORTS
    )


def _warned(runs: Runs) -> Run:
    return runs("check", "--fault", "near-expiry-gateway", "--scenario", "readiness/*", *REPORTS)


def _strictly_warned(runs: Runs) -> Run:
    return runs("check", "--fault", "near-expiry-gateway", "--scenario", "readiness/*", "--strict", *REPORTS)


def _partial(runs: Runs, *options: str) -> Run:
    good = control_credential()
    good.write(runs.folder, "client")
    with start_faulty(runs.folder / "server", (), good) as backend:
        client = ("--client-cert", "client.pem", "--client-key", "client.key")
        return runs("check", "--url", backend.url, *client, "--scenario", "trust/*", *options, *REPORTS)


def _strictly_partial(runs: Runs) -> Run:
    return _partial(runs, "--strict")


def _inconclusive(runs: Runs) -> Run:
    (runs.folder / "server.py").write_text(
        "import sys; sys.stdout.buffer.write(b'\\x1b[31mr\\x00e\\x08d <&> \\xff\\xfe\\xed\\xa0\\x80\\n'); sys.exit(1)"
    )
    return runs("check", "--command", f"{sys.executable} server.py", "--scenario", "p*/*", *REPORTS)


def _interrupted(runs: Runs) -> Run:
    process = runs.start("check", *REPORTS)
    assert process.stdout is not None
    for line in iter(process.stdout.readline, ""):
        if line.startswith("passed"):
            process.send_signal(signal.SIGTERM)
            break
    return runs.end(process)


RUNS: dict[str, tuple[Callable[[Runs], Run], str, int]] = {
    "conformant": (_conformant, "conformant", 0),
    "nonconformant": (_nonconformant, "nonconformant", 1),
    "warned": (_warned, "conformant", 0),
    "strictly warned": (_strictly_warned, "nonconformant", 1),
    "partial": (_partial, "partial", 0),
    "strictly partial": (_strictly_partial, "partial", 3),
    "inconclusive": (_inconclusive, "inconclusive", 3),
    "interrupted": (_interrupted, "inconclusive", 3),
}


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Reported]:
    """The run of a name, which is made by the first test, of whichever worker, that asks for it."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def get(name: str) -> Reported:
        def fill(folder: Path) -> None:
            runs = Runs(folder)
            run = RUNS[name][0](runs)
            (folder / "run").write_bytes(pickle.dumps(Reported(run, (runs.folder / "junit.xml").read_bytes())))

        folder = once(root, f"reported-{name.replace(' ', '-')}", fill)
        found: Reported = pickle.loads((folder / "run").read_bytes())
        return found

    return get


@pytest.fixture(params=RUNS)
def each(request: pytest.FixtureRequest, reported: Callable[[str], Reported]) -> Reported:
    """Each run in turn."""
    return reported(request.param)


# --- exit codes


@pytest.mark.parametrize("name", RUNS)
def test_the_exit_code_follows_the_result(reported: Callable[[str], Reported], name: str) -> None:
    """0, 1 and 3 say what the report says; --strict takes neither a warning nor a partial result for success."""

    _, result, code = RUNS[name]
    found = reported(name)
    assert (found.result, found.run.code, found.run.err, found.run.left) == (result, code, "", ())


# --- JSON


def test_every_report_is_valid(each: Reported) -> None:
    """By the schema that is installed with the tool."""

    errors = [f"{one.json_path}: {one.message}" for one in Draft202012Validator(SCHEMA).iter_errors(each.report)]
    assert errors == []


def test_the_summary_counts_the_scenarios(each: Reported) -> None:
    """What no schema can say."""

    outcomes = [one["outcome"] for one in each.report["scenarios"]]
    assert {word: each.report["summary"][word] for word in Result} == {word: outcomes.count(word) for word in Result}
    assert len({(one["id"], one["profile"]) for one in each.report["scenarios"]}) == len(outcomes)


def test_no_private_key_is_in_a_report(each: Reported) -> None:
    """Reports are passed around."""

    assert "PRIVATE KEY" not in json.dumps(each.report) + each.junit.decode() + each.run.out


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in the schema that has members."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)


def members() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every member of every object, with its schema."""
    for one in objects(SCHEMA):
        yield from one["properties"].items()


def test_the_schema_is_one() -> None:
    """By its own schema."""

    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("schema", list(objects(SCHEMA)), ids=lambda schema: schema["description"])
def test_the_schema_leaves_nothing_open(schema: dict[str, Any]) -> None:
    """All members are named; but for the times of phases that were not reached, all are always there."""

    assert schema["additionalProperties"] is False
    assert set(schema["required"]) in ({*schema["properties"]}, {"end"})


@pytest.mark.parametrize(("name", "schema"), list(members()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_member_is_described_in_a_sentence(name: str, schema: dict[str, Any]) -> None:
    """The schema is documentation too."""

    assert re.fullmatch(r"[A-Z][^\n]+\.", schema["description"]), name


def test_the_words_of_the_schema_are_those_of_the_code() -> None:
    """A new word is added in both."""

    definitions = SCHEMA["$defs"]
    scenario, observation = definitions["scenario"]["properties"], definitions["observation"]["properties"]
    assert SCHEMA["properties"]["summary"]["properties"]["result"]["enum"] == list(Summary)
    assert scenario["outcome"]["enum"] == list(Result)
    assert scenario["level"]["enum"] == list(Level)
    assert definitions["profile"]["enum"] == list(Profile)
    assert definitions["capability"]["enum"] == list(Capability)
    assert definitions["tls"]["enum"] == list(TlsVersion)
    assert definitions["phase"]["enum"] == [phase.word for phase in Phase]
    assert definitions["trouble"]["properties"]["kind"]["enum"] == list(Trouble)
    assert observation["close"]["enum"] == [*Closing, None]
    assert list(observation["milliseconds"]["properties"]) == [*(one.word for one in list(Phase)[1:]), "end"]


# --- the document


def test_the_document_names_every_member_and_word() -> None:
    """What is in a report is explained; nothing else is needed to read one."""

    text = re.sub(r"```.*?```", "", DOCUMENT.read_text("utf-8"), flags=re.DOTALL)
    named = {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"[\w-]+", code)}
    wanted = {name for name, _ in members()}
    wanted |= {
        word for schema in (SCHEMA["properties"], SCHEMA["$defs"]) for word in _words(schema, {"capability", "kind"})
    }
    assert wanted - named == set()


def _words(schema: Any, without: set[str]) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (word for word in schema.get("enum", ()) if word and not re.match(r"\d", word))
        for name, value in schema.items():
            if name not in without:
                yield from _words(value, without)


def test_the_example_of_the_document_is_valid() -> None:
    """It would be copied into somebody's test."""

    (example,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert list(Draft202012Validator(SCHEMA).iter_errors(json.loads(example))) == []


# --- JUnit


def test_junit_tells_the_same_story(each: Reported) -> None:
    """One test case a scenario, with the element that its outcome asks for, and one a problem of the run."""

    elements = {"failed": "failure", "inconclusive": "error", "skipped": "skipped", "warned": "system-out"}
    suite = ElementTree.fromstring(each.junit)[0]
    told = [(case.get("name"), [child.tag for child in case]) for case in suite.iter("testcase")]
    expected = [
        (f"{one['id']} [{one['profile']}]", [elements[one["outcome"]]] if one["outcome"] in elements else [])
        for one in each.report["scenarios"]
    ]
    assert told == expected + [("run", ["error"])] * len(each.report["summary"]["problems"])


def test_junit_counts_what_it_tells(each: Reported) -> None:
    """CI servers believe the attributes."""

    suite = ElementTree.fromstring(each.junit)[0]
    counted = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    assert {name: int(suite.get(name, "")) for name in counted} == {
        name: len(suite.findall(f".//{tag}")) for name, tag in counted.items()
    }


def test_junit_has_a_finding_with_its_remedy(reported: Callable[[str], Reported]) -> None:
    """Message, level, evidence, remedy, sources and how to repeat it."""

    suite = ElementTree.fromstring(reported("nonconformant").junit)[0]
    (failure,) = suite.findall(".//testcase[@name='trust/other-customer-same-name [gateway]']/failure")
    assert failure.get("type") == "MUST"
    assert "other-customer: expected rejected, saw accepted: HTTP 200" in failure.get("message", "")
    assert failure.text is not None
    for line in (
        "TLS 1.3  other-customer: expected rejected",
        "remedy: ",
        "source: RFC 5280",
        "reproduce: pytest-mtls ",
    ):
        assert f"\n{line}" in failure.text


def test_junit_can_be_read_whatever_a_log_has(reported: Callable[[str], Reported]) -> None:
    """Control characters, broken UTF-8 and half a surrogate pair are in this one."""

    error = ElementTree.fromstring(reported("inconclusive").junit).find(".//error")
    assert error is not None
    assert re.search(r"its last lines: r.?e.?d <&> .*\. It has to keep running", error.get("message", ""))


# --- the terminal


def normalised(text: str) -> str:
    """*text* without what differs from run to run."""
    text = re.sub(r"in \d+\.\d s", "in N s", text)
    text = re.sub(r"Python/\S+ aiohttp/\S+", "Python/V aiohttp/V", text)
    return re.sub(r"pytest-mtls \S+ \(OpenSSL [^)]+\)", "pytest-mtls V (OpenSSL)", text)


SIGHT = """
what I see
  TLS        1.2 (ECDHE-ECDSA-AES256-GCM-SHA384); 1.3 (TLS_AES_256_GCM_SHA384)
  asks for   a client certificate, of CN=ApiGateway,L=Seattle,C=US
  HTTP       1.1; no HTTP/2: chooses nothing by ALPN
  sessions   gives tickets
  server     Python/V aiohttp/V
"""
FINDING = """
failed trust/other-customer-same-name (MUST)
  required   Another AWS customer's gateway certificate MUST be refused.
  seen       TLS 1.2, other-customer: expected rejected, saw accepted: HTTP 200
  seen       TLS 1.3, other-customer: expected rejected, saw accepted: HTTP 200
  remedy     Verify the certificate against the truststore, or compare its SHA-256 fingerprint with the pinned one.
             Names, serial numbers and dates prove nothing: every API Gateway certificate of every AWS customer bears
             the name C=US, L=Seattle, CN=ApiGateway, and the rest of a certificate is readable by anyone with API
             access.
  source     RFC 5280 6.1
  reproduce  pytest-mtls check --fault dn-only --scenario trust/other-customer-same-name --profile gateway --keep DIR
"""
TWO = ("--scenario", "presence/*")
ONE_FAILS = ("--fault", "dn-only", "--scenario", "trust/other-*", "--scenario", "trust/self-*")
SNAPSHOTS = {
    "conformant": (
        TWO,
        f"""\
pytest-mtls V (OpenSSL): reference, profile gateway
{SIGHT}
passed       presence/no-certificate                        rejected: alert 40 handshake_failure (TLS 1.2); \
rejected: alert 116 certificate_required (TLS 1.3)
passed       presence/certificate-requested                 CertificateRequest sent

conformant: 2 passed in N s
""",
    ),
    "quiet": ((*TWO, "-q"), "\nconformant: 2 passed in N s\n"),
    "verbose": (
        (*TWO, "-v"),
        f"""\
pytest-mtls V (OpenSSL): reference, profile gateway
{SIGHT}
passed       presence/no-certificate                        rejected: alert 40 handshake_failure (TLS 1.2); \
rejected: alert 116 certificate_required (TLS 1.3)
               TLS 1.2  no certificate: rejected: alert 40 handshake_failure
               TLS 1.3  no certificate: rejected: alert 116 certificate_required
passed       presence/certificate-requested                 CertificateRequest sent
               TLS 1.2  certificate request: CertificateRequest sent
               TLS 1.3  certificate request: CertificateRequest sent

conformant: 2 passed in N s
""",
    ),
    "failing": (
        ONE_FAILS,
        f"""\
pytest-mtls V (OpenSSL): reference (dn-only), profile gateway
{SIGHT}
failed       trust/other-customer-same-name                 other-customer: expected rejected, saw accepted: HTTP 200
passed       trust/self-signed-stranger                     rejected: HTTP 403
{FINDING}
nonconformant: 1 passed, 1 failed in N s
""",
    ),
    "failing, quiet": (
        (*ONE_FAILS, "-q"),
        f"""\
failed       trust/other-customer-same-name                 other-customer: expected rejected, saw accepted: HTTP 200
{FINDING}
nonconformant: 1 passed, 1 failed in N s
""",
    ),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_the_terminal_shows_this(tmp_path: Path, name: str) -> None:
    """As it is meant to look where there is neither colour nor width."""

    options, expected = SNAPSHOTS[name]
    assert normalised(Runs(tmp_path)("check", *options).out) == expected


def on_a_terminal(*arguments: str, columns: int, **environment: str) -> str:
    """What a pseudo-terminal of so many columns shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {
        name: value for name, value in clean_environment().items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
    }
    with subprocess.Popen(
        [PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=inherited | environment
    ) as process:
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
        process.wait(timeout=60)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux: nobody has the other end open any more
        return b""


def test_a_terminal_gets_colours_and_lines_that_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long reasons end in an ellipsis, findings are wrapped; nothing runs over the edge but the command to copy."""

    monkeypatch.chdir(tmp_path)
    shown = on_a_terminal("check", *ONE_FAILS, *TWO, columns=80)
    assert "\x1b[1;31mfailed      \x1b[0m trust/other-customer-same-name" in shown
    assert "\x1b[32mpassed      \x1b[0m presence/no-certificate" in shown
    assert "\x1b[1;31mnonconformant\x1b[0m: 3 passed, 1 failed" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert re.search(r"^passed {7}presence/no-certificate {24}rejected: alert 40 …$", plain, re.MULTILINE)
    assert [line for line in plain.splitlines()[1:] if len(line) > 80 and "reproduce" not in line] == []


def test_a_terminal_gets_no_colours_when_it_wants_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR, see no-color.org."""

    monkeypatch.chdir(tmp_path)
    shown = on_a_terminal("check", *TWO, columns=132, NO_COLOR="1")
    assert "\x1b" not in shown
    assert "conformant: 2 passed in" in shown


def test_a_partial_result_is_said_loudly(reported: Callable[[str], Reported]) -> None:
    """Exit code 0, but nobody should take it for the whole."""

    out = reported("partial").run.out
    assert re.search(r"^PARTIAL: \d+ MUST scenarios were not run, because the target lacks: start$", out, re.MULTILINE)
    assert "remedy     Let the harness start the backend (--command, --server) for the whole judgement." in out
    assert re.search(r"^partial: \d+ passed, \d+ skipped in ", out, re.MULTILINE)


def test_a_warning_is_shown_with_its_remedy(reported: Callable[[str], Reported]) -> None:
    """A SHOULD that does not hold does not fail the run."""

    out = reported("warned").run.out
    assert re.search(
        r"^warned readiness/gateway-certificate-expiry \(SHOULD\)$\n  required .*\n  seen ", out, re.MULTILINE
    )
    assert re.search(r"^conformant: 1 warned in ", out, re.MULTILINE)


def test_help_has_every_option(tmp_path: Path) -> None:
    """And says what it does."""

    out = Runs(tmp_path)("check", "--help").out
    assert [one.name for one in OPTIONS if f"--{one.name} " not in out] == []
