"""Tests of the lines that a server prints when it listens."""

from __future__ import annotations

import errno
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from app.config import Settings
from app.serving.announcement import announce


def announced(
    capsys: pytest.CaptureFixture[str], address: object = ("127.0.0.1", 5000), **settings: Any
) -> str:
    """Return what is printed for an address and settings."""
    announce(address, Settings(_env_file=None, **settings))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "base"),
    [
        (("127.0.0.1", 5000), "http://127.0.0.1:5000"),
        (("0.0.0.0", 8080), "http://127.0.0.1:8080"),
        (("::", 8080, 0, 0), "http://127.0.0.1:8080"),
        (("::1", 5000, 0, 0), "http://[::1]:5000"),
        (("10.1.2.3", 80), "http://10.1.2.3:80"),
    ],
)
def test_the_commands_to_type_next(
    capsys: pytest.CaptureFixture[str], address: tuple[Any, ...], base: str
) -> None:
    """The commands have an address that a client on this machine can use."""
    output = announced(capsys, address, port=1, sse_console_password="correct horse")
    assert output == (
        f"\n  Console          {base}/console"
        f"\n  Open a stream    curl -N '{base}/api/sse/stream?request_id=me'"
        f"\n  Start a task     curl {base}/api/tasks"
        ' -H "Content-Type: application/json" -d \'{"task_type":"demo_task"}\''
        f"\n  Watch            python -m app watch {base}"
        "\n  Stop             Ctrl-C\n\n"
    )


def test_streams_and_tasks_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Streams are opened at a remote gateway, its password masked, and tasks at ADMIN_BIND."""
    output = announced(
        capsys, sse_gateway_url="http://me:hunter2@10.1.2.3:3000", admin_bind="127.0.0.1:5001"
    )
    assert "'http://***@10.1.2.3:3000/api/sse/stream?request_id=me'" in output
    assert " watch http://***@10.1.2.3:3000\n" in output
    assert " http://127.0.0.1:5001/api/tasks " in output


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "Start a task     not possible yet: set ADMIN_BIND, or ALLOW_OPEN=tasks\n"),
        ({"allow_open": "tasks"}, "Start a task     curl http://127.0.0.1:5000/api/tasks "),
        (
            {"admin_bind": "127.0.0.1:5001"},
            "Start a task     curl http://127.0.0.1:5001/api/tasks ",
        ),
    ],
)
def test_tasks_in_production(
    capsys: pytest.CaptureFixture[str], settings: dict[str, str], line: str
) -> None:
    """In production the line says where tasks are served, or which setting serves them."""
    secret = SecretStr("s3cret")
    assert line in announced(capsys, flask_env="production", sse_callback_secret=secret, **settings)


PRODUCTION = {"flask_env": "production", "sse_callback_secret": "s3cret"}
PASSWORD = {"sse_console_password": "correct horse"}


@pytest.mark.parametrize(
    ("settings", "host", "console"),
    [
        ({}, "127.0.0.1", "http://127.0.0.1:5000/console"),
        ({"allow_open": "tasks,metrics"}, "0.0.0.0", None),
        ({"certfile": "c.pem"}, "127.0.0.1", "https://127.0.0.1:5000/console"),
        ({"admin_bind": "127.0.0.1:5001"}, "127.0.0.1", "http://127.0.0.1:5001/console"),
        (PRODUCTION, "0.0.0.0", None),
        ({**PRODUCTION, "admin_bind": "127.0.0.1:5001"}, "0.0.0.0", None),
        ({**PRODUCTION, **PASSWORD}, "0.0.0.0", "http://127.0.0.1:5000/console"),
        (
            {**PRODUCTION, **PASSWORD, "admin_bind": "127.0.0.1:5001"},
            "0.0.0.0",
            "http://127.0.0.1:5001/console",
        ),
    ],
)
def test_the_console(
    capsys: pytest.CaptureFixture[str], settings: dict[str, str], host: str, console: str | None
) -> None:
    """The line names the address where the console is, or the setting that turns it on."""
    lines = announced(capsys, (host, 5000), **settings).splitlines()
    [line] = [line for line in lines if line.startswith("  Console ")]
    assert line == f"  Console          {console or 'off: set SSE_CONSOLE_PASSWORD'}"


@pytest.mark.parametrize("program", ["sse-monolith", "/opt/bin/sse-monolith", "./sse-monolith"])
def test_the_program_as_it_was_called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """The program has the name that the user typed, so that the line works in the same place."""
    monkeypatch.setattr(sys, "argv", [program, "serve"])
    assert f"  {program} watch http://127.0.0.1:5000\n" in announced(capsys)


def test_an_output_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk behind the output does not keep the server from serving."""

    class FullDisk:
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            """Write nothing."""

    monkeypatch.setattr(sys, "stdout", FullDisk())
    announce(("127.0.0.1", 5000), Settings(_env_file=None))


def test_a_unix_socket(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed for a Unix socket, because it has no URL."""
    assert announced(capsys, "/run/gunicorn.sock") == ""
