"""Samples as the page gets them."""

from __future__ import annotations

import json

from tests.app.console.operations.samples import SAMPLE, sample


def test_json() -> None:
    """The page gets every figure by its name; what is not there is null."""
    data = json.loads(json.dumps(SAMPLE.as_json()))
    assert data["streams"] == 10
    assert data["broadcast_ms"] is None
    assert data["gateway"]["log"]["newest_id"] == "e-9"
    assert sample(gateway=None).as_json()["gateway"] is None
