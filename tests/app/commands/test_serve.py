"""Options become settings; tests/app/test_cli.py has what cannot work."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.commands import serve as module
from app.commands.group import command_group
from gateway_shim.parity.ports import free_port

NAMES = ("HOST", "PORT", "CERTFILE", "KEYFILE")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Mapping[str, Any]]:
    """What gunicorn was given instead of being run."""
    given: list[Mapping[str, Any]] = []

    class Gunicorn:
        def __init__(self, load: Callable[[], Any], options: Mapping[str, Any]) -> None:
            given.append(options)

        def run(self) -> None:
            given.append({name: os.environ.get(name) for name in NAMES})

    monkeypatch.setattr(module, "GunicornServer", Gunicorn)
    monkeypatch.setattr(module, "configure_logging", lambda settings: None)
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.setenv(name, "")
    return given


def test_options(served: list[Mapping[str, Any]]) -> None:
    """They are gunicorn's address, and in the environment, where the worker reads its settings."""
    port = free_port()
    result = CliRunner().invoke(
        command_group, ["serve", "--host", "127.0.0.1", "--port", str(port)]
    )
    assert (result.exit_code, result.output) == (0, "")
    options, environment = served
    assert (options["bind"], options["reload"]) == ([f"127.0.0.1:{port}"], False)
    assert environment == {"HOST": "127.0.0.1", "PORT": str(port), "CERTFILE": "", "KEYFILE": ""}


def test_reload(served: list[Mapping[str, Any]]) -> None:
    """gunicorn's own reloader is asked to watch."""
    CliRunner().invoke(command_group, ["serve", "--port", str(free_port()), "--reload"])
    assert served[0]["reload"] is True
