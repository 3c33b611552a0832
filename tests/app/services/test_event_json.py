"""An event's data as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.event_json import event_json


def test_compact() -> None:
    """Nothing is escaped that JSON allows, and no space is added."""
    assert (
        event_json({"text": 'é"\n', "nested": [None, 0.5]})
        == '{"text":"é\\"\\n","nested":[null,0.5]}'
    )


def test_nested_too_deeply() -> None:
    """The error says what is wrong with data that Python cannot write."""
    data: dict[str, Any] = {}
    for _ in range(100_000):
        data = {"inner": data}
    with pytest.raises(ValueError, match="nested too deeply"):
        event_json(data)


def test_data_that_contains_itself() -> None:
    """A circle is an error, too."""
    data: dict[str, Any] = {}
    data["self"] = data
    with pytest.raises(ValueError, match=r"."):
        event_json(data)
