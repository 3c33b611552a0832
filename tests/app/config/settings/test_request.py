"""The settings of connections, bodies and answers."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.config.settings.request import RequestSettings


def test_every_limit_is_finite_by_default() -> None:
    """Without any setting, connections, bodies and answers have limits."""
    limits = {
        name: field.default
        for name, field in RequestSettings.model_fields.items()
        if "max_" in name or name.endswith(("_seconds", "_second", "_timeout", "_ms"))
    }
    assert limits
    assert all(value is None or 0 < value < math.inf for value in limits.values()), limits


@pytest.mark.parametrize(
    "wrong", [{"max_json_bytes": 1}, {"max_request_connections": 9}, {"answer_seconds": math.inf}]
)
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
