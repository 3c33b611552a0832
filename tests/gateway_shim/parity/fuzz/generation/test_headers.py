"""Generated headers."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation import headers
from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.play.message import request_bytes

_DICE = Dice("headers")
_MANY = [headers.many(_DICE) for _ in range(200)]


def test_few_are_at_most_eight() -> None:
    """A few headers are at most eight."""
    assert max(len(headers.few(_DICE)) for _ in range(200)) == 8


def test_many_fit_into_a_head() -> None:
    """Many headers are at most 1,997, besides the client's two, and fit into 16 KiB."""
    assert max(len(pairs) for pairs in _MANY) == 1997
    assert max(len(request_bytes("GET", "/", pairs)) for pairs in _MANY) < 16_000


def test_headers_beyond_a_thousand_add_nothing() -> None:
    """Headers beyond the thousandth add nothing, because a Node gateway does not see them."""
    assert all(len(set(pairs[998:])) <= 1 for pairs in _MANY)
    assert all({name for name, _ in pairs} == {"Age"} for pairs in _MANY if len(pairs) > 998)
