"""``patchOperations`` of v1, once for all resources: which paths there are, what may be done with them, all or nothing.

The objects are frozen, so a refused operation leaves everything as it was: the folding stops, and nobody keeps the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .errors import ApiError, bad_request

__all__ = ["ALL", "REPLACE", "NoSuchPath", "Rule", "apply", "integer", "switch"]

T = TypeVar("T")

REPLACE = ("replace",)
ALL = ("add", "replace", "remove")


class NoSuchPath(Exception):
    """A rule's pattern fits, but the object has nothing at the path."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """What a PATCH may do at the paths of one pattern, in which ``*`` stands for one segment, never an empty one.

    *change* gets the object, what the stars stand for, and the value (None to remove); it returns the changed object, or
    raises NoSuchPath.
    """

    pattern: str
    change: Callable[[T, Sequence[str], str | None], T]
    ops: tuple[str, ...] = REPLACE

    def matches(self, path: str) -> list[str] | None:
        """What the stars stand for in *path*, decoded (``~1`` is a slash, RFC 6901 section 3); None for another path."""
        parts, wanted = path.split("/"), self.pattern.split("/")
        if len(parts) != len(wanted):
            return None
        if not all(part if want == "*" else part == want for want, part in zip(wanted, parts, strict=True)):
            return None
        return [
            part.replace("~1", "/").replace("~0", "~") for want, part in zip(wanted, parts, strict=True) if want == "*"
        ]


def apply(
    value: T,
    operations: Iterable[Mapping[str, Any]],
    rules: Sequence[Rule[T]],
    *,
    wrong_path: Callable[[str, str], ApiError] | None = None,
) -> T:
    """*value* after all *operations* in their order. Raises BadRequestException for the first that does not fit.

    *wrong_path* words the refusal of a path (op and path given) where the default does not fit.
    """
    refusal = wrong_path or _wrong_path(rules)
    for one in operations:
        op, path, text = one.get("op", ""), one.get("path", ""), one.get("value")
        found = next(((rule, stars) for rule in rules if (stars := rule.matches(path)) is not None), None)
        if found is None:
            raise refusal(op, path)
        rule, stars = found
        if op not in rule.ops:
            raise bad_request(f"Invalid patch operation specified. Must be one of: [{', '.join(rule.ops)}]")
        if op != "remove" and text is None:
            raise bad_request(f"Invalid patch value: expected a value for path {path}")
        try:
            value = rule.change(value, stars, None if op == "remove" else text)
        except NoSuchPath:
            raise refusal(op, path) from None
    return value


def _wrong_path(rules: Sequence[Rule[T]]) -> Callable[[str, str], ApiError]:
    known = ", ".join(rule.pattern for rule in rules)

    def refusal(op: str, path: str) -> ApiError:
        return bad_request(f"Invalid patch path '{path}' specified for op '{op}'. Must be one of: [{known}]")

    return refusal


def switch(text: str | None, path: str) -> bool:
    """A patch value that means true or false, in any case; raises BadRequestException for another one."""
    word = (text or "").lower()
    if word not in ("true", "false"):
        raise bad_request(f"Invalid patch value for {path}: expected true or false, saw '{text}'")
    return word == "true"


def integer(text: str | None, path: str) -> int:
    """A patch value that is a whole number; raises BadRequestException for another one."""
    digits = (text or "").removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise bad_request(f"Invalid patch value for {path}: expected a whole number, saw '{text}'")
    return int(text or "")
