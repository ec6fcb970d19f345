"""The execution log: AWS's words, order and limits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_mtls.harness.gateway.execution_log import CUT_AT, ExecutionLog, shown
from pytest_mtls.harness.gateway.log import Log

NOON = datetime(2025, 3, 20, 10, 0, 0, tzinfo=UTC)


def whole_log() -> ExecutionLog:
    """A request that went well, at NOON."""
    log = ExecutionLog(lambda: NOON)
    log.begin("r-1", "GET", "/x/{id}", path={"id": "7"}, query="a=1", headers=[("Accept", "*/*")], body=b"")
    log.send("https://localhost:8443/x", [("Host", "localhost:8443")], None)
    log.receive(200, 12.4, [("Content-Type", "text/plain")], b"hello")
    log.complete(200, [("Content-Type", "text/plain")], b"hello")
    return log


def test_the_log_of_a_test_invoke_is_aws_s() -> None:
    at = "Thu Mar 20 10:00:00 UTC 2025 : "
    expected = [
        "Execution log for request r-1",
        f"{at}Starting execution for request: r-1",
        f"{at}HTTP Method: GET, Resource Path: /x/{{id}}",
        f"{at}Method request path: {{id=7}}",
        f"{at}Method request query string: {{a=1}}",
        f"{at}Method request headers: {{Accept=*/*}}",
        f"{at}Method request body before transformations: ",
        f"{at}Endpoint request URI: https://localhost:8443/x",
        f"{at}Endpoint request headers: {{Host=localhost:8443}}",
        f"{at}Endpoint request body after transformations: ",
        f"{at}Sending request to https://localhost:8443/x",
        f"{at}Received response. Status: 200, Integration latency: 12 ms",
        f"{at}Endpoint response headers: {{Content-Type=text/plain}}",
        f"{at}Endpoint response body before transformations: hello",
        f"{at}Method response body after transformations: hello",
        f"{at}Method response headers: {{Content-Type=text/plain}}",
        f"{at}Successfully completed execution",
        f"{at}Method completed with status: 200",
        "",
    ]

    assert whole_log().text("r-1").split("\n") == expected


def test_a_failure_names_its_reason_and_then_the_status() -> None:
    log = ExecutionLog()
    log.fail("Execution failed due to a timeout error", 504)

    assert log.lines == ["Execution failed due to a timeout error", "Method completed with status: 504"]


def test_a_failure_that_is_tried_again_has_no_status_yet() -> None:
    log = ExecutionLog(lines=["Sending request to https://localhost/"])
    log.fail("Execution failed", None)

    assert log.lines == ["Sending request to https://localhost/", "Execution failed"]


def test_long_lines_are_truncated() -> None:
    log = ExecutionLog()
    log.receive(200, 1, [("X", "y" * 2_000)], b"z" * 5_000)

    assert [len(line) for line in log.lines[1:]] == [CUT_AT + len(" [TRUNCATED]")] * 2
    assert all(line.endswith(" [TRUNCATED]") for line in log.lines[1:])


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], "{}"),
        ([("a", "1"), ("b", "2")], "{a=1, b=2}"),
        ([("a", "1"), ("a", "2")], "{a=1,2}"),
        ([("Authorization", "Bearer abcdefghijklmnop")], "{Authorization=*****************klmnop}"),
        ([("X-Api-Key", "short")], "{X-Api-Key=**********}"),
    ],
)
def test_pairs_are_shown_as_java_shows_a_map_and_secrets_are_hidden(
    pairs: list[tuple[str, str]], expected: str
) -> None:
    assert shown(pairs) == expected


def test_a_body_that_is_no_text_does_no_harm() -> None:
    log = ExecutionLog()
    log.receive(200, 1, [], b"\xff\xfe")

    assert log.lines[-1] == "Endpoint response body before transformations: \ufffd\ufffd"


def test_the_log_s_entry_gets_its_lines_when_it_is_read() -> None:
    log = Log(lambda: NOON)
    lines = ExecutionLog()
    lines.fail("first", None)
    log.add("integration", "r-1", execution_log=lambda: lines.lines)
    lines.fail("second", None)

    [entry] = log.entries()

    assert entry["execution_log"] == ["first", "second"]
    assert log.entries() == [entry]
