"""The settings of the server."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.config.settings.server import ServerSettings


@pytest.mark.parametrize(
    ("environment", "production", "testing"),
    [("production", True, False), ("testing", False, True), ("development", False, False)],
)
def test_what_the_environment_means(environment: str, production: bool, testing: bool) -> None:
    """FLASK_ENV decides about production and about the testing API."""
    settings = Settings(_env_file=None, flask_env=environment)
    assert (settings.is_production, settings.is_testing) == (production, testing)


def test_every_limit_is_finite_by_default() -> None:
    """Without any setting, idle connections and the shutdown have time limits."""
    limits = {
        name: field.default
        for name, field in ServerSettings.model_fields.items()
        if name.endswith(("_seconds", "_timeout"))
    }
    assert limits.keys() == {"keep_alive_seconds", "graceful_shutdown_timeout"}
    assert all(0 < value < math.inf for value in limits.values()), limits


@pytest.mark.parametrize(
    "wrong", [{"host": "a b"}, {"trusted_proxies": "10.0.0.0/99"}, {"port": 0}]
)
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
