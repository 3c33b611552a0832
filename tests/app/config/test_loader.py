"""The settings as they are read from the environment and from ``.env``."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import InvalidSettings, Settings, load_settings, read_settings
from app.config.sources import Source
from gateway_shim.parity.ports import free_port


@pytest.fixture(autouse=True)
def _only_what_a_test_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the settings of the developer, and work in an empty folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_several_bad_values_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names every setting with a bad value."""
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(InvalidSettings, match=r"^PORT: [^;]*; LOG_LEVEL: [^;]*$"):
        load_settings()


def test_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``.env`` in the working directory is read; the environment wins; other names are ignored."""
    port = free_port()
    (tmp_path / ".env").write_text(f"PORT={port}\nLOG_LEVEL=ERROR\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    settings = load_settings()
    assert (settings.port, settings.log_level) == (port, "DEBUG")


def test_an_env_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not text is one line of error, without a traceback."""
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")
    with pytest.raises(InvalidSettings, match=r"^\.env cannot be read: "):
        load_settings()


def test_a_line_of_the_env_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A line that cannot be read is refused, with its file and number."""
    (tmp_path / ".env").write_text("PORT=1\nSSE_AUTHORIZE: a.b:c\n")
    with pytest.raises(InvalidSettings, match=r"^\.env line 2: SSE_AUTHORIZE "):
        load_settings()


def test_a_bad_value_of_the_env_file(tmp_path: Path) -> None:
    """The error of a bad value in ``.env`` names the line."""
    (tmp_path / ".env").write_text("# comment\nHEARTBEAT_INTERVAL_SECONDS=often\n")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert str(caught.value).startswith("HEARTBEAT_INTERVAL_SECONDS: ")
    assert str(caught.value).endswith(" (it is 'often', in .env line 2)")


def test_nothing_is_interpolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is used as it is written, in the file and in the environment."""
    monkeypatch.setenv("HOME", "/root")
    (tmp_path / ".env").write_text('SSE_CALLBACK_SECRET="a${HOME}b$HOME"\nHOST=::1\n')
    secret = load_settings().sse_callback_secret
    assert secret is not None
    assert secret.get_secret_value() == "a${HOME}b$HOME"


def test_one_setting_twice_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting with two values in the environment is refused."""
    monkeypatch.setenv("ADMIN_BIND", "127.0.0.1:1")
    monkeypatch.setenv("admin_bind", "127.0.0.1:2")
    with pytest.raises(InvalidSettings, match=r"^ADMIN_BIND and admin_bind "):
        load_settings()


def test_where_each_setting_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources belong to the loaded settings, and list names that look misspelled."""
    (tmp_path / ".env").write_text("PORT=5001\nSSE_AUTHORISE=a.b:c\n")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    loaded = read_settings()
    assert (loaded.settings.port, loaded.settings.log_level) == (5001, "DEBUG")
    assert loaded.sources.source_of("port") is Source.DOTENV
    assert loaded.sources.source_of("log_level") is Source.ENVIRONMENT
    assert len(loaded.sources.warnings) == 1


def test_a_password_in_a_bad_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a bad URL does not show the URL's password."""
    monkeypatch.setenv("SSE_GATEWAY_URL", "http://user:hunter2@host/?a")
    with pytest.raises(InvalidSettings, match=r"^SSE_GATEWAY_URL: .*http://\*\*\*@host") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://me:hunter2@h:x", "redis://me:hunt/er2@h", "hunter2"])
def test_no_password_of_redis_in_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a secret is masked, also if it has an unusual form."""
    monkeypatch.setenv("SSE_BUS_URL", url)
    with pytest.raises(InvalidSettings, match=r"^SSE_BUS_URL: .*\(it is \*\*\*\)$") as caught:
        load_settings()
    assert "hunt" not in str(caught.value)
