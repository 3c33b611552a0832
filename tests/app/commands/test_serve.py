"""Tests of the options of ``serve``; tests/app/commands/test_group.py has the errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import COMMANDS
from app.commands import serve as module
from app.commands.group import command_group
from gateway_shim.parity.ports import free_port

NAMES = ("HOST", "PORT", "WEB_CONCURRENCY", "CERTFILE", "KEYFILE")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Mapping[str, Any]]:
    """Return a list that gets gunicorn's settings, and the environment when gunicorn would run."""
    given: list[Mapping[str, Any]] = []

    class Gunicorn:
        def __init__(self, load: Callable[[], Any], options: Mapping[str, Any]) -> None:
            given.append(options)

        def run(self) -> None:
            given.append({name: os.environ.get(name) for name in NAMES})

    monkeypatch.setattr(module, "GunicornApplication", Gunicorn)
    monkeypatch.setattr(module, "configure_logging", lambda settings: None)
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.setenv(name, "")
    return given


def test_options(served: list[Mapping[str, Any]]) -> None:
    """The options set gunicorn's address and the environment, where the worker reads settings."""
    port = free_port()
    result = CliRunner().invoke(
        command_group(COMMANDS), ["serve", "--host", "127.0.0.1", "--port", str(port)]
    )
    assert (result.exit_code, result.output) == (0, "")
    options, environment = served
    assert (options["bind"], options["reload"]) == ([f"127.0.0.1:{port}"], False)
    assert environment == dict.fromkeys(NAMES, "") | {"HOST": "127.0.0.1", "PORT": str(port)}


def test_workers(served: list[Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The option overrides the environment, even a text there that cannot be used."""
    for text, option, workers in (("x", ["--workers", "2"], 2), ("3", [], 3)):
        monkeypatch.setenv("WEB_CONCURRENCY", text)
        command = ["serve", "--port", str(free_port()), *option]
        result = CliRunner().invoke(command_group(COMMANDS), command)
        assert (result.exit_code, result.output) == (0, "")
        options, environment = served[-2:]
        assert (options["workers"], environment["WEB_CONCURRENCY"]) == (workers, str(workers))


@pytest.mark.parametrize("text", ["0", "-1", "x", "10000"])
def test_a_bad_number_of_workers(served: list[Mapping[str, Any]], text: str) -> None:
    """A number of workers that cannot be used is refused with the name of the option."""
    result = CliRunner().invoke(command_group(COMMANDS), ["serve", "--workers", text])
    assert (result.exit_code, served) == (2, [])
    assert "Error: Invalid value for '--workers': " in result.output


def test_reload(served: list[Mapping[str, Any]]) -> None:
    """``--reload`` turns on gunicorn's own reloader."""
    CliRunner().invoke(command_group(COMMANDS), ["serve", "--port", str(free_port()), "--reload"])
    assert served[0]["reload"] is True
