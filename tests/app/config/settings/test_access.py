"""The settings of access: the admin address, and the values that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from app.access.exposure import Area
from app.config import InvalidSettings, Settings, load_settings


@pytest.fixture(autouse=True)
def _only_what_a_test_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the settings of the developer, and work in an empty folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (None, None),
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("localhost:5001", ("127.0.0.1", 5001)),
        ("[::1]:5001", ("::1", 5001)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[0:0:0:0:0:0:0:1]:5001", ("::1", 5001)),
    ],
)
def test_the_admin_address(text: str | None, address: tuple[str, int] | None) -> None:
    """The admin address is an IP address, as the listening socket reports it, without brackets."""
    assert Settings(_env_file=None, admin_bind=text).admin_address == address


@pytest.mark.parametrize(
    ("host", "admin"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("localhost", "[::1]"),
        ("[::1]", "[0:0::1]"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("::", "127.0.0.1"),
        ("::1", "[::]"),
    ],
)
def test_the_admin_address_is_another_one(
    monkeypatch: pytest.MonkeyPatch, host: str, admin: str
) -> None:
    """An admin address that overlaps with the public address is refused."""
    for name, value in {"HOST": host, "PORT": "5001", "ADMIN_BIND": f"{admin}:5001"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        InvalidSettings, match=r"^ADMIN_BIND: \S+:5001 overlaps with HOST and PORT \("
    ):
        load_settings()
    monkeypatch.setenv("ALLOW_OPEN", "tasks,metrics")
    monkeypatch.setenv("HOST", "no-such-host.invalid")
    assert load_settings().host == "no-such-host.invalid", "said when it is to be listened at"


@pytest.mark.parametrize(
    ("host", "admin"),
    [
        ("0.0.0.0", "127.0.0.1:5002"),
        ("0.0.0.0", "[::1]:5001"),
        ("::1", "0.0.0.0:5001"),
        ("127.0.0.2", "127.0.0.1:5001"),
    ],
)
def test_the_same_port_elsewhere(monkeypatch: pytest.MonkeyPatch, host: str, admin: str) -> None:
    """The admin address may have the same port at an address that does not overlap."""
    monkeypatch.setenv("ALLOW_OPEN", "tasks,metrics")
    for name, value in {"HOST": host, "PORT": "5001", "ADMIN_BIND": admin}.items():
        monkeypatch.setenv(name, value)
    assert load_settings().admin_bind == admin


@pytest.mark.parametrize(
    "wrong",
    [
        {"allow_open": "task"},
        {"allowed_hosts": "http://app.example"},
        {"cors_origins": "app.example"},
        {"admin_bind": "127.0.0.1"},
        {"admin_bind": "no-such-host.invalid:5001"},
        {"sse_internal_send": "yes"},
    ],
)
def test_a_bad_value_is_refused(wrong: dict[str, Any]) -> None:
    """A value that cannot be used is refused, with the name of the setting."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]


def test_the_open_areas() -> None:
    """The open areas are those that ALLOW_OPEN names; by default there are none."""
    assert Settings(_env_file=None).open_areas == frozenset()
    both = Settings(_env_file=None, allow_open="tasks, metrics").open_areas
    assert both == {Area.TASKS, Area.METRICS}


@pytest.mark.parametrize("password", ["short", "1234567", "  1234567  ", " " * 20])
def test_a_short_password_of_the_console(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    """A password that is easy to guess is refused, and the error does not show it."""
    monkeypatch.setenv("SSE_CONSOLE_PASSWORD", password)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith("SSE_CONSOLE_PASSWORD: the password must have 8 characters or more")
    assert message.endswith("(it is ***)")
    assert password not in message


def test_the_password_of_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is kept as it was set, and is not shown."""
    monkeypatch.setenv("SSE_CONSOLE_PASSWORD", " 12345678")
    settings = load_settings()
    assert settings.sse_console_password is not None
    assert settings.sse_console_password.get_secret_value() == " 12345678"
    assert "12345678" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_where_areas_are_open() -> None:
    """The areas follow the settings; the password opens the console in production."""
    public = ("0.0.0.0", 5000)
    production = Settings(_env_file=None, flask_env="production", allow_open="tasks")
    assert production.areas.is_open(Area.TASKS, *public)
    assert not production.areas.has_console(*public)
    settings = production.model_copy(update={"sse_console_password": SecretStr("12345678")})
    assert settings.areas.has_console(*public)
    elsewhere = settings.model_copy(update={"admin_bind": "127.0.0.1:5001"})
    assert not elsewhere.areas.has_console(*public)
    assert elsewhere.areas.has_console("127.0.0.1", 5001)
