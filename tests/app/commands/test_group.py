"""The command ``sse-monolith``: its help, and its words when something cannot work."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app.commands.group import COMMANDS, command_group
from app.config import Settings
from gateway_shim.parity.ports import free_port

OPTIONS = ("HOST", "PORT", "CERTFILE", "KEYFILE")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's; what ``serve`` sets does not outlive the test."""
    for name in (*OPTIONS, *(field.upper() for field in Settings.model_fields)):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(command_group, arguments, prog_name="sse-monolith")


def assert_one_line(result: Result, pattern: str) -> None:
    """The command ended with status 1 and one line that a person can act on."""
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(f"Error: {pattern}\n", result.stderr), result.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


# ------------------------------------------------------------------ help


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(option: str) -> None:
    """Every command is listed with a line of its own."""
    result = run(option)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: sse-monolith [OPTIONS] COMMAND [ARGS]...")
    listed = dict(re.findall(r"^  (\w+) +(\S.*)$", result.stdout, re.MULTILINE))
    assert listed.keys() >= COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str) -> None:
    """A usage line and a sentence; every option says what it does."""
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: sse-monolith {command} ")
    found = command_group.get_command(click.Context(command_group), command)  # type: ignore[attr-defined]
    assert found.help
    options = [param for param in found.params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_help_of_serve() -> None:
    """Each option names its variable and its default."""
    text = " ".join(run("serve", "--help").stdout.split())
    assert "--host TEXT Address to listen on. [env: HOST; default: 127.0.0.1]" in text
    assert "TCP port. [env: PORT; default: 5000]" in text


def test_the_version() -> None:
    """As the package's."""
    assert re.fullmatch(r"sse-monolith, version \d+\.\d+\.\d+\S*\n", run("--version").stdout)


def test_an_unknown_command() -> None:
    """Status 2, and how to get help."""
    result = run("nonsense")
    assert (result.exit_code, "No such command 'nonsense'" in result.stderr) == (2, True)


def test_python_m_app_is_the_same() -> None:
    """``python -m app``, under the command's own name."""
    result = subprocess.run(
        [sys.executable, "-m", "app", "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert result.stdout.startswith("Usage: sse-monolith serve ")


# ------------------------------------------------------------------ serve


def test_serve_at_a_port_in_use(taken: int) -> None:
    """Said at once, with what to do."""
    pattern = f"cannot listen on 127.0.0.1:{taken}: Address already in use.*--port"
    assert_one_line(run("serve", "--port", str(taken)), pattern)


def test_serve_at_an_admin_port_in_use(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise for the second address."""
    monkeypatch.setenv("ADMIN_BIND", f"127.0.0.1:{taken}")
    pattern = f"cannot listen on 127.0.0.1:{taken}: Address already in use.*"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    assert_one_line(run("serve", "--port", str(port)), pattern)


@pytest.mark.parametrize(
    ("host", "why"),
    [("no-such-host.invalid", ".*"), ("203.0.113.1", "Cannot assign requested address.*")],
)
def test_serve_at_an_address_that_is_not_ours(
    host: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said as it is, with the settings to look at."""
    monkeypatch.setenv("ALLOW_OPEN", "tasks,metrics")
    assert_one_line(
        run("serve", "--host", host),
        rf"cannot listen on {re.escape(host)}:5000: {why}; check HOST and PORT",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("HEARTBEAT_INTERVAL_SECONDS", "0"),
        ("SSE_GATEWAY_URL", "localhost:3000"),
        ("GRACEFUL_SHUTDOWN_TIMEOUT", "inf"),
        ("CORS_ORIGINS", "example.com"),
        ("ADMIN_BIND", "5001"),
        ("PORT", "http"),
    ],
)
def test_serve_with_a_bad_setting(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names it."""
    monkeypatch.setenv(name, value)
    assert_one_line(run("serve"), rf"{name}: .* \(it is '{re.escape(value)}'\)")


def test_serve_with_two_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Still one line, which names both."""
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("LOG_FORMAT", "xml")
    assert_one_line(run("serve"), r"LOG_LEVEL: .*; LOG_FORMAT: .*")


def test_serve_in_production_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused at start."""
    monkeypatch.setenv("FLASK_ENV", "production")
    assert_one_line(run("serve"), ".*SSE_CALLBACK_SECRET.*")


@pytest.mark.parametrize("arguments", [["--certfile", "c.pem"], ["--keyfile", "k.pem"]])
def test_serve_with_half_a_certificate(arguments: list[str]) -> None:
    """TLS needs both."""
    assert_one_line(
        run("serve", "--port", str(free_port()), *arguments), ".*both a certificate and a key.*"
    )


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", ""])
def test_serve_with_a_bad_port(port: str) -> None:
    """click's own usage error, status 2."""
    result = run("serve", "--port", port)
    assert (result.exit_code, "Invalid value for '--port'" in result.stderr) == (2, True)


def test_an_option_wins_over_the_environment(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port that is tried is the option's."""
    monkeypatch.setenv("PORT", "1")
    assert_one_line(run("serve", "--port", str(taken)), rf".*127\.0\.0\.1:{taken}: .*")
