"""The settings of the frontend version."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.config.settings.version import VersionSettings


def test_every_limit_is_finite_by_default() -> None:
    """Without any setting, a fetched version is cached for a finite time."""
    limits = {
        name: field.default
        for name, field in VersionSettings.model_fields.items()
        if "max_" in name or name.endswith(("_seconds", "_second", "_timeout", "_ms"))
    }
    assert limits
    assert all(value is None or 0 < value < math.inf for value in limits.values()), limits


@pytest.mark.parametrize(
    "wrong", [{"frontend_version_url": "ftp://host/"}, {"frontend_version_cache_seconds": -1}]
)
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
