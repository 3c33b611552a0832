"""Raw requests as data: long texts in a short form, and the stream's token."""

from __future__ import annotations

import pytest

from gateway_shim.parity.raw_steps import part_bytes, parts_from_json
from gateway_shim.parity.replay import steps_from_json, steps_to_json
from gateway_shim.parity.steps import Raw, Rest


def test_repeated_parts_are_written_out() -> None:
    """A ``#`` in a repeated text is the number of the repetition; elsewhere it is a ``#``."""
    assert part_bytes(("a#", ("#,", 3), ("[", 2)), None) == b"a#0,1,2,[["


def test_the_token_is_filled_in() -> None:
    """The token replaces ``$T``; without a token, ``$T`` stays."""
    assert part_bytes(("$T\xff\0",), "t") == b"t\xff\0"
    assert part_bytes(("$T",), None) == b"$T"


def test_the_json_form_stays_short_and_loses_nothing() -> None:
    """The JSON form of 16,000 repeated characters is short and is read back unchanged."""
    steps = (Raw(("GET /", ("x", 16_000), " HTTP/1.1"), ("GET", "HEAD"), finishes=True), Rest())
    text = steps_to_json(steps)
    assert len(text) < 200
    assert steps_from_json(text) == steps


@pytest.mark.parametrize("part", [5, ["x"], ["x", "y"], {"x": 1}])
def test_an_invalid_part_is_refused(part: object) -> None:
    """Anything that is not a part raises a ValueError that shows the value."""
    with pytest.raises(ValueError, match=r"expected a text or \[text, count\]"):
        parts_from_json([part])
