"""What a function answered: whom it lets in, and what ``context.authorizer`` has then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .policy_document import Judgement, MalformedPolicy, Policy

__all__ = ["MalformedAnswer", "Verdict", "read_answer"]


class MalformedAnswer(ValueError):
    """The answer cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer that can be used, for this request and, out of the cache, for others."""

    authorized: Policy | bool
    context: Mapping[str, str] = field(default_factory=dict)
    """The values of ``context.authorizer.NAME``."""

    def judge(self, arn: str) -> Judgement:
        """What it says of a request for *arn*; a simple response says the same of all."""
        if isinstance(self.authorized, Policy):
            return self.authorized.judge(arn)
        return "allow" if self.authorized else "deny"


def read_answer(value: Any, *, simple: bool, flat: bool) -> Verdict:
    """The verdict in a function's answer. Raises MalformedAnswer.

    *simple*: simple responses are enabled. *flat*: the context must be flat, as a REST API wants it.
    """
    if not isinstance(value, dict):
        raise MalformedAnswer("answer: expected an object")
    context = _strings(value.get("context"), flat=flat)
    if simple:
        if not isinstance(value.get("isAuthorized"), bool):
            raise MalformedAnswer("isAuthorized: expected true or false")
        return Verdict(value["isAuthorized"], context)
    principal = value.get("principalId")
    if not isinstance(principal, str):
        raise MalformedAnswer("principalId: expected a text")
    try:
        policy = Policy.read(value.get("policyDocument"))
    except MalformedPolicy as error:
        raise MalformedAnswer(str(error)) from error
    return Verdict(policy, {**context, "principalId": _sound(principal)})


def _strings(context: Any, *, flat: bool) -> dict[str, str]:
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise MalformedAnswer("context: expected an object")
    nested = [name for name, one in context.items() if not isinstance(one, str | int | float)]
    if flat and nested:
        raise MalformedAnswer(f"context.{_sound(nested[0])}: expected a text, a number, or true or false")
    return {name: _sound(one if isinstance(one, str) else json.dumps(one)) for name, one in context.items()}


def _sound(text: str) -> str:
    """*text* without halves of characters, which cannot go into a header."""
    return text.encode("utf-8", "replace").decode()
