"""Every setting: its name in the environment, its default, its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from app.config import InvalidSettings, Settings, load_settings
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.protocol.client_address import DEFAULT_PROXIES

# The default, a good text with its value, and bad texts, by the name in the environment.
NUMBER = ["", "x", "1,5", "0x10"]
FINITE = [*NUMBER[1:], "inf", "-inf", "nan", "1e999"]
URLS = [
    "localhost:3000",
    "ftp://host",
    "http://",
    "http:///path",
    "http://host:99999",
    "http://host:x",
    "http://host:0",
    "http://[::1",
    "http://a b",
    "http://host\n",
    "http://a..b",
    "http://[::1]x",
    "http://h\\path",
]
FIELDS: dict[str, tuple[Any, str, Any, list[str]]] = {
    "FLASK_ENV": ("development", "testing", "testing", ["Production", "prod", "test"]),
    "HOST": (
        "127.0.0.1",
        "[::1]",
        "::1",
        ["unix:/run/x.sock", "/run/x.sock", "127.0.0.1:80", "[::1]:80", "http://h", "a b", "[::1"],
    ),
    "PORT": (5000, "65535", 65535, [*NUMBER[1:], "0", "65536", "-1", "80.5"]),
    "WEB_CONCURRENCY": (1, "64", 64, [*NUMBER[1:], "0", "-1", "65", "10000", "1.5"]),
    "KEEP_ALIVE_SECONDS": (150, "86400", 86400, [*NUMBER[1:], "0", "1.5", "86401"]),
    "MAX_REQUEST_CONNECTIONS": (2000, "10", 10, [*NUMBER[1:], "9", "65537"]),
    "MAX_REQUEST_CONNECTIONS_PER_ADDRESS": (500, "1", 1, [*NUMBER[1:], "0"]),
    "MAX_REQUESTS_PER_CONNECTION": (1000, "1", 1, [*NUMBER[1:], "0"]),
    "TRUSTED_PROXIES": (
        DEFAULT_PROXIES,
        "10.0.0.0/8,unix",
        "10.0.0.0/8,unix",
        ["localhost", "10.0.0.1/8", "Unix", "a,*"],
    ),
    "CERTFILE": (None, "/c.pem", "/c.pem", []),
    "KEYFILE": (None, "/k.pem", "/k.pem", []),
    "LOG_LEVEL": ("INFO", "WARNING", "WARNING", ["info", "TRACE"]),
    "LOG_FORMAT": ("text", "json", "json", ["JSON", "xml"]),
    "LOG_LINES_PER_SECOND": (20, "1", 1, [*NUMBER[1:], "0", "1.5", "1000001"]),
    "SSE_CALLBACK_SECRET": (None, "s3cret", SecretStr("s3cret"), []),
    "SSE_CONSOLE_PASSWORD": (None, "correct horse", SecretStr("correct horse"), []),
    "SSE_GATEWAY_URL": (
        None,
        "https://h:1/base",
        "https://h:1/base",
        [*URLS, "http://host/?a=b", "http://host/#a"],
    ),
    "SSE_GATEWAY_TIMEOUT_SECONDS": (5.0, "0.25", 0.25, [*FINITE, "0", "-1"]),
    "SSE_GATEWAY_CONCURRENCY": (16, "1", 1, [*NUMBER[1:], "0", "1025"]),
    "SSE_BUS_URL": (
        None,
        "redis://:pw@h:1/2",
        SecretStr("redis://:pw@h:1/2"),
        ["h:6379", "amqp://h", "redis://", "redis://h:x", "redis://h:0", "redis://h/x", "redis:"],
    ),
    "SSE_BUS_PREFIX": ("sse", "a.B_c:1-2", "a.B_c:1-2", ["a b", "{a}", "a*", "a" * 65]),
    "SSE_BUS_TIMEOUT_SECONDS": (5.0, "1", 1.0, [*FINITE, "0.9", "60.1"]),
    "SSE_INTERNAL_SEND": ("off", "on", "on", ["yes", "true"]),
    "SSE_DIALECT": ("named", "envelope", "envelope", ["Named"]),
    "HEARTBEAT_INTERVAL_SECONDS": (15, "1", 1, [*NUMBER[1:], "0", "1.5"]),
    "SSE_MAX_BUFFER_BYTES": (1048576, "1024", 1024, [*NUMBER[1:], "1023", "1MB"]),
    "SSE_MAX_TOTAL_BUFFER_BYTES": (268435456, "1048576", 1048576, [*NUMBER[1:], "1048575"]),
    "SSE_MAX_CONNECTIONS": (None, "1", 1, [*NUMBER[1:], "0"]),
    "SSE_MAX_CONNECTIONS_PER_ADDRESS": (1000, "1", 1, [*NUMBER[1:], "0"]),
    "SSE_MAX_PENDING_CONNECTS": (500, "1500", 1500, [*NUMBER[1:], "0", "1501"]),
    "SSE_CLIENT_TIMEOUT_SECONDS": (30.0, "4", 4.0, [*FINITE, "3.9"]),
    "SSE_AUTHORIZE": (None, "a.b:c", "a.b:c", []),
    "SSE_RETRY_MS": (3000, "100", 100, [*NUMBER[1:], "99", "600001", "1.5"]),
    "SSE_DRAIN_RETRY_SECONDS": (10.0, "0.5", 0.5, [*FINITE, "0"]),
    "SSE_REPLAY": ("on", "off", "off", ["yes", "On", "0"]),
    "SSE_REPLAY_BYTES": (33554432, "1048576", 1048576, [*NUMBER[1:], "1048575", "32MB"]),
    "SSE_REPLAY_SECONDS": (None, "1", 1.0, [*FINITE, "0.9"]),
    "SSE_STATE_DIR": (None, "/var/lib/sse", "/var/lib/sse", []),
    "CORS_ORIGINS": ("", "https://a,https://b", "https://a,https://b", ["a", "*,b"]),
    "ADMIN_BIND": (
        None,
        "[::1]:5001",
        "[::1]:5001",
        [
            "5001",
            ":5001",
            "h:",
            "h:x",
            "h:65536",
            "no-such-host.invalid:1",
            "127.0.0.1:0",
            "[::g]:1",
            "::1:6261",
            "unix:/run/x.sock",
            "http://h:1",
        ],
    ),
    "MAX_BODY_BYTES": (1048576, "1024", 1024, [*NUMBER[1:], "1023", "1073741825"]),
    "MAX_JSON_BYTES": (102400, "1024", 1024, [*NUMBER[1:], "1023", "16777217"]),
    "MAX_BODIES_BYTES": (33554432, "1048576", 1048576, [*NUMBER[1:], "1048575"]),
    "ANSWER_SECONDS": (30.0, "1", 1.0, [*FINITE, "0.9", "3601"]),
    "MAX_ANSWERS_BYTES": (67108864, "1048576", 1048576, [*NUMBER[1:], "1048575"]),
    "MAX_ANSWERS_WAITING": (64, "4", 4, [*NUMBER[1:], "3", "1001"]),
    "MAX_ERROR_DETAILS": (10, "1", 1, [*NUMBER[1:], "0", "101"]),
    "ALLOW_OPEN": ("", "tasks, metrics", "tasks, metrics", ["all", "tasks;metrics", "Tasks"]),
    "ALLOWED_HOSTS": (
        "",
        "app.example, *.app.example, 192.0.2.7, ::1, *",
        "app.example, *.app.example, 192.0.2.7, ::1, *",
        ["http://app.example", "app.example:443", "a b", "*.", "app.*"],
    ),
    "FRONTEND_VERSION_URL": (None, "http://h/v.json?a=b", "http://h/v.json?a=b", URLS),
    "FRONTEND_VERSION_CACHE_SECONDS": (5.0, "0", 0.0, [*FINITE, "-1"]),
    "APP_TASKS": ("", "a.b:C", "a.b:C", []),
    "APP_TASKS_PATH": (None, "/tasks", "/tasks", []),
    "TASK_FILES_ROOT": (None, "/srv", "/srv", []),
    "TASK_MAX_WORKERS": (4, "256", 256, [*NUMBER[1:], "0", "257"]),
    "TASK_TIMEOUT_SECONDS": (300.0, "0.1", 0.1, [*FINITE, "0"]),
    "TASK_CLEANUP_INTERVAL_SECONDS": (600.0, "0.1", 0.1, [*FINITE, "0"]),
    "TASK_MAX_FINISHED": (1000, "1", 1, [*NUMBER[1:], "0"]),
    "TASK_MAX_FINISHED_BYTES": (33554432, "1024", 1024, [*NUMBER[1:], "1023", "1MB"]),
    "TASK_MAX_RESULT_BYTES": (4194304, "1024", 1024, [*NUMBER[1:], "1023", "1MB"]),
    "TASK_MAX_WAITING": (1000, "0", 0, [*NUMBER[1:], "-1"]),
    "TASK_MAX_WAITING_BYTES": (8388608, "1024", 1024, [*NUMBER[1:], "1023", "1MB"]),
    "TASK_MAX_PER_ADDRESS": (100, "1", 1, [*NUMBER[1:], "0"]),
    "GRACEFUL_SHUTDOWN_TIMEOUT": (25.0, "0", 0.0, [*FINITE, "-0.1"]),
}

SECRETS = [name for name, row in FIELDS.items() if isinstance(row[2], SecretStr)]


@pytest.fixture(autouse=True)
def _only_what_a_test_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the settings of the developer, and work in an empty folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_table_is_complete() -> None:
    """The table has every setting."""
    assert set(FIELDS) == {name.upper() for name in Settings.model_fields}
    assert all(field.description for field in Settings.model_fields.values())


def test_defaults() -> None:
    """Without environment and file, every setting has its default."""
    assert load_settings().model_dump() == {
        name.lower(): default for name, (default, *_) in FIELDS.items()
    }


@pytest.mark.parametrize("name", FIELDS)
def test_the_name_in_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting is read from its name in capitals; the other settings keep their defaults."""
    default, text, value, _ = FIELDS[name]
    monkeypatch.setenv(name, text)
    settings = load_settings().model_dump()
    assert settings.pop(name.lower()) == value != default
    assert settings == {
        other.lower(): default for other, (default, *_) in FIELDS.items() if other != name
    }


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, row in FIELDS.items() for text in row[3]]
)
def test_a_bad_value_is_one_clear_line(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is one line that names the setting, and shows the value, but no secret."""
    monkeypatch.setenv(name, text)
    with pytest.raises(InvalidSettings) as raised:
        load_settings()
    message = str(raised.value)
    assert message.startswith(f"{name}: ")
    assert message.endswith(f" (it is {'***' if name in SECRETS else repr(text)})")
    assert len(message.splitlines()) == 1
    assert "Value error" not in message


def test_an_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty value counts as unset, because a compose file leaves out values in this way."""
    for name in FIELDS:
        monkeypatch.setenv(name, "")
    assert load_settings() == Settings(_env_file=None)


def test_a_bad_value_is_the_gateways_kind_of_error() -> None:
    """A bad setting raises the same class of error as a bad configuration of the gateway."""
    assert issubclass(InvalidSettings, InvalidConfiguration)


@pytest.mark.parametrize("secret", [None, "", " "])
def test_production_needs_its_secret(secret: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Production without a secret is refused at the start."""
    monkeypatch.setenv("FLASK_ENV", "production")
    if secret is not None:
        monkeypatch.setenv("SSE_CALLBACK_SECRET", secret)
    with pytest.raises(InvalidSettings, match="SSE_CALLBACK_SECRET"):
        load_settings()


def test_production_with_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret is not shown."""
    monkeypatch.setenv("FLASK_ENV", "production")
    monkeypatch.setenv("SSE_CALLBACK_SECRET", "s3cret")
    settings = load_settings()
    assert settings.is_production
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_settings_do_not_change() -> None:
    """Settings cannot be changed after they are read."""
    with pytest.raises(ValidationError):
        Settings(_env_file=None).port = 1  # type: ignore[misc]


def test_where_events_are_replayed() -> None:
    """The process that serves the streams replays, unless the operator has switched it off."""
    assert Settings(_env_file=None).replays
    assert not Settings(_env_file=None, sse_replay="off").replays
    assert not Settings(_env_file=None, sse_gateway_url="http://h").replays
