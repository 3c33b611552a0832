"""A backend's answers as data: raw bytes, chains of answers, and their written forms."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.reply import (
    AT_ONCE,
    After,
    Fate,
    Reply,
    raw_bytes,
    raw_data,
    reply_from_data,
)

_REDIRECT = Reply(raw="HTTP/1.1 307 M\r\nLocation: /l\r\n\r\n")


def test_pieces_are_put_together_as_latin_1() -> None:
    """A pair stands for its text, repeated."""
    assert raw_bytes(("HTTP/1.1 403 ", ("p\xe9", 3), "\r\n")) == b"HTTP/1.1 403 p\xe9p\xe9p\xe9\r\n"
    assert raw_bytes("\xff\0") == b"\xff\0"


def test_a_chain_repeats_its_answers_in_order() -> None:
    """A chain has each answer as often as it says, then the answers that follow."""
    last = Reply(403)
    twice = Reply(raw="x", times=2, then=(last,))
    assert twice.chain() == (twice, twice, last)
    assert AT_ONCE.chain() == (AT_ONCE,)


def test_a_recording_keeps_the_bytes_and_what_is_unusual() -> None:
    """A recording has one object for each answer of the chain, without fields at their default."""
    reply = Reply(raw=("a", ("b", 9)), after=After.CLOSE, then=(_REDIRECT,))
    assert raw_data(reply) == [
        {"bytes": ("a", ("b", 9)), "after": "close"},
        {"bytes": _REDIRECT.raw},
    ]


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        ({}, AT_ONCE),
        (
            {"do": "Reply", "status": 403, "sends": [1], "fate": "hold"},
            Reply(403, sends=(1,), fate=Fate.HOLD),
        ),
        (
            {"raw": ["a", ["b", 9]], "after": "withhold", "tail": "c", "then": [{"raw": ""}]},
            Reply(raw=("a", ("b", 9)), after=After.WITHHOLD, tail="c", then=(Reply(raw=""),)),
        ),
    ],
)
def test_the_json_form_is_read(data: dict[str, Any], reply: Reply) -> None:
    """A missing field has its default."""
    assert reply_from_data(data) == reply


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"color": 1}, "unknown fields of a reply: color"),
        ({"fate": "lost"}, "lost"),
        ({"after": "x"}, "'x' is not a valid After"),
        ({"raw": [5]}, r"expected a text or \[text, count\], not 5"),
        ({"raw": [["a", "b"]]}, r"expected a text or \[text, count\]"),
    ],
)
def test_an_invalid_reply_is_refused(data: dict[str, Any], message: str) -> None:
    """Anything that is not a reply raises a ValueError that names the mistake."""
    with pytest.raises(ValueError, match=message):
        reply_from_data(data)
