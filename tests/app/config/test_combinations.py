"""Settings that cannot go together, and those worth a hint."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from app.config import Settings
from app.config.combinations import combination_problem, safety_hints

PRODUCTION: dict[str, Any] = {
    "flask_env": "production",
    "sse_callback_secret": SecretStr("s3cret"),
}


def problem(**settings: Any) -> str | None:
    """What is wrong with some settings."""
    return combination_problem(Settings(_env_file=None, **settings))


def hints(**settings: Any) -> list[str]:
    """What an operator is told."""
    return safety_hints(Settings(_env_file=None, **settings))


@pytest.mark.parametrize("flask_env", ["development", "testing"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "203.0.113.1"])
def test_beyond_this_machine(host: str, flask_env: str) -> None:
    """Only in production, or on purpose."""
    said = problem(host=host, flask_env=flask_env)
    assert said is not None
    assert said.startswith(f"HOST is {host}: other machines could start tasks")
    assert "FLASK_ENV=production" in said
    assert "ALLOW_OPEN=tasks,metrics" in said
    assert problem(host=host, flask_env=flask_env, allow_open="tasks") is not None
    assert problem(host=host, flask_env=flask_env, allow_open="tasks,metrics") is None
    assert problem(host=host, **PRODUCTION) is None


def test_the_admin_address_too() -> None:
    """It has the tasks API: outside production it is for this machine."""
    said = problem(admin_bind="0.0.0.0:5001")
    assert said is not None
    assert said.startswith("ADMIN_BIND is 0.0.0.0: ")
    assert problem(admin_bind="0.0.0.0:5001", **PRODUCTION) is None
    assert problem(admin_bind="127.0.0.1:5001") is None


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost", "no-such-host.invalid"]
)
def test_this_machine(host: str) -> None:
    """Nothing to set; a name without an address fails when it is to be listened at."""
    assert problem(host=host) is None


def test_hints_for_production() -> None:
    """The admin address, and the names that a proxy passes on."""
    first, second = hints(**PRODUCTION)
    assert first.startswith("ADMIN_BIND is unset. Nobody can reach tasks and metrics. ")
    assert second.startswith("HOST is 127.0.0.1 and ALLOWED_HOSTS is unset: ")
    (first,) = hints(**PRODUCTION, host="0.0.0.0", allow_open="tasks")
    assert "Nobody can reach metrics. " in first
    (first,) = hints(**PRODUCTION, allowed_hosts="app.example", allow_open="tasks,metrics")
    assert "Nobody" not in first
    assert hints(**PRODUCTION, allowed_hosts="app.example", admin_bind="127.0.0.1:5001") == []
    assert hints() == []
