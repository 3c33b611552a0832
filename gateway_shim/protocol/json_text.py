"""JSON texts as JavaScript's ``JSON.parse`` and ``JSON.stringify`` see them. Pure.

Python's :mod:`json` accepts ``NaN`` and ``Infinity``, and limits the digits of an integer. A
gateway must accept exactly the texts that every browser accepts. This is the only module that
refuses ``NaN`` and ``Infinity``.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from gateway_shim.protocol.bodies.deep_json import parse_deep

__all__ = ["is_json", "loads", "parse", "quote"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Integers become floats: no caller of parse() reads a number, and int() refuses very long ones.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=float)


def parse(text: str) -> Any:
    """Parse a JSON text (RFC 8259) of any depth. All numbers become floats.

    Returns:
        The value. It may be nested too deep for Python to compare, print or copy it as a whole.

    Raises:
        ValueError: the text is not JSON.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return parse_deep(text, _DECODER)


def loads(text: str | bytes) -> Any:
    """Parse a JSON text as :func:`json.loads` does, but refuse ``NaN`` and ``Infinity``.

    Raises:
        ValueError: the text is not JSON.
        RecursionError: the text is nested too deep for Python's parser.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def is_json(text: str) -> bool:
    """Return whether a browser's ``JSON.parse`` would accept the text."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def quote(text: str) -> str:
    """Return the text as a JSON string, byte for byte as ``JSON.stringify`` writes it.

    A lone surrogate becomes its escape. Therefore the result can always be encoded as UTF-8.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
