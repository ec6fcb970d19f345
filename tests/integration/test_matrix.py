"""Many servers side by side: what a run of the matrix says, writes and leaves behind, whatever its servers do."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pytest_mtls.harness.matrix.plan import installed
from pytest_mtls.harness.report.changes import KINDS
from pytest_mtls.harness.wait import poll_until

from .checks import processes_of
from .made_reports import FAILED, FAILS, HOLDS, INCONCLUSIVE, PASSED, SKIPPED, WARNED, outcome, report
from .runs import UNRULY, Run, Runs

TWO = ("--scenario", "presence/no-certificate", "--scenario", "trust/other-customer-same-name")
BOTH = ("--server", "reference", "--check", "faulty=--fault dn-only")
QUICK = ("--scenario", "presence/no-certificate")
PYTHON = f"'{sys.executable}' '{UNRULY}'"


def schema(name: str) -> dict[str, Any]:
    """A schema that is installed with the tool."""
    text = files("pytest_mtls.harness.report").joinpath(f"{name}.schema.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


SCHEMA = schema("matrix")
VALIDATOR = Draft202012Validator(
    SCHEMA, registry=Registry().with_resource("urn:pytest-mtls:report:1", Resource.from_contents(schema("report")))
)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Starts the program."""
    return Runs(tmp_path)


def written(runs: Runs, name: str = "matrix.json") -> dict[str, Any]:
    """The JSON that a run wrote, which has to be valid."""
    data: dict[str, Any] = json.loads((runs.folder / name).read_text("utf-8"))
    assert [f"{one.json_path}: {one.message}" for one in VALIDATOR.iter_errors(data)] == []
    return data


def matrix(runs: Runs, *arguments: str, within: float = 120) -> Run:
    """Carry it out, with a page and a document as output; nothing may be left behind."""
    run = runs("matrix", *arguments, "--json", "matrix.json", "--html", "matrix.html", within=within)
    assert run.is_clean, (run.left, run.said)
    return run


# --- running


def test_servers_stand_side_by_side(runs: Runs) -> None:
    """Findings do not fail the matrix: it was made to find them."""

    run = matrix(runs, *BOTH, *TWO)
    data = written(runs)
    assert (run.code, run.err) == (0, "")
    assert [(one["name"], one["report"]["summary"]["result"]) for one in data["servers"]] == [
        ("reference", "conformant"),
        ("faulty", "nonconformant"),
    ]
    assert data["compared"] is None
    assert re.search(r"^conformant +reference +2 passed in \d+\.\d s$", run.out, re.MULTILINE)
    assert re.search(r"^nonconformant +faulty +1 passed, 1 failed in ", run.out, re.MULTILINE)
    assert "failed: trust/other-customer-same-name\n" in run.out
    assert re.search(r"\n2 servers: 1 conformant, 1 nonconformant in \d+\.\d s\n$", run.out)
    page = (runs.folder / "matrix.html").read_text("utf-8")
    assert all(word in page for word in ("reference", "faulty", "i-failed"))


def test_the_servers_of_a_matrix_are_those_installed() -> None:
    """Without any named; the reference first."""

    assert installed()[0] == "reference"
    assert len(set(installed())) == len(installed())


def test_a_server_that_hangs_on_start_has_a_column_that_says_so(runs: Runs) -> None:
    """It is given up when its time is over, and the others are judged."""

    hanging = f'hangs=--command "{PYTHON} --then hang" --start-within 600 --timeout 60'
    run = matrix(runs, "--server", "reference", "--check", hanging, *QUICK, "--within", "20")
    reference, hangs = written(runs)["servers"]
    assert run.code == 3
    assert (reference["problem"], hangs["problem"]) == (None, "not done within 20 s (--within)")
    assert reference["report"]["summary"]["result"] == "conformant"
    assert re.search(r"^not judged +hangs +not done within 20 s", run.out, re.MULTILINE)
    assert "not done within 20 s" in (runs.folder / "matrix.html").read_text("utf-8")


def test_a_server_that_never_answers_is_not_judged(runs: Runs) -> None:
    """The check itself gave it up, and its report says why."""

    silent = f'silent=--command "{PYTHON} --then hang" --start-within 1 --timeout 1'
    run = matrix(runs, "--check", silent, *QUICK)
    (column,) = written(runs)["servers"]
    assert (run.code, column["problem"]) == (3, None)
    assert column["report"]["summary"]["inconclusive"] == 1
    assert re.search(r"^not judged +silent +nothing was judged: .*expected a TLS server", run.out, re.MULTILINE)


