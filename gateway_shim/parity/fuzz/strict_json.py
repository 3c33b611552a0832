"""A check for JSON as ``JSON.parse`` reads it (RFC 8259), nested to any depth.

Python's own parser accepts ``NaN`` and rejects deeply nested JSON.
"""

from __future__ import annotations

import re

__all__ = ["is_json", "starts_container"]

_TOKEN = re.compile(
    r"[ \t\n\r]*(?:([\[\]{},:])"
    r'|("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")'
    r"|(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null))"
)
_CLOSING = {"[": "]", "{": "}"}


def is_json(text: str) -> bool:
    """Return whether a text is one JSON value, with spaces around it allowed."""
    waiting: list[str] = []  # the closing mark of each open container
    wanted = "value"  # value, item (a value or the end), key, field (a key or the end), colon, rest
    position = 0
    while wanted != "rest" or waiting:
        found = _TOKEN.match(text, position)
        if found is None:
            return False
        position = found.end()
        mark, string = found[1], found[2]
        if wanted in ("item", "field", "rest") and waiting and mark == waiting[-1]:
            waiting.pop()
            wanted = "rest"
        elif wanted in ("value", "item") and mark in _CLOSING:
            waiting.append(_CLOSING[mark])
            wanted = "item" if mark == "[" else "field"
        elif wanted in ("value", "item") and mark is None:
            wanted = "rest"
        elif wanted in ("key", "field") and string is not None:
            wanted = "colon"
        elif wanted == "colon" and mark == ":":
            wanted = "value"
        elif wanted == "rest" and mark == ",":
            wanted = "value" if waiting[-1] == "]" else "key"
        else:
            return False
    return not text[position:].strip(" \t\n\r")


def starts_container(text: str) -> bool:
    """Return whether JSON text is an object or an array."""
    return text.lstrip(" \t\n\r")[:1] in ("{", "[")
