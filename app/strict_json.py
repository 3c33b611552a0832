"""JSON as RFC 8259 defines it: Python's parser accepts ``NaN`` and ``Infinity`` too."""

from __future__ import annotations

import json
from typing import Any, NoReturn

__all__ = ["parse_json"]


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON text.

    Args:
        text: the text; bytes are UTF-8.

    Raises:
        ValueError: the text is not JSON (``NaN`` and ``Infinity`` are not).
        RecursionError: the text is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
