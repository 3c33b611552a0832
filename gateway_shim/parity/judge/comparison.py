"""The comparison of two observations, and readable differences.

In an expected observation, ``$TEXT`` stands for any text inside the quotation marks of a JSON
string: a divergence fixes the code of an error, and leaves its words free.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ABSENT", "ANY_TEXT", "Difference", "compare"]

ANY_TEXT = "$TEXT"

_ANY_WORDS = r'(?:[^"\\]|\\.)+'  # may include escaped quotation marks
_CONTEXT = 30  # characters of a long text around the place where it differs
_LONG = 90


class _Absent:
    """The value of something that is not there."""

    def __repr__(self) -> str:
        return "(nothing)"


ABSENT = _Absent()
"""The value that a difference shows if one side has nothing."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two observations differ.

    Args:
        where: the place, in the notation of Python and JavaScript.
        expected: the value that should be there.
        got: the value that is there.
    """

    where: str
    expected: Any
    got: Any

    def lines(self, expected: str = "expected", got: str = "got") -> list[str]:
        """Return the difference as lines: the place, and both sides one below the other."""
        width = max(len(expected), len(got))
        first, second = _shown(self.expected, self.got)
        lines = [f"at {self.where}"] if self.where else []
        return [*lines, f"  {expected:<{width}}  {first}", f"  {got:<{width}}  {second}"]


def compare(expected: Any, got: Any) -> list[Difference]:
    """Return every place where two JSON-like values differ; an empty list if they agree."""
    return list(_compare("", expected, got))


def _compare(where: str, expected: Any, got: Any) -> Iterator[Difference]:
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for key in [*expected, *(key for key in got if key not in expected)]:
            place = f"{where}.{key}" if where else str(key)
            yield from _compare(place, expected.get(key, ABSENT), got.get(key, ABSENT))
    elif isinstance(expected, list) and isinstance(got, list):
        for index in range(max(len(expected), len(got))):
            yield from _compare(
                f"{where}[{index}]",
                expected[index] if index < len(expected) else ABSENT,
                got[index] if index < len(got) else ABSENT,
            )
    elif not _agree(expected, got):
        yield Difference(where, expected, got)


def _agree(expected: Any, got: Any) -> bool:
    if isinstance(expected, str) and ANY_TEXT in expected and isinstance(got, str):
        parts = (re.escape(part) for part in expected.split(ANY_TEXT))
        return re.fullmatch(_ANY_WORDS.join(parts), got, re.DOTALL) is not None
    # In Python True equals 1; in JSON they are different.
    return type(expected) is type(got) and bool(expected == got)


def _shown(expected: Any, got: Any) -> tuple[str, str]:
    if isinstance(expected, str) and isinstance(got, str):
        same = next(
            (i for i, pair in enumerate(zip(expected, got, strict=False)) if pair[0] != pair[1]),
            min(len(expected), len(got)),
        )
        start = 0 if max(len(expected), len(got)) <= _LONG else max(0, same - _CONTEXT)
        return _cut(expected, start), _cut(got, start)
    return _whole(expected), _whole(got)


def _cut(text: str, start: int) -> str:
    piece = _json(text[start : start + _LONG])
    before = f"({start} characters) … " if start else ""
    after = f" … ({len(text)} characters in all)" if start + _LONG < len(text) else ""
    return before + piece + after


def _whole(value: Any) -> str:
    if isinstance(value, _Absent):
        return repr(value)
    text = _json(value)
    return text if len(text) <= 4 * _LONG else text[: 4 * _LONG] + " …"


def _json(value: Any) -> str:
    """Return readable JSON: letters stay as they are, invisible characters become escapes."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
