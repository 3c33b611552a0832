"""The settings of the event log."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from gateway_shim.event_log.limits import LogLimits


def test_the_default_is_that_of_the_log() -> None:
    """Without settings, as many bytes are kept as a log keeps by itself, for any time."""
    settings = Settings(_env_file=None)
    assert LogLimits(settings.sse_replay_bytes, settings.sse_replay_seconds) == LogLimits()


@pytest.mark.parametrize(
    "wrong", [{"sse_replay": "yes"}, {"sse_replay_bytes": 1023}, {"sse_replay_seconds": 0}]
)
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
