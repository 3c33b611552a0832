"""The answer to ``GET /api/gateway`` as a schema."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.schemas.gateway_schema import GatewayStateResponse, LogState

LOG: dict[str, Any] = {
    "last_event_id": None,
    "oldest_position": 0,
    "newest_position": 0,
    "bytes": 0,
    "oldest_age_seconds": 0.0,
    "in_memory": True,
    "resyncs": {},
    "joiners": 0,
    "streams_behind": 0,
    "behind_bytes": 0,
}


def test_a_gateway_without_a_log() -> None:
    """The log is null, and not left out."""
    numbers = dict.fromkeys(GatewayStateResponse.model_fields, 0)
    answer = GatewayStateResponse.model_validate(
        {**numbers, "closed": {}, "requests_refused": {}, "log": None, "workers": None}
    )
    assert answer.model_dump(mode="json")["log"] is None


def test_every_figure_of_the_log_is_needed() -> None:
    """No figure of the log has a default."""
    assert LogState.model_validate(LOG).model_dump(mode="json") == LOG
    for name in LOG:
        with pytest.raises(ValidationError):
            LogState.model_validate({key: value for key, value in LOG.items() if key != name})
