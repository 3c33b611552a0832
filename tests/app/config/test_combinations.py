"""Settings that do not fit together, and hints for the operator."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from app.config import Settings, combinations
from app.config.combinations import combination_problem, safety_hints

PRODUCTION: dict[str, Any] = {
    "flask_env": "production",
    "sse_callback_secret": SecretStr("s3cret"),
}


def problem(**settings: Any) -> str | None:
    """Return the problem of some settings, or None."""
    return combination_problem(Settings(_env_file=None, **settings))


def hints(**settings: Any) -> list[str]:
    """Return the hints for some settings."""
    return safety_hints(Settings(_env_file=None, **settings))


@pytest.mark.parametrize("flask_env", ["development", "testing"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "203.0.113.1"])
def test_an_address_beyond_this_machine_needs_permission(host: str, flask_env: str) -> None:
    """Other machines may reach a server only in production, or if ALLOW_OPEN says so."""
    said = problem(host=host, flask_env=flask_env)
    assert said is not None
    assert said.startswith(f"HOST is {host}: other machines could start tasks")
    assert "FLASK_ENV=production" in said
    assert "ALLOW_OPEN=tasks,metrics" in said
    assert problem(host=host, flask_env=flask_env, allow_open="tasks") is not None
    assert problem(host=host, flask_env=flask_env, allow_open="tasks,metrics") is None
    assert problem(host=host, **PRODUCTION) is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"sse_replay": "off"}, "SSE_REPLAY is off"),
        ({"sse_gateway_url": "http://h"}, "SSE_GATEWAY_URL is set"),
    ],
)
def test_several_workers_need_the_log(settings: dict[str, str], reason: str) -> None:
    """Several workers are refused with a remote gateway and without the log; one worker is not."""
    said = problem(web_concurrency=2, **settings)
    assert said is not None
    assert said.startswith(f"WEB_CONCURRENCY is 2, but {reason}: ")
    assert "use one worker" in said
    assert problem(web_concurrency=1, **settings) is None
    assert problem(web_concurrency=2) is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"sse_replay": "off"}, "SSE_REPLAY is off"),
        ({"sse_gateway_url": "http://h"}, "SSE_GATEWAY_URL is set, too"),
    ],
)
def test_redis_needs_the_log(settings: dict[str, str], reason: str) -> None:
    """Redis is refused with a remote gateway and without the log, for one worker, too."""
    said = problem(sse_bus_url="redis://h", **settings)
    assert said is not None
    assert said.startswith(f"SSE_BUS_URL is set, but {reason}: ")
    assert problem(sse_bus_url="redis://h") is None
    assert problem(sse_bus_url="redis://h", web_concurrency=3) is None


def test_redis_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, one line says how to install it."""
    monkeypatch.setattr(combinations, "find_spec", lambda name: None)
    assert problem(sse_bus_url="redis://h") == (
        "SSE_BUS_URL is set, but the package redis is not installed; run:"
        " pip install 'sse-monolith[redis]'"
    )
    assert problem() is None


def test_the_admin_address_needs_permission_too() -> None:
    """Outside production, only this machine may reach the admin address."""
    said = problem(admin_bind="0.0.0.0:5001")
    assert said is not None
    assert said.startswith("ADMIN_BIND is 0.0.0.0: ")
    assert problem(admin_bind="0.0.0.0:5001", **PRODUCTION) is None
    assert problem(admin_bind="127.0.0.1:5001") is None


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost", "no-such-host.invalid"]
)
def test_an_address_of_this_machine_needs_no_permission(host: str) -> None:
    """An address of this machine is accepted; a name without an address fails later."""
    assert problem(host=host) is None


def test_hints_for_production() -> None:
    """In production there are hints about ADMIN_BIND and ALLOWED_HOSTS."""
    first, second = hints(**PRODUCTION)
    assert first.startswith("ADMIN_BIND is unset. The tasks and the metrics cannot be reached. ")
    assert second.startswith("HOST is 127.0.0.1 and ALLOWED_HOSTS is unset: ")
    (first,) = hints(**PRODUCTION, host="0.0.0.0", allow_open="tasks")
    assert " The metrics cannot be reached. " in first
    (first,) = hints(**PRODUCTION, allowed_hosts="app.example", allow_open="tasks,metrics")
    assert "cannot be reached" not in first
    assert hints(**PRODUCTION, allowed_hosts="app.example", admin_bind="127.0.0.1:5001") == []
    assert hints() == []
