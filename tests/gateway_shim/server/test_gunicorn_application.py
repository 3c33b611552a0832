"""Tests of gunicorn that is started from Python code."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.server import gunicorn_application as module
from gateway_shim.server.gunicorn_application import GunicornApplication
from gateway_shim.server.options import base_options
from gateway_shim.server.server_log import PropagatingLogger


def test_settings_and_application() -> None:
    """gunicorn gets the settings, and the application is made only when gunicorn loads it."""
    made = []

    def load() -> str:
        made.append(1)
        return "application"

    options = base_options("127.0.0.1", 81, drain_seconds=5)
    server = GunicornApplication(load, options)
    assert made == []
    for name in ("bind", "workers", "keepalive", "graceful_timeout", "control_socket_disable"):
        assert server.cfg.settings[name].get() == options[name]
    assert server.cfg.logger_class is PropagatingLogger
    assert server.load() == "application"


def run_with(monkeypatch: pytest.MonkeyPatch, run: Any) -> GunicornApplication:
    """Run a server whose arbiter does something else; return the server."""
    monkeypatch.setattr(module.StreamArbiter, "run", run)
    server = GunicornApplication(lambda: None, base_options("127.0.0.1", 81, drain_seconds=5))
    server.run()
    return server


def test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server runs an arbiter of streams with itself as the application."""
    arbiters: list[Any] = []
    server = run_with(monkeypatch, lambda arbiter: arbiters.append(arbiter))
    assert [(type(arbiter), arbiter.app) for arbiter in arbiters] == [
        (module.StreamArbiter, server)
    ]


def test_run_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of gunicorn's arbiter is one line on standard error, with exit status 1."""

    def fail(_: object) -> None:
        raise RuntimeError("already running")

    with pytest.raises(SystemExit) as ended:
        run_with(monkeypatch, fail)
    assert ended.value.code == 1
    assert capsys.readouterr().err.strip() == "Error: already running"
