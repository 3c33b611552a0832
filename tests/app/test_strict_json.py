"""Tests of :mod:`app.strict_json`."""

from __future__ import annotations

import pytest

from app.strict_json import parse_json


@pytest.mark.parametrize("text", ['{"a":[1,0.5,null,"é"]}', '{"a":[1,0.5,null,"é"]}'.encode()])
def test_json_is_parsed(text: str | bytes) -> None:
    """A JSON text becomes Python objects, and integers stay integers."""
    parsed = parse_json(text)
    assert parsed == {"a": [1, 0.5, None, "é"]}
    assert isinstance(parsed["a"][0], int)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a":-Infinity}', "", "{", b"\xff"])
def test_anything_else_is_refused(text: str | bytes) -> None:
    """A text that is not JSON raises ValueError, and so do the constants that Python accepts."""
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are those of the json module
        parse_json(text)
