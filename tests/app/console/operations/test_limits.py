"""The limits that the figures are compared with."""

from __future__ import annotations

from typing import Any

from app.config import Settings
from app.console.operations.limits import OperationsLimits


def limits(**settings: Any) -> OperationsLimits:
    """Return the limits of a server with 500 streams."""
    made = Settings(_env_file=None, **settings)
    return OperationsLimits.of(made, 500, survives_restart=True)


def test_own_gateway() -> None:
    """The limits are those of the settings and of the gateway."""
    made = limits(sse_state_dir="/var/lib/x", sse_replay_bytes=1 << 20, sse_replay_seconds=60)
    assert made.as_json() == {
        "has_gateway": True,
        "max_streams": 500,
        "replays": True,
        "replay_bytes": 1 << 20,
        "replay_seconds": 60.0,
        "state_directory_is_set": True,
        "survives_restart": True,
        "max_buffer_bytes": 256 << 20,
        "max_tasks_running": 4,
        "max_tasks_waiting": 1000,
        "workers": 1,
    }
    assert limits(sse_replay="off").replays is False


def test_other_gateway() -> None:
    """The limits of another process's gateway are not known."""
    made = limits(sse_gateway_url="http://gateway.test:3000")
    assert (made.has_gateway, made.max_streams, made.replays) == (False, None, False)


def test_several_workers() -> None:
    """The limits are those of all workers together. SSE_MAX_CONNECTIONS is one of the server."""
    made = Settings(_env_file=None, sse_max_connections=1200)
    several = OperationsLimits.of(made, 500, survives_restart=True, workers=3)
    assert (several.max_streams, several.max_tasks_running, several.max_tasks_waiting) == (
        1200,
        12,
        3000,
    )
    assert several.max_buffer_bytes == 3 * (256 << 20)
    unlimited = Settings(_env_file=None)
    assert OperationsLimits.of(unlimited, 500, survives_restart=True, workers=3).max_streams == 1500
