"""The settings of streams."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.config.settings.stream import StreamSettings


def test_every_limit_is_finite_by_default() -> None:
    """Without any setting, streams have limits. The number of streams depends on the machine."""
    limits = {
        name: field.default
        for name, field in StreamSettings.model_fields.items()
        if "max_" in name or name.endswith(("_seconds", "_second", "_timeout", "_ms"))
    }
    assert limits
    assert all(value is None or 0 < value < math.inf for value in limits.values()), limits


@pytest.mark.parametrize(
    "wrong", [{"sse_dialect": "Named"}, {"sse_retry_ms": 99}, {"sse_max_buffer_bytes": 1023}]
)
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
