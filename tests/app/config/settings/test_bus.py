"""The settings of Redis."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings


def test_the_defaults() -> None:
    """There is no Redis, unless its URL is set."""
    settings = Settings(_env_file=None)
    assert settings.bus is None
    assert settings.sse_bus_prefix == "sse"


def test_the_password_is_not_shown() -> None:
    """The settings, and the URL that is read from them, show no password."""
    settings = Settings(_env_file=None, sse_bus_url="rediss://me:s3cret@h:1/2")
    assert settings.bus is not None
    assert settings.bus.password == "s3cret"
    assert str(settings.bus) == "rediss://h:1/2"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"sse_bus_url": "amqp://me:s3cret@h"}, "amqp:// is the URL of another kind of server"),
        ({"sse_bus_url": "HTTP://me:s3cret@h"}, "http:// is the URL of another kind of server"),
        ({"sse_bus_url": "s3cret"}, "begins with no known scheme"),
        ({"sse_bus_url": "redis://me:s3/cret@h"}, "encode ':', '@' and '/'"),
        ({"sse_bus_prefix": "a b"}, "the prefix 'a b' cannot be used"),
        ({"sse_bus_prefix": "{a}"}, "use 1 to 64 letters"),
        ({"sse_bus_timeout_seconds": 0.5}, "greater than or equal to 1"),
        ({"sse_bus_timeout_seconds": 61}, "less than or equal to 60"),
    ],
)
def test_a_bad_value_is_refused(wrong: dict[str, Any], reason: str) -> None:
    """The reason is in the error, and a password is not."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    (error,) = caught.value.errors()
    assert error["loc"] == tuple(wrong)
    assert reason in error["msg"]
    assert "s3" not in error["msg"]
