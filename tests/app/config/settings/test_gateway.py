"""The settings of a gateway in another process."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.config.settings.gateway import GatewaySettings


def test_every_limit_is_finite_by_default() -> None:
    """Without any setting, requests to a gateway have a time limit."""
    limits = {
        name: field.default
        for name, field in GatewaySettings.model_fields.items()
        if "max_" in name or name.endswith(("_seconds", "_second", "_timeout", "_ms"))
    }
    assert limits
    assert all(value is None or 0 < value < math.inf for value in limits.values()), limits


@pytest.mark.parametrize(
    "wrong",
    [
        {"sse_gateway_url": "http://host/?a=b"},
        {"sse_gateway_url": "http://host/#a"},
        {"sse_gateway_url": "host:3000"},
        {"sse_gateway_concurrency": 0},
    ],
)
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
