"""Tests of the parser for deep texts: the results of Python's parser, without its limit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway_shim.protocol.bodies.deep_json import parse_deep

DECODER = json.JSONDecoder()

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
fragments = st.sampled_from(
    [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        '"',
        '"a"',
        "1",
        "-",
        "null",
        "tru",
        "\\",
        " ",
        "\t",
        "\xa0",
        "\0",
    ]
)


def outcome(parse: Any, text: str) -> Any:
    """Return the value that a parser returns, as a text; None for an error."""
    try:
        return repr(parse(text))
    except ValueError:
        return None


@pytest.mark.slow
@given(values, st.sampled_from([None, 1, "\t"]))
def test_good_texts(value: Any, indent: int | str | None) -> None:
    """Every value is parsed, whatever the white space in its text is."""
    text = json.dumps(value, indent=indent)
    assert repr(parse_deep(text, DECODER)) == repr(json.loads(text))


@given(st.lists(fragments).map("".join))
@example('{"a":1,"a":[]}')
@example('{"a":1,}')
@example("[]]")
@example("[}")
@example("{]")
@example("{,}")
@example("[,]")
@example("")
def test_odd_texts(text: str) -> None:
    """Any text has the result of Python's parser."""
    assert outcome(lambda t: parse_deep(t, DECODER), text) == outcome(DECODER.decode, text)


@pytest.mark.slow
@given(values.map(json.dumps), st.data())
def test_damaged_texts(text: str, data: st.DataObject) -> None:
    """A damaged text has the result of Python's parser."""
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 3))
    text = text[:start] + data.draw(fragments) + text[start + length :]
    assert outcome(lambda t: parse_deep(t, DECODER), text) == outcome(DECODER.decode, text)


@pytest.mark.parametrize("levels", [1000, 100_000])
def test_depth(levels: int) -> None:
    """Arrays and objects in turns are parsed at any depth."""
    text = '[{"a":' * levels + "7" + "}]" * levels
    inner = parse_deep(text, DECODER)
    for _ in range(levels):
        inner = inner[0]["a"]
    assert inner == 7


def test_the_time_grows_with_the_length() -> None:
    """The time grows with the length of the text, because no part is parsed twice."""
    calls = 0

    class Counting(json.JSONDecoder):
        def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
            nonlocal calls
            calls += 1
            return super().raw_decode(s, idx)

    parse_deep('{"a":' * 5000 + "1" + "}" * 5000, Counting())
    assert calls == 5001
