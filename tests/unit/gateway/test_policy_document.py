"""IAM policies of authorizers: wildcards, explicit denials, and what cannot be judged by."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_mtls.harness.gateway.authorizer_answer import MalformedAnswer, read_answer
from pytest_mtls.harness.gateway.policy_document import MalformedPolicy, Policy, matches

ARN = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/pets/7"


def statement(effect: str = "Allow", resource: Any = ARN, action: Any = "execute-api:Invoke") -> dict[str, Any]:
    """One statement."""
    return {"Effect": effect, "Action": action, "Resource": resource}


def judged(*statements: Any, **more: Any) -> str:
    """What a policy of these says of ARN."""
    return Policy.read({"Version": "2012-10-17", "Statement": list(statements), **more}).judge(ARN)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "a/b:c", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("?", "", False),
        ("a*", "a", True),
        ("a*c", "abcbc", True),
        ("a*c", "abcb", False),
        ("*b*d", "abcd", True),
        ("a**?", "ab", True),
        ("a**?", "a", False),
        ("[a]*", "a", False),
        ("[a]*", "[a]b", True),
        ("a.c", "abc", False),
        ("A", "a", False),
        ("abc*", "ab", False),
        ("a", "ab", False),
    ],
)
def test_star_and_question_mark_are_the_only_wildcards(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits


def test_a_pattern_of_many_stars_is_judged_in_bounded_steps() -> None:
    assert not matches("*a" * 200 + "b", "a" * 2_000)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], "deny"),
        ([statement()], "allow"),
        ([statement("Deny")], "explicit-deny"),
        ([statement(), statement("Deny", "*")], "explicit-deny"),
        ([statement("Deny"), statement(resource="*")], "explicit-deny"),
        ([statement("Deny", ARN + "8"), statement()], "allow"),
        ([statement(resource=[ARN + "8", ARN])], "allow"),
        ([statement(resource=[ARN + "8"])], "deny"),
        ([statement(resource="arn:aws:execute-api:*:*:a1b2c3d4e5/*/GET/*")], "allow"),
        ([statement(resource="arn:aws:execute-api:*:*:a1b2c3d4e5/*/POST/*")], "deny"),
        ([statement(resource=ARN.upper())], "deny"),
        ([statement(action="execute-api:*")], "allow"),
        ([statement(action="EXECUTE-API:invoke")], "allow"),
        ([statement(action=["s3:GetObject", "*"])], "allow"),
        ([statement(action="s3:GetObject")], "deny"),
        ([{"Effect": "Allow", "NotAction": "s3:*", "NotResource": "*/POST/*"}], "allow"),
        ([{"Effect": "Allow", "NotAction": "execute-api:*", "Resource": "*"}], "deny"),
        ([{"Effect": "Deny", "Action": "*", "NotResource": ARN}, statement()], "allow"),
    ],
)
def test_an_explicit_deny_wins_and_what_nobody_allows_is_denied(statements: list[Any], expected: str) -> None:
    assert judged(*statements) == expected


def test_a_lone_statement_and_no_version_are_taken() -> None:
    assert Policy.read({"Statement": statement()}).judge(ARN) == "allow"


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "Allow",
        {},
        {"Version": "2099-01-01", "Statement": []},
        {"Version": [], "Statement": []},
        {"Statement": None},
        {"Statement": [None]},
        {"Statement": [{}]},
        {"Statement": [statement("allow")]},
        {"Statement": [statement([])]},  # type: ignore[arg-type]
        {"Statement": [statement(resource=[])]},
        {"Statement": [statement(resource=None)]},
        {"Statement": [statement(resource=[ARN, 7])]},
        {"Statement": [statement(action=7)]},
        {"Statement": [{"Effect": "Allow", "Action": "*"}]},
        {"Statement": [{**statement(), "NotResource": "*"}]},
        {"Statement": [{**statement(), "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.1"}}}]},
    ],
)
def test_what_cannot_be_judged_by_is_malformed(document: Any) -> None:
    with pytest.raises(MalformedPolicy):
        Policy.read(document)


# --- whole answers


def policy(**more: Any) -> dict[str, Any]:
    """A good answer."""
    return {"principalId": "me", "policyDocument": {"Statement": [statement()]}, **more}


def test_the_context_becomes_text() -> None:
    context = {"text": "ä", "number": 7, "fraction": 1.5, "yes": True, "half": "\ud83d"}
    verdict = read_answer(policy(context=context), simple=False, flat=True)

    strings = {"text": "ä", "number": "7", "fraction": "1.5", "yes": "true", "half": "?"}
    assert verdict.context == {**strings, "principalId": "me"}


def test_an_http_api_takes_lists_in_the_context() -> None:
    answer = {"isAuthorized": True, "context": {"list": ["a", 1], "nothing": None}}
    verdict = read_answer(answer, simple=True, flat=False)

    assert verdict.context == {"list": '["a", 1]', "nothing": "null"}
    assert verdict.judge("anything") == "allow"
    assert read_answer({"isAuthorized": False}, simple=True, flat=False).judge(ARN) == "deny"


@pytest.mark.parametrize(
    ("answer", "simple"),
    [
        (None, False),
        ("Allow", False),
        ([policy()], False),
        ({}, False),
        ({"isAuthorized": True}, False),
        ({"policyDocument": {"Statement": []}}, False),
        (policy(principalId=7), False),
        (policy(policyDocument="{}"), False),
        (policy(context=[]), False),
        (policy(context={"nested": {}}), False),
        (policy(context={"nothing": None}), False),
        (policy(), True),
        ({"isAuthorized": "true"}, True),
        ({"isAuthorized": 1}, True),
        ({"isAuthorized": True, "context": "x"}, True),
    ],
)
def test_other_answers_are_malformed(answer: Any, simple: bool) -> None:
    with pytest.raises(MalformedAnswer):
        read_answer(answer, simple=simple, flat=True)