def test_a_server_that_dies_in_the_middle_keeps_what_was_seen(runs: Runs) -> None:
    """And is not taken for one that was judged."""

    dying = f'dies=--command "{PYTHON} --after 12 --then die"'
    run = matrix(runs, "--server", "reference", "--check", dying, "--scenario", "presence/*", "--scenario", "trust/*")
    reference, dies = written(runs)["servers"]
    assert (run.code, reference["report"]["summary"]["result"]) == (3, "conformant")
    assert dies["report"]["summary"]["passed"] >= 1
    assert dies["report"]["summary"]["inconclusive"] >= 1
    assert re.search(r"^not judged +dies +.*exited with code 9", run.out, re.MULTILINE)


def test_a_check_that_is_killed_leaves_nothing_and_has_its_column(runs: Runs) -> None:
    """It could not end its server any more, which then would run for ever."""

    slow = f'slow=--command "{PYTHON} --then hang --ignore-term --grandchild" --start-within 600 --timeout 60'
    process = runs.start("matrix", "--check", slow, *QUICK, "--json", "matrix.json")
    assert poll_until(lambda: bool(runs.processes("sleep 600")), 30)
    (check,) = [one for one in Path("/proc").glob("[0-9]*") if is_check(one, runs)]
    os.kill(int(check.name), signal.SIGKILL)
    run = runs.end(process)
    assert (run.code, run.left) == (3, ())
    assert written(runs)["servers"][0]["problem"] == "the check ended by SIGKILL"


def is_check(process: Path, runs: Runs) -> bool:
    """Whether it is the process of a check in the run."""
    try:
        command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
    except OSError:
        return False
    return b"harness.cli" in command and b"\0check\0" in command and os.fsencode(runs.temporary) in environment


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_an_interruption_leaves_nothing_running_and_keeps_what_is_done(runs: Runs, stop: signal.Signals) -> None:
    """The reports are written; those under way, and those that were still to come, say so."""

    slow = f'slow=--command "{PYTHON} --then hang --grandchild" --start-within 600 --timeout 60'
    files = ("--json", "matrix.json", "--html", "matrix.html")
    later = ("--check", "later=--fault dn-only")
    process = runs.start("matrix", "--server", "reference", "--check", slow, *later, *QUICK, "-n", "1", *files)
    assert poll_until(lambda: bool(runs.processes("sleep 600")), 60)
    process.send_signal(stop)
    run = runs.end(process)
    assert (run.code, run.left) == (3, ())
    assert [one["problem"] for one in written(runs)["servers"]] == [
        None,
        "interrupted before its run had come to its end",
        "interrupted before its run began",
    ]
    assert (runs.folder / "matrix.html").exists()
    assert processes_of(runs.temporary) == []


# --- reports that were made elsewhere


def put(runs: Runs, name: str, *outcomes: Any, problems: tuple[str, ...] = ()) -> str:
    """Write the report of a run with these outcomes; returns the file's name."""
    made = report(*outcomes, problems=problems).to_json()
    (runs.folder / name).write_text(json.dumps(made))
    return name


def test_reports_and_matrices_are_merged_without_running_anything(runs: Runs) -> None:
    """Names can be given; two of one name get a number."""

    first, second = put(runs, "a.json", outcome(PASSED)), put(runs, "b.json", outcome(FAILED))
    assert matrix(runs, "--from", first, "--from", second, "--from", f"mine={first}").code == 0
    data = written(runs)
    assert [(one["name"], one["source"]) for one in data["servers"]] == [
        ("./server", "a.json"),
        ("./server (2)", "b.json"),
        ("mine", "a.json"),
    ]
    (runs.folder / "matrix.json").rename(runs.folder / "old.json")
    assert matrix(runs, "--from", "old.json").code == 0
    assert [one["name"] for one in written(runs)["servers"]] == [one["name"] for one in data["servers"]]


def test_a_report_of_the_first_version_can_still_be_read(runs: Runs) -> None:
    """Members came later; a report without them is one all the same, and so is one with members still to come."""

    data = report(outcome(FAILED)).to_json() | {"news": {"more": 1}}
    for name in ("seen", "seconds"):
        del data[name]
    data["seconds"] = 3
    del data["scenarios"][0]["timeline"]
    (runs.folder / "old.json").write_text(json.dumps(data))
    assert runs("matrix", "--from", "old.json", "--html", "page.html").code == 0
    assert "not so" not in (runs.folder / "page.html").read_text("utf-8")


# --- what changed


