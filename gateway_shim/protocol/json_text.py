"""JSON as JavaScript's ``JSON.parse`` and ``JSON.stringify`` see it.

Python's :mod:`json` accepts ``NaN`` and limits the digits of integers; a gateway must judge
a text as every browser will. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from gateway_shim.protocol.bodies.deep_json import parse_deep

__all__ = ["is_json", "parse", "quote"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Numbers become floats: no caller here looks at one, and int() refuses very long ones.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=float)


def parse(text: str) -> Any:
    """Parse a JSON text (RFC 8259), however deep it is nested; numbers become floats.

    Returns:
        The value. It may be nested too deep for Python to compare, print or copy it as a whole.

    Raises:
        ValueError: the text is not JSON.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return parse_deep(text, _DECODER)


def is_json(text: str) -> bool:
    """Whether a browser's ``JSON.parse`` would take the text."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def quote(text: str) -> str:
    """The text as a JSON string, byte for byte as ``JSON.stringify`` writes it.

    A lone surrogate becomes its escape, so that the result can always be encoded as UTF-8.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
