"""The command ``config``: the settings and their sources."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.commands.config import Entry, config_command, effective
from app.config import Settings, read_settings
from app.config.sources import Source


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Change to an empty directory, and unset the developer's settings."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(config_command, arguments, prog_name="config")


def entry(name: str) -> Entry:
    """Return the entry of one setting."""
    (found,) = [entry for entry in effective(read_settings()) if entry.name == name]
    return found


def test_defaults() -> None:
    """Every setting is listed in the order of the class, with its default."""
    found = effective(read_settings())
    assert [entry.name.lower() for entry in found] == list(Settings.model_fields)
    assert {entry.source for entry in found} == {Source.DEFAULT}
    assert entry("PORT") == Entry("PORT", 5000, Source.DEFAULT)
    assert entry("ADMIN_BIND") == Entry("ADMIN_BIND", None, Source.DEFAULT)


def test_sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment overrides .env, and an empty variable counts as unset."""
    (folder / ".env").write_text("PORT=5001\nHOST=::1\nLOG_LEVEL=DEBUG\nNOT_OURS=1\n")
    monkeypatch.setenv("port", "5002")
    monkeypatch.setenv("LOG_LEVEL", "")
    assert entry("PORT") == Entry("PORT", 5002, Source.ENVIRONMENT)
    assert entry("HOST") == Entry("HOST", "::1", Source.DOTENV)
    assert entry("LOG_LEVEL") == Entry("LOG_LEVEL", "DEBUG", Source.DOTENV)
    assert entry("LOG_FORMAT") == Entry("LOG_FORMAT", "text", Source.DEFAULT)


def test_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is masked, even inside another value, and differs from an unset one."""
    assert entry("SSE_CALLBACK_SECRET").value is None
    monkeypatch.setenv("SSE_CALLBACK_SECRET", "s3cret")
    monkeypatch.setenv("SSE_GATEWAY_URL", "http://me:pass@gw.example/s3cret")
    assert entry("SSE_CALLBACK_SECRET").value == "***"
    assert entry("SSE_GATEWAY_URL").value == "http://***@gw.example/***"
    monkeypatch.setenv("SSE_CONSOLE_PASSWORD", "correct horse")
    assert entry("SSE_CONSOLE_PASSWORD").value == "***"
    for result in (run(), run("--json")):
        assert "s3cret" not in result.output
        assert "horse" not in result.output
        assert "pass" not in result.output.replace("password", "")


def test_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line has the name, the value and the source of a setting, in columns."""
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("ALLOW_OPEN", "tasks,metrics")
    lines = run().output.splitlines()
    assert len(lines) == len(Settings.model_fields)
    rows = [line.split() for line in lines]
    assert ["HOST", "0.0.0.0", "environment"] in rows
    assert ["CERTFILE", "(unset)", "default"] in rows
    assert ["APP_TASKS", "(empty)", "default"] in rows
    assert len({line.rindex(row[-1]) for line, row in zip(lines, rows, strict=True)}) == 1


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``--json``, the values have their JSON types."""
    monkeypatch.setenv("TASK_TIMEOUT_SECONDS", "7.5")
    shown = json.loads(run("--json").stdout)
    assert list(shown) == [name.upper() for name in Settings.model_fields]
    assert shown["TASK_TIMEOUT_SECONDS"] == {"value": 7.5, "source": "environment"}
    assert shown["SSE_AUTHORIZE"] == {"value": None, "source": "default"}


def test_an_invalid_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid setting ends with status 1 and one line that names it."""
    monkeypatch.setenv("PORT", "x")
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: PORT: ")


def test_an_invalid_line_of_the_file(folder: Path) -> None:
    """An invalid line of .env is named by number, without its value."""
    (folder / ".env").write_text("PORT=5001\nSSE_CALLBACK_SECRET: hunter2\n")
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: .env line 2: SSE_CALLBACK_SECRET must be written with an equal sign:"
        " SSE_CALLBACK_SECRET=value\n"
    )


def test_a_misspelled_setting(folder: Path) -> None:
    """A misspelled setting is a warning on standard error, and the table is unchanged."""
    (folder / ".env").write_text("SSE_AUTHORISE=a.b:c\n")
    result = run("--json")
    assert result.exit_code == 0
    assert result.stderr == (
        "Warning: SSE_AUTHORISE in .env line 1 is not a setting; did you mean SSE_AUTHORIZE?\n"
    )
    assert json.loads(result.stdout)["SSE_AUTHORIZE"]["source"] == "default"


def test_the_url_of_redis_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is shown, and the user and the password are not."""
    monkeypatch.setenv("SSE_BUS_URL", "redis://me:hunter2@redis.example:6380/3")
    shown = run().output
    assert "redis://redis.example:6380/3" in shown
    assert "hunter2" not in shown
    assert "hunter2" not in run("--json").output
