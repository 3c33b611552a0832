"""Generated sends."""

from __future__ import annotations

import json
from typing import Any

from gateway_shim.parity.fuzz.generation import events
from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.fuzz.strict_json import is_json

_LARGEST_BODY = 102_400
_DICE = Dice("events")


def test_every_send_fits_into_a_request() -> None:
    """Even the deepest text fits into a request."""
    deep = [events.deep(_DICE) for _ in range(100)]
    assert any(text.startswith("[" * 5000) for text in deep)
    assert {is_json(text) for text in deep} == {True, False}
    sends = [{"token": "x" * 36, "event": {"name": "x" * 200, "data": text}} for text in deep]
    assert max(len(json.dumps(send)) for send in sends) < _LARGEST_BODY


def test_a_closing_send_closes() -> None:
    """A closing send closes its stream after any event."""
    made = [events.closing(_DICE) for _ in range(300)]
    assert all(send["close"] is True for send in made)
    assert not any(events.has_empty_rejection(send) for send in made)


def test_an_empty_rejection_is_known_by_its_event() -> None:
    """An empty rejection is recognized by name and data only."""
    assert events.has_empty_rejection({"token": "x", "event": {"name": "rejected", "data": ""}})
    others: tuple[Any, ...] = (
        {"name": "rejected", "data": "x"},
        {"name": "n", "data": ""},
        None,
        [],
        "x",
    )
    for event in others:
        assert not events.has_empty_rejection({"token": "x", "event": event})
    assert not events.has_empty_rejection([])
