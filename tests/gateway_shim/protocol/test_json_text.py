"""Tests of JSON texts as browsers see them."""

from __future__ import annotations

import json
import math
import sys

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.protocol import json_text
from tests.support.timing import TIME_LIMIT

GOOD = [
    "null",
    "true",
    "0",
    "-0",
    "1e400",
    "9" * 5000,
    '""',
    '"\\ud800"',
    '"\ud800"',
    '"\u2028"',
    '"\x7f"',
    " \t\r\n[ ] \n",
    '{"a":1,"a":2}',
    '{"":{}}',
    "[" * 980 + "]" * 980,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 20_000 + "null" + "}" * 20_000,
]
BAD = [
    "",
    " ",
    "NaN",
    "Infinity",
    "-Infinity",
    "[NaN]",
    "undefined",
    "'a'",
    "{a:1}",
    "[1,]",
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
    '"\n"',
    '"\x00"',
    '"\\x41"',
    '"a',
    "1 2",
    "\ufeff1",
    "\u00a01",
    "// 1",
    "[" * 100_000,
    "[" * 100_000 + "]" * 99_999,
    "[" * 100_000 + "]" * 100_001,
    "[" * 5000 + "}" * 5000,
    '{"a":' * 20_000,
]


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_good(text: str) -> None:
    """A text that JSON.parse accepts is JSON."""
    assert json_text.is_json(text) is True


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_bad(text: str) -> None:
    """A text that JSON.parse refuses is not JSON; parsing it raises only ValueError."""
    assert json_text.is_json(text) is False
    with pytest.raises(ValueError, match=r"."):
        json_text.parse(text)


def test_parse() -> None:
    """Values are parsed, numbers become floats, and the last of repeated names counts."""
    assert json_text.parse('{"a":[1,"x",null,true,1.5],"b":1,"b":2}') == {
        "a": [1.0, "x", None, True, 1.5],
        "b": 2.0,
    }
    assert isinstance(json_text.parse("7"), float)
    assert json_text.parse("9" * 5000) == math.inf


def test_deeper_than_python_can_follow() -> None:
    """The fields of a deeply nested text are parsed like those of any other text."""
    deep = "[" * 50_000 + "]" * 50_000
    fields = json_text.parse(f'{{"deep":{deep},"token":"t","n":1,"token":"u"}}')
    assert fields["token"] == "u"
    assert isinstance(fields["n"], float)
    levels, inner = 0, fields["deep"]
    while inner:
        levels, inner = levels + 1, inner[0]
    assert levels == 49_999


def test_deep_in_a_greenlet() -> None:
    """A greenlet with a deep stack can parse deeply nested texts."""

    def nested(frames: int) -> bool:
        return nested(frames - 1) if frames else json_text.is_json("[" * 50_000 + "]" * 50_000)

    greenlet = gevent.spawn(nested, sys.getrecursionlimit() // 2)
    assert greenlet.get(timeout=TIME_LIMIT) is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '""'),
        ('say "x"', '"say \\"x\\""'),
        ("a\\b/c", '"a\\\\b/c"'),
        ("\b\t\n\f\r", '"\\b\\t\\n\\f\\r"'),
        ("\x00\x1f\x7f", '"\\u0000\\u001f\x7f"'),
        ("é😀\u2028\u2029\ufeff", '"é😀\u2028\u2029\ufeff"'),
        ("\ud800", '"\\ud800"'),
        ("a\udfffb", '"a\\udfffb"'),
        ("\udbff\udbff", '"\\udbff\\udbff"'),
    ],
)
def test_quote(text: str, expected: str) -> None:
    """A text is quoted byte for byte as JSON.stringify writes it."""
    assert json_text.quote(text) == expected


@given(st.text(st.characters(exclude_categories=())))
def test_quote_round_trip(text: str) -> None:
    """Any text can be quoted, encoded as UTF-8, and parsed again."""
    quoted = json_text.quote(text).encode().decode()
    pairs_joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert json.loads(quoted) == pairs_joined
    assert json_text.parse(quoted) == pairs_joined


def test_loads() -> None:
    """Integers stay integers, and bytes are decoded, as json.loads does."""
    assert json_text.loads(b'{"a":[1,1.5,"\xc3\xa9"]}') == {"a": [1, 1.5, "é"]}
    assert isinstance(json_text.loads("7"), int)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a":-Infinity}', "{"])
def test_loads_bad(text: str) -> None:
    """A text that JSON.parse refuses raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        json_text.loads(text)
