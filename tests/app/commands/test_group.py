"""The command ``sse-monolith``: its help, its first steps, and its error messages."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app.cli import COMMANDS
from app.commands.group import NO_COMMAND_STATUS, command_group
from app.config import Settings
from gateway_shim.parity.ports import free_port

pytestmark = pytest.mark.slow

OPTIONS = ("HOST", "PORT", "CERTFILE", "KEYFILE")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unset the developer's settings, and undo the settings of ``serve`` after the test."""
    for name in (*OPTIONS, *(field.upper() for field in Settings.model_fields)):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(command_group(COMMANDS), arguments, prog_name="sse-monolith")


def assert_one_line(result: Result, pattern: str) -> None:
    """Check that the command ended with status 1 and one line for people."""
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(f"Error: {pattern}\n", result.stderr), result.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """Listen on a port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


# ------------------------------------------------------------------ help


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(option: str) -> None:
    """The help lists every command with a line of its own."""
    result = run(option)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: sse-monolith [OPTIONS] COMMAND [ARGS]...")
    listed = dict(re.findall(r"^  (\w+) +(\S.*)$", result.stdout, re.MULTILINE))
    assert listed.keys() >= COMMANDS.keys()


def test_without_a_command() -> None:
    """Without a command, standard error gets the first steps, and the status is that of misuse."""
    result = run()
    assert (result.exit_code, result.stdout) == (NO_COMMAND_STATUS, "") == (2, "")
    steps = [line.strip() for line in result.stderr.splitlines()]
    expected = [
        "sse-monolith serve",
        "curl -N 'http://127.0.0.1:5000/api/sse/stream?request_id=me'",
        "sse-monolith watch http://127.0.0.1:5000",
        "curl http://127.0.0.1:5000/api/tasks -H 'Content-Type: application/json' \\",
        """-d '{"task_type":"demo_task"}'""",
    ]
    assert [line for line in steps if line in expected] == expected
    assert "sse-monolith config " in result.stderr
    assert "sse-monolith --help " in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["version"]])
def test_first_steps_are_shown_only_without_arguments(arguments: list[str]) -> None:
    """With an option or a command, the first steps are not shown."""
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "request_id=me" not in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str) -> None:
    """The help of a command has a usage line and a sentence, and describes every option."""
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: sse-monolith {command} ")
    group = command_group(COMMANDS)
    found = group.get_command(click.Context(group), command)
    assert found is not None
    assert found.help
    options = [param for param in found.params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_help_of_serve() -> None:
    """The help of ``serve`` names the variable and the default of each option."""
    text = " ".join(run("serve", "--help").stdout.split())
    assert "--host TEXT Address to listen on. [env: HOST; default: 127.0.0.1]" in text
    assert "TCP port. [env: PORT; default: 5000]" in text


def test_the_version() -> None:
    """The version is the one of the package."""
    assert re.fullmatch(r"sse-monolith, version \d+\.\d+\.\d+\S*\n", run("--version").stdout)


def test_an_unknown_command() -> None:
    """An unknown command ends with status 2 and is named."""
    result = run("nonsense")
    assert (result.exit_code, "No such command 'nonsense'" in result.stderr) == (2, True)


def test_python_m_app_is_the_same() -> None:
    """``python -m app`` runs the same command under its own name."""
    result = subprocess.run(
        [sys.executable, "-m", "app", "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert result.stdout.startswith("Usage: sse-monolith serve ")


# ------------------------------------------------------------------ a full disk

PRINTING = (
    "config",
    "config --json",
    "version",
    "licenses --short",
    "check",
    "--help",
    "--version",
    "serve --help",
    "parity --help",
    "bench --help",
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
@pytest.mark.parametrize("arguments", PRINTING)
def test_output_to_a_full_disk(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that prints to a full disk ends with one line of error and status 1.

    tests/live/commands/test_commands.py has this test with processes.
    """
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            command_group(COMMANDS).main(arguments.split(), prog_name="sse-monolith")
        assert ended.value.code == 1
        assert errors.getvalue() == "Error: cannot write the output: No space left on device\n"


# ------------------------------------------------------------------ serve


def test_serve_at_a_port_in_use(taken: int) -> None:
    """A port in use is reported at once, with the option to change."""
    pattern = f"cannot listen on 127.0.0.1:{taken}: Address already in use.*--port"
    assert_one_line(run("serve", "--port", str(taken)), pattern)


def test_serve_at_an_admin_port_in_use(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port in use at the second address is reported, too."""
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
    """An address of another machine is reported with the settings to check."""
    monkeypatch.setenv("ALLOW_OPEN", "tasks,metrics")
    assert_one_line(
        run("serve", "--host", host),
        rf"cannot listen on {re.escape(host)}:5000: {why}; check HOST and PORT",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("FLASK_ENV", "live"),
        ("HEARTBEAT_INTERVAL_SECONDS", "0"),
        ("HEARTBEAT_INTERVAL_SECONDS", "often"),
        ("SSE_GATEWAY_URL", "localhost:3000"),
        ("GRACEFUL_SHUTDOWN_TIMEOUT", "inf"),
        ("CORS_ORIGINS", "example.com"),
        ("ADMIN_BIND", "5001"),
        ("PORT", "http"),
    ],
)
def test_serve_with_a_bad_setting(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid setting is reported in one line with its name and value."""
    monkeypatch.setenv(name, value)
    assert_one_line(run("serve"), rf"{name}: .* \(it is '{re.escape(value)}'\)")


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("HOST", "unix:/run/x.sock", "gunicorn with --bind unix:/path"),
        ("HOST", "127.0.0.1:80", "without scheme and port"),
        ("ADMIN_BIND", "::1:6261", r"write \[::1\]:6261"),
    ],
)
def test_serve_with_a_bad_address(
    name: str, value: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad address is refused with the setting, its value and advice."""
    monkeypatch.setenv(name, value)
    assert_one_line(run("serve"), rf"{name}: .*{advice}.*\(it is '{re.escape(value)}'\)")


def test_serve_with_two_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two invalid settings are reported in one line."""
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("LOG_FORMAT", "xml")
    assert_one_line(run("serve"), r"LOG_LEVEL: .*; LOG_FORMAT: .*")


def test_serve_in_production_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production, ``serve`` refuses to start without the secret."""
    monkeypatch.setenv("FLASK_ENV", "production")
    assert_one_line(run("serve"), ".*SSE_CALLBACK_SECRET.*")


@pytest.mark.parametrize("arguments", [["--certfile", "c.pem"], ["--keyfile", "k.pem"]])
def test_serve_with_half_a_certificate(arguments: list[str]) -> None:
    """A certificate without a key, or a key without a certificate, is an error."""
    assert_one_line(
        run("serve", "--port", str(free_port()), *arguments), ".*both a certificate and a key.*"
    )


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", ""])
def test_serve_with_a_bad_port(port: str) -> None:
    """An invalid port is a usage error with status 2."""
    result = run("serve", "--port", port)
    assert (result.exit_code, "Invalid value for '--port'" in result.stderr) == (2, True)


def test_an_option_wins_over_the_environment(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option overrides the environment."""
    monkeypatch.setenv("PORT", "1")
    assert_one_line(run("serve", "--port", str(taken)), rf".*127\.0\.0\.1:{taken}: .*")
