"""Runs the gateway's command without gunicorn, for the tests of its settings."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway_shim.standalone import command
from gateway_shim.standalone.front import Front


class FakeServer:
    """A server that takes the place of gunicorn."""

    def __init__(self, load: Any, options: dict[str, Any]) -> None:
        self.load, self.options = load, options
        self.ran = False
        STARTED.append(self)

    def run(self) -> None:
        """Record the call, instead of serving."""
        self.ran = True


STARTED: list[FakeServer] = []


def run(*arguments: str, **environment: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(command.gateway_command, arguments, env=environment)


def started(result: Result) -> tuple[dict[str, Any], Front]:
    """Return gunicorn's settings, and the application that the worker loads."""
    assert result.exit_code == 0, result.output
    (server,) = STARTED
    assert server.ran
    front = server.load()
    assert isinstance(front, Front)
    return server.options, front


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the messages that were logged as errors."""
    return [record.message for record in caplog.records if record.levelno >= logging.ERROR]