@pytest.mark.parametrize(
    ("before", "after", "kind", "code"),
    [
        (PASSED, PASSED, None, 0),
        (PASSED, FAILED, "worse", 1),
        (WARNED, FAILED, "worse", 1),
        (SKIPPED, FAILED, "worse", 1),
        (INCONCLUSIVE, FAILED, "worse", 1),
        (PASSED, WARNED, "worse", 1),
        (FAILED, PASSED, "better", 0),
        (WARNED, PASSED, "better", 0),
        (PASSED, INCONCLUSIVE, "lost", 3),
        (FAILED, SKIPPED, "lost", 3),
        (SKIPPED, PASSED, "proved", 0),
        (SKIPPED, INCONCLUSIVE, "other", 0),
        (None, FAILED, "new", 0),
        (PASSED, None, "gone", 0),
    ],
)
def test_the_exit_code_follows_what_got_worse(runs: Runs, before: Any, after: Any, kind: str | None, code: int) -> None:
    """1 for a scenario that got worse; 3 for what is not proved any more; else 0."""

    def of(result: Any) -> list[Any]:
        level = "SHOULD" if WARNED in (before, after) else "MUST"
        cases = (FAILS if result in (FAILED, WARNED) else HOLDS,)
        changed = [] if result is None else [outcome(result, id="trust/one", level=level, cases=cases)]
        return [outcome(PASSED, id="trust/other"), *changed]

    old, new = put(runs, "old.json", *of(before)), put(runs, "new.json", *of(after))
    run = matrix(runs, "--from", new, "--compare", old)
    compared = written(runs)["compared"]
    assert run.code == code
    assert [(one["id"], one["kind"]) for one in compared["changes"]] == ([("trust/one", kind)] if kind else [])
    assert ("nothing has changed" in run.out) == (kind is None)
    page = (runs.folder / "matrix.html").read_text("utf-8")
    assert ("None: every scenario has the outcome that it had." in page) == (kind is None)
    if kind not in (None, "new", "gone"):
        assert re.search(rf"^{kind} +\./server trust/one \[gateway\]: {before}, now {after}: because it", run.out, re.M)


def test_a_server_that_broke_is_compared_as_not_proved(runs: Runs) -> None:
    """No report at all is no reason to call everything gone."""

    old = put(runs, "old.json", outcome(PASSED), outcome(SKIPPED))
    data = {"schema": "pytest-mtls/matrix/1", "servers": [{"name": "./server", "problem": "it hung", "report": None}]}
    (runs.folder / "new.json").write_text(json.dumps(data))
    run = matrix(runs, "--from", "new.json", "--compare", old)
    assert run.code == 3
    assert [one["kind"] for one in written(runs)["compared"]["changes"]] == ["lost", "gone"]


def test_a_fault_shows_as_a_scenario_that_got_worse(runs: Runs) -> None:
    """On real runs: the same column before and after somebody broke the server, and after it was mended."""

    assert matrix(runs, "--check", "mine=--server reference", *TWO).code == 0
    (runs.folder / "matrix.json").rename(runs.folder / "good.json")
    worse = matrix(runs, "--check", "mine=--fault dn-only", *TWO, "--compare", "good.json")
    assert worse.code == 1
    assert "worse   mine trust/other-customer-same-name [gateway]: passed, now failed: other-customer" in worse.out
    (runs.folder / "matrix.json").rename(runs.folder / "bad.json")
    better = matrix(runs, "--check", "mine=--server reference", *TWO, "--compare", "bad.json")
    assert better.code == 0
    assert re.search(r"^1 better$", better.out, re.MULTILINE)


# --- what cannot be used


def spoilt(change: Any) -> str:
    """A report with a *change*, as text."""
    data = json.loads(json.dumps(report(outcome(PASSED)).to_json()))
    change(data)
    return json.dumps(data)


BAD = {
    "no file": (None, "expected a report that can be read, saw: No such file or directory"),
    "empty": ("", "expected JSON, saw: Expecting value"),
    "no JSON": ("<html>", "expected JSON, saw: Expecting value"),
    "cut": ('{"schema": "pytest-', "expected JSON, saw: Unterminated string"),
    "deep": ("[" * 100_000, "expected JSON, saw: "),
    "a list": ("[]", "the document: expected an object, saw a list"),
    "another document": ("{}", "schema: expected pytest-mtls/report/1 or pytest-mtls/matrix/1."),
    "a later version": ('{"schema": "pytest-mtls/report/2"}', "saw 'pytest-mtls/report/2'"),
    "no servers": ('{"schema": "pytest-mtls/matrix/1", "servers": []}', "servers: expected one at least, saw none"),
    "no scenarios": (spoilt(lambda data: data.pop("scenarios")), "scenarios: expected a list, saw nothing"),
    "a word": (spoilt(lambda data: data["scenarios"][0].update(outcome="fine")), "scenarios[0].outcome: expected one"),
    "a number": (spoilt(lambda data: data["scenarios"][0].update(reason=7)), ".reason: expected a text, saw a number"),
    "a time": (spoilt(lambda data: data.update(started="today")), "started: expected a time such as 2026-"),
    "inside": (
        spoilt(lambda data: data["scenarios"][0]["cases"][0].update(observations=[3])),
        "scenarios[0].cases[0].observations[0]: expected an object, saw a number",
    ),
}


