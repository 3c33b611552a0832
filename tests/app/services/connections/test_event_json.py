"""The data of an event as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.connections.event_json import event_json


def test_compact() -> None:
    """The JSON has no spaces, and escapes only what JSON requires."""
    assert (
        event_json({"text": 'é"\n', "nested": [None, 0.5]})
        == '{"text":"é\\"\\n","nested":[null,0.5]}'
    )


def test_nested_too_deeply() -> None:
    """Data that is nested too deeply raises an error that says so."""
    data: dict[str, Any] = {}
    for _ in range(100_000):
        data = {"inner": data}
    with pytest.raises(ValueError, match="nested too deeply"):
        event_json(data)


def test_data_that_contains_itself() -> None:
    """Data that contains itself raises an error."""
    data: dict[str, Any] = {}
    data["self"] = data
    with pytest.raises(ValueError, match=r"."):
        event_json(data)
