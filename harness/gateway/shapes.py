"""Members of an operation's input: declared in a small language, parsed once, and checked once for all operations.

``name* tags:<string> types:[string] limit:int kind:HTTP|MOCK config:{mode:A|B}``: a star marks what is required,
``[…]`` is a list, ``<…>`` a map from strings, ``{…}`` a structure, words with bars an enumeration. Without a type a member
is a string. ``name=wire`` names a member whose wire name is another one than the SDK's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Member", "Misfit", "Shape", "declared"]

_KINDS = ("string", "int", "number", "bool", "blob")
_TOKEN = re.compile(r"[\w.$-]+|[*:|=<>{}\[\]]")
_WORDS = {
    "string": "a string",
    "int": "a whole number",
    "number": "a number",
    "bool": "true or false",
    "blob": "base64",
    "list": "a list",
    "map": "an object",
    "structure": "an object",
}


class Misfit(ValueError):
    """A value is not of its declared shape; the text is for the caller of the operation."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure: *name* is the SDK's, *wire* the one in JSON."""

    name: str
    wire: str
    required: bool
    shape: Shape


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value must be: *kind* is string, int, number, bool, blob, list, map or structure.

    *of* is what a list or map holds, *members* belong to a structure, *values* are the words of an enumeration.
    """

    kind: str
    of: Shape | None = None
    members: Mapping[str, Member] = field(default_factory=dict)
    values: tuple[str, ...] = ()

    def check(self, value: object, where: str) -> Any:
        """*value* if it fits, without null and unknown members; raises Misfit, calling it *where*, if not."""
        if self.kind == "structure" and isinstance(value, Mapping):
            return self._checked(value, where)
        if self.kind == "list" and isinstance(value, list | tuple):
            return [self._item(item, f"{where}[{number}]") for number, item in enumerate(value)]
        if self.kind == "map" and isinstance(value, Mapping):
            return {str(key): self._item(item, f"{where}.{key}") for key, item in value.items()}
        if self.kind == "blob":
            return _octets(value, where)
        if self.kind in _SIMPLE and _SIMPLE[self.kind](value):
            return self._chosen(value, where)
        return self._refuse(value, where)

    def from_text(self, texts: list[str], where: str) -> Any:
        """What the query's *texts* (one or more) mean; raises Misfit."""
        if self.kind == "list":
            return self.check(texts, where)
        if self.kind == "int":
            return self.check(int(texts[-1]) if re.fullmatch(r"-?[0-9]{1,9}", texts[-1]) else texts[-1], where)
        return self.check(texts[-1], where)

    def _checked(self, value: Mapping[Any, Any], where: str) -> dict[str, Any]:
        found = {}
        for member in self.members.values():
            inner = f"{where}.{member.name}" if where else member.name
            given = value.get(member.wire)
            if given is not None:
                found[member.name] = member.shape.check(given, inner)
            elif member.required:
                raise Misfit(f"Missing required member: {inner}")
        return found

    def _item(self, value: object, where: str) -> Any:
        assert self.of is not None
        return self.of.check(value, where)

    def _chosen(self, value: object, where: str) -> object:
        if self.values and value not in self.values:
            # AWS's words, but for what stands before the member's name: that is the operation's business.
            raise Misfit(
                f"Value '{value}' at '{where}' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(self.values)}]"
            )
        return value

    def _refuse(self, value: object, where: str) -> Any:
        raise Misfit(f"Invalid value for {where or 'the request'}: expected {_WORDS[self.kind]}, saw {_seen(value)}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_SIMPLE: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int": _is_int,
    "number": lambda value: _is_int(value) or isinstance(value, float),
    "bool": lambda value: isinstance(value, bool),
}


def _octets(value: object, where: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise Misfit(f"Invalid value for {where}: expected base64, saw {_seen(value)}")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise Misfit(f"Invalid value for {where}: expected base64, saw a string that is none") from None


def _seen(value: object) -> str:
    names = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return "null" if value is None else names.get(type(value), "an object")


# --- the language


def declared(text: str) -> Shape:
    """The structure that *text* declares; raises ValueError for a slip in it."""
    tokens = _Tokens(text)
    shape = Shape("structure", members=_members(tokens))
    tokens.expect("")
    return shape


class _Tokens:
    """The words of a declaration, one after another."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: Iterator[str] = iter(_TOKEN.findall(text))
        self.next = next(self._words, "")

    def take(self) -> str:
        word, self.next = self.next, next(self._words, "")
        return word

    def took(self, word: str) -> bool:
        return self.next == word and bool(self.take())

    def expect(self, word: str) -> None:
        if self.take() != word:
            raise ValueError(f"expected '{word}' in the declaration: {self._text}")


def _members(tokens: _Tokens) -> dict[str, Member]:
    found = {}
    while tokens.next not in ("", "}"):
        name = tokens.take()
        wire = tokens.take() if tokens.took("=") else name
        required = tokens.took("*")
        found[name] = Member(name, wire, required, _shape(tokens) if tokens.took(":") else Shape("string"))
    return found


def _shape(tokens: _Tokens) -> Shape:
    if tokens.took("{"):
        shape = Shape("structure", members=_members(tokens))
        tokens.expect("}")
        return shape
    for opening, closing, kind in (("[", "]", "list"), ("<", ">", "map")):
        if tokens.took(opening):
            inner = _shape(tokens)
            tokens.expect(closing)
            return Shape(kind, of=inner)
    words = [tokens.take()]
    while tokens.took("|"):
        words.append(tokens.take())
    return Shape(words[0]) if words[0] in _KINDS else Shape("string", values=tuple(words))