@pytest.mark.parametrize("option", ["--from", "--compare"])
@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_report_is_refused_in_one_line(runs: Runs, name: str, option: str) -> None:
    """Before anything runs."""

    content, message = BAD[name]
    if content is not None:
        (runs.folder / "bad.json").write_text(content)
    more = ("--server", "reference") if option == "--compare" else ()
    run = runs("matrix", option, "bad.json", *more, "--json", "matrix.json")
    assert (run.code, run.out, run.left) == (2, "", ())
    assert run.err.startswith(f"pytest-mtls: {option} (bad.json): ")
    assert message in run.err
    assert run.err.count("\n") == 1
    assert not (runs.folder / "matrix.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--server", "ngnix"), r"--server \(ngnix\): expected one of .*Did you mean nginx\?"),
        (("--check", "mine"), r"--check \(mine\): expected NAME=OPTIONS, such as "),
        (("--check", "=--server nginx"), "expected NAME=OPTIONS"),
        (("--check", "mine=--sever x"), r"--check \(mine\): No such option:? '?--sever"),
        (
            ("--check", "mine=--command 'x"),
            r"--check \(mine\) \(--command 'x\): expected a command line, saw No closing",
        ),
        (("--check", "mine=--html x.html"), r"--check \(mine\): --html: expected it of the matrix"),
        (("--check", "mine=--list"), r"--check \(mine\): --list: expected a check that runs"),
        (("--check", "mine=", "--check", "mine="), r"--check \(mine\): expected a name of its own"),
        (("--scenario", "no/such"), r"--scenario \(no/such\): no scenario of that id"),
        (("-n", "0"), r"-n \(0\): expected a number of servers at once"),
        (("--within", "never"), r"--within \(never\): expected seconds"),
        (("--json", "a", "--html", "a"), r"--json and --html \(a\): expected two files"),
        (("--html", "no/such/x.html"), r"--html \(no/such/x.html\): expected a folder that exists"),
        (("--from", ""), "--from: expected FILE, saw an empty value"),
        (("--server", "reference", "--compare", "old.json"), r"--compare \(old.json\): expected one of reference, saw"),
    ],
)
def test_a_mistake_in_the_command_is_told_before_anything_runs(
    runs: Runs, arguments: tuple[str, ...], message: str
) -> None:
    """In one line, with exit code 2."""

    columns = [{"name": name, "report": None, "problem": "x"} for name in ("other", "another")]
    (runs.folder / "old.json").write_text(json.dumps({"schema": "pytest-mtls/matrix/1", "servers": columns}))
    run = runs("matrix", *arguments)
    assert (run.code, run.out) == (2, "")
    assert re.search(message, run.err), run.err
    assert run.err.count("\n") == 1


@pytest.mark.parametrize("output", ["--json", "--html"])
@pytest.mark.parametrize("arguments", [("--from", "old.json"), ("--from", "mine=old.json"), ("--compare", "old.json")])
def test_a_file_that_is_read_is_not_written_to(runs: Runs, arguments: tuple[str, str], output: str) -> None:
    """Told before anything runs; the earlier report stays what it was."""

    put(runs, "old.json", outcome(PASSED))
    (runs.folder / "link.json").symlink_to("old.json")
    content = (runs.folder / "old.json").read_bytes()
    for name in ("old.json", "link.json"):
        run = runs("matrix", *arguments, output, name)
        assert (run.code, run.out) == (2, "")
        expected = f"pytest-mtls: {output} ({name}): expected a file of its own, saw that of {arguments[0]}. "
        assert run.err.startswith(expected)
        assert run.err.count("\n") == 1
    assert (runs.folder / "old.json").read_bytes() == content


# --- the schema


def test_the_schema_is_one_and_is_in_step_with_the_code() -> None:
    """By its own schema, with the words of the code; every member is described in a sentence."""

    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["change"]["properties"]["kind"]["enum"] == list(KINDS)
    for one in (SCHEMA, *SCHEMA["$defs"].values()):
        if one.get("type") == "object":
            assert one["additionalProperties"] is False
            assert set(one["required"]) == set(one["properties"])
            for member in one["properties"].values():
                assert re.fullmatch(r"[A-Z][^\n]+\.", member["description"])


def test_the_document_names_every_member_and_word() -> None:
    """Nothing else is needed to read one."""

    text = (Path(__file__).parents[2] / "docs" / "matrix.md").read_text("utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    named = {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"[\w-]+", code)}
    objects = [SCHEMA, *(one for one in SCHEMA["$defs"].values() if "properties" in one)]
    assert {name for one in objects for name in one["properties"]} | set(KINDS) <= named
