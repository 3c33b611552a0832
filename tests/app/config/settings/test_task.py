"""The settings of tasks."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.config.settings.task import TaskSettings


def test_every_limit_is_finite_by_default() -> None:
    """Without any setting, running, waiting and finished tasks have limits."""
    limits = {
        name: field.default
        for name, field in TaskSettings.model_fields.items()
        if "max_" in name or name.endswith("_seconds")
    }
    assert all(0 < value < math.inf for value in limits.values()), limits


@pytest.mark.parametrize("wrong", [{"task_max_workers": 0}, {"task_timeout_seconds": math.inf}])
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
