"""The sampler as an application has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway_shim.event_log.places.place import LogPlace, set_place
from tests.app.conftest import MakeApp


def state(make_app: MakeApp, **settings: Any) -> dict[str, Any]:
    """Return the figures of an application after one sample."""
    sampler = make_app(**settings).extensions["container"].operations_sampler()
    sampler.take()
    figures: dict[str, Any] = sampler.state()
    return figures


def test_own_gateway(make_app: MakeApp) -> None:
    """The figures are those of the application's own gateway, loop and process."""
    figures = state(make_app)
    [sample] = figures["samples"]
    assert sample["gateway"]["pending_connects"] == 0
    assert sample["memory_bytes"] > 1 << 20
    assert figures["limits"]["survives_restart"] is False


def test_other_gateway(make_app: MakeApp) -> None:
    """With SSE_GATEWAY_URL, the gateway's figures are null, and its problem is told."""
    figures = state(make_app, sse_gateway_url="http://127.0.0.1:9")  # nobody listens there
    assert figures["samples"][0]["gateway"] is None
    assert [(item["kind"], item["level"]) for item in figures["warnings"]] == [
        ("gateway_problem", "bad"),
        ("other_gateway", "note"),
    ]


@pytest.mark.parametrize("survives", [True, False])
def test_the_place_of_the_log(make_app: MakeApp, tmp_path: Path, *, survives: bool) -> None:
    """The place is looked up late: the server sets it after it has made the application."""
    sampler = make_app().extensions["container"].operations_sampler()
    set_place(LogPlace(tmp_path, survives_restart=survives))
    try:
        assert sampler.state()["limits"]["survives_restart"] is survives
    finally:
        set_place(None)
