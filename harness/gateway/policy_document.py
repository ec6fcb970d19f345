"""IAM policies as authorizers answer them: which requests they allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Judgement", "MalformedPolicy", "Policy", "matches"]

Judgement = Literal["allow", "deny", "explicit-deny"]
_INVOKE = "execute-api:invoke"
_VERSIONS = ("2012-10-17", "2008-10-17")
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal"}


class MalformedPolicy(ValueError):
    """The answer is no policy that can be judged by; the text says why."""


@dataclass(frozen=True, slots=True)
class _Statement:
    allows: bool
    actions: tuple[str, ...]
    but_actions: bool
    resources: tuple[str, ...]
    but_resources: bool

    def fits(self, arn: str) -> bool:
        """Whether it speaks of invoking *arn*. Actions are compared without case, resources with it, as IAM does."""
        action = any(matches(pattern.lower(), _INVOKE) for pattern in self.actions)
        resource = any(matches(pattern, arn) for pattern in self.resources)
        return action is not self.but_actions and resource is not self.but_resources


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document."""

    statements: tuple[_Statement, ...]

    @classmethod
    def read(cls, document: object) -> Policy:
        """The policy in a ``policyDocument``. Raises MalformedPolicy, also for conditions, which are not evaluated."""
        if not isinstance(document, Mapping):
            raise MalformedPolicy("policyDocument: expected an object")
        version = document.get("Version", _VERSIONS[0])
        if version not in _VERSIONS:
            raise MalformedPolicy(f"Version: expected {_VERSIONS[0]}, saw another")
        statements = document.get("Statement")
        if isinstance(statements, Mapping):
            statements = [statements]
        if not isinstance(statements, list):
            raise MalformedPolicy("Statement: expected a list")
        return cls(tuple(_statement(one) for one in statements))

    def judge(self, arn: str) -> Judgement:
        """Whether *arn* may be invoked: an explicit Deny wins, and what nobody allows is denied."""
        fitting = {one.allows for one in self.statements if one.fits(arn)}
        if False in fitting:
            return "explicit-deny"
        return "allow" if True in fitting else "deny"


def _statement(value: object) -> _Statement:
    if not isinstance(value, Mapping):
        raise MalformedPolicy("Statement: expected objects")
    unknown = sorted(str(name) for name in value if name not in _ELEMENTS)
    if unknown:  # an Allow under a condition that is not looked at would let in too many
        raise MalformedPolicy(f"Statement: {unknown[0]} is not evaluated")
    if value.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicy("Effect: expected Allow or Deny")
    actions, but_actions = _patterns(value, "Action")
    resources, but_resources = _patterns(value, "Resource")
    return _Statement(value["Effect"] == "Allow", actions, but_actions, resources, but_resources)


def _patterns(value: Mapping[str, Any], name: str) -> tuple[tuple[str, ...], bool]:
    """What stands under *name* or under its ``Not…``, of which there must be one."""
    named = [one for one in (name, f"Not{name}") if one in value]
    if len(named) != 1:
        raise MalformedPolicy(f"{name}: expected one of {name} and Not{name}")
    given = value[named[0]]
    found = tuple(given) if isinstance(given, list) else (given,)
    if not found or not all(isinstance(one, str) for one in found):
        raise MalformedPolicy(f"{named[0]}: expected a text or texts")
    return found, named[0] != name


def matches(pattern: str, text: str) -> bool:
    """Whether *text* is as *pattern* says: ``*`` is any text, ``?`` any one character, all else itself.

    Takes at most the product of both lengths, whatever the pattern (a regular expression of many stars would not).
    """
    at = done = 0
    star, resume = -1, 0
    while done < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, done
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[done]):
            at, done = at + 1, done + 1
        elif star >= 0:  # let the last star take one more character
            resume += 1
            at, done = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")
