"""Parses JSON texts that are nested too deep for Python's own parser. Pure.

Python's parser calls itself for every array and object. It raises ``RecursionError`` at a depth
that depends on the version and on the caller (about 990 levels in Python 3.11). JavaScript's
``JSON.parse`` has no such limit. This parser keeps the open containers in a list. Therefore only
the length of the text limits the depth, and the time depends only on the length of the text.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["parse_deep"]

_SPACE = r"[ \t\n\r]*+"
_VALUE = re.compile(rf"{_SPACE}(?:([\[{{]){_SPACE}([\]}}])?+)?+")
"""The first token of a value: an opening bracket; also the closing one of an empty container."""
_AFTER_VALUE = re.compile(rf"{_SPACE}(?:,|([\]}}]))")
_BEFORE_KEY = re.compile(rf'{_SPACE}(?=")')
_COLON = re.compile(f"{_SPACE}:")
_END = re.compile(rf"{_SPACE}\Z")
_CLOSING = {"[": "]", "{": "}"}


def parse_deep(text: str, decoder: json.JSONDecoder) -> Any:
    """Parse a JSON text (RFC 8259) of any depth.

    Args:
        text: the whole text.
        decoder: parses each value that is not an array or an object. Strings, numbers and constants
            therefore have the same meaning as in texts that are not deep.

    Returns:
        The value. Do not compare, print or copy it as a whole, because Python does so by recursion.

    Raises:
        ValueError: the text is not JSON.
    """
    root: list[Any] = []
    container: list[Any] | dict[str, Any] = root
    closing = ""
    outer_containers: list[tuple[list[Any] | dict[str, Any], str]] = []
    key, at = "", 0
    while True:
        first_token = _VALUE.match(text, at)
        assert first_token is not None  # noqa: S101 - the pattern also matches the empty text
        at = first_token.end()
        opening, closed = first_token.groups()
        value: Any
        if opening is None:
            value, at = decoder.raw_decode(text, at)
        else:
            value = [] if opening == "[" else {}
        if isinstance(container, dict):
            container[key] = value
        else:
            container.append(value)
        if opening is not None and closed is None:
            outer_containers.append((container, closing))
            container, closing = value, _CLOSING[opening]
        else:
            if closed is not None and closed != _CLOSING[opening]:
                raise json.JSONDecodeError("Expecting value", text, at)
            # The value has ended. After a comma its container continues; otherwise it ends, too.
            while outer_containers:
                separator = _AFTER_VALUE.match(text, at)
                if separator is None or separator[1] not in (None, closing):
                    raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
                at = separator.end()
                if separator[1] is None:
                    break
                container, closing = outer_containers.pop()
            else:
                if _END.match(text, at) is None:
                    raise json.JSONDecodeError("Extra data", text, at)
                return root[0]
        if isinstance(container, dict):
            key, at = _key(text, at, decoder)


def _key(text: str, at: int, decoder: json.JSONDecoder) -> tuple[str, int]:
    """Return the name of an object's next member, and the position of its value."""
    before = _BEFORE_KEY.match(text, at)
    if before is None:
        message = "Expecting property name enclosed in double quotes"
        raise json.JSONDecodeError(message, text, at)
    key, at = decoder.raw_decode(text, before.end())
    colon = _COLON.match(text, at)
    if colon is None:
        raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
    return key, colon.end()
