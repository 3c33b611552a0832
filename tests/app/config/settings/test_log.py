"""The settings of the log."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.config.settings.log import LogSettings


def test_every_limit_is_finite_by_default() -> None:
    """Without any setting, the number of log lines has a limit."""
    limits = {
        name: field.default
        for name, field in LogSettings.model_fields.items()
        if "max_" in name or name.endswith(("_seconds", "_second", "_timeout", "_ms"))
    }
    assert limits
    assert all(value is None or 0 < value < math.inf for value in limits.values()), limits


@pytest.mark.parametrize(
    "wrong", [{"log_level": "info"}, {"log_format": "xml"}, {"log_lines_per_second": 0}]
)
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
