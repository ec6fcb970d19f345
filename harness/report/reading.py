"""Reading reports that may have been made elsewhere: a place in a JSON document, asked for members by type.

Version 1 of the formats may grow: members that are not known are passed over, and those that came later have a default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ..errors import UsageError

__all__ = ["Malformed", "Place", "load"]

_T = TypeVar("_T")
_LARGEST = 256 * 1024 * 1024


class Malformed(ValueError):
    """A document that is not what it claims to be; the message says where, what was expected, and what was seen."""


class Place:
    """A JSON object in a document, with the way to it, for messages."""

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise Malformed(f"{path or 'the document'}: expected an object, saw {_kind(value)}")
        self.value: dict[str, Any] = value
        self.path = path

    def text(self, name: str, default: str | None = None, *, among: tuple[str, ...] = ()) -> str:
        """A text; *among*, where given, are the only ones that are known."""
        found: str = self._get(name, str, "a text", default)
        if among and found not in among:
            raise Malformed(f"{self._way(name)}: expected one of {', '.join(among)}, saw {found[:60]!r}")
        return found

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number, not negative."""
        found = self._get(name, (int, float), "a number", default)
        if isinstance(found, bool) or not 0 <= found < float("inf"):
            raise Malformed(f"{self._way(name)}: expected a number that is not negative, saw {found}")
        return float(found)

    def maybe(self, name: str) -> str:
        """A text that may be null or missing: then empty."""
        return "" if self.value.get(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """Whether a member is true; one that is missing is not."""
        return bool(self._get(name, bool, "true or false", False))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; one that is missing is empty."""
        found = self._get(name, list, "a list", [])
        wrong = next((one for one in found if not isinstance(one, str)), None)
        if wrong is not None:
            raise Malformed(f"{self._way(name)}: expected texts, saw {_kind(wrong)} among them")
        return tuple(found)

    def place(self, name: str) -> Place | None:
        """A member that is an object; None where it is null or missing."""
        value = self.value.get(name)
        return None if value is None else Place(value, self._way(name))

    def required(self, name: str) -> Place:
        """A member that is an object."""
        return Place(self.value.get(name), self._way(name))

    def places(self, name: str) -> Iterator[Place]:
        """The members of a list of objects; one that is missing is empty."""
        for number, one in enumerate(self._get(name, list, "a list", [])):
            yield Place(one, f"{self._way(name)}[{number}]")

    def _get(self, name: str, kind: type[Any] | tuple[type[Any], ...], words: str, default: Any) -> Any:
        value = self.value.get(name, default)
        if not isinstance(value, kind):
            raise Malformed(f"{self._way(name)}: expected {words}, saw {_kind(value)}")
        return value

    def _way(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def load(path: Path, option: str, read: Callable[[Place], _T]) -> _T:
    """What *read* makes of the JSON file at *path*; raises UsageError, naming *option*, for whatever is wrong with it."""
    what = f"{option} ({path})"
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{what}: expected a report, saw a file of more than {_LARGEST >> 20} MiB. Give another.")
        return read(Place(json.loads(path.read_bytes())))
    except OSError as error:
        raise UsageError(
            f"{what}: expected a report that can be read, saw: {error.strerror}. Check the name."
        ) from error
    except Malformed as error:
        raise UsageError(f"{what}: {error}. Give what 'check --json' or 'matrix --json' wrote.") from error
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:120]
        raise UsageError(
            f"{what}: expected JSON, saw: {said}. Give what 'check --json' or 'matrix --json' wrote."
        ) from error


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "nothing" if value is None else names[type(value)]
