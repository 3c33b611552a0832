"""Tests of gunicorn's settings."""

from __future__ import annotations

import pytest

from gateway_shim.server import options
from gateway_shim.server.gunicorn_application import GunicornApplication
from gateway_shim.server.options import base_options


@pytest.mark.parametrize(
    ("host", "binds"),
    [
        ("127.0.0.1", ["127.0.0.1:81"]),
        ("0.0.0.0", ["0.0.0.0:81"]),
        ("::", ["[::]:81"]),
        ("gw.example", ["gw.example:81"]),
    ],
)
def test_bind(host: str, binds: list[str]) -> None:
    """The address is written as gunicorn reads it."""
    assert base_options(host, 81, drain_seconds=1)["bind"] == binds


@pytest.mark.parametrize(("drain", "limit"), [(5.0, 15), (0.4, 10), (60.0, 70)])
def test_what_streams_need(drain: float, limit: int) -> None:
    """There is one worker, which is never restarted and may take longer to end than a drain."""
    found = base_options("127.0.0.1", 81, drain_seconds=drain)
    assert (found["workers"], found["max_requests"]) == (1, 0)
    assert found["graceful_timeout"] == limit
    assert found["worker_class"] == "gateway_shim.server.worker.StreamWorker"
    assert found["control_socket_disable"] is True
    assert found["header_map"] == "dangerous"


def test_gunicorn_accepts_every_setting() -> None:
    """Every setting exists in gunicorn and has a value that gunicorn accepts."""
    found = base_options("127.0.0.1", 81, drain_seconds=5)
    server = GunicornApplication(lambda: None, found)
    assert found.keys() <= server.cfg.settings.keys()


def test_reload_ends_a_worker_cleanly() -> None:
    """The hook of gunicorn's reloader lets the worker drain."""
    finished = []

    class Worker:
        def finish(self) -> None:
            finished.append(1)

    base_options("127.0.0.1", 81, drain_seconds=5)["worker_int"](Worker())
    assert finished == [1]


def test_what_an_application_does_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn's ``on_starting`` prepares the arbiter and then calls the application's function."""
    calls: list[tuple[str, object]] = []
    monkeypatch.setattr(
        options, "prepare_arbiter", lambda arbiter, *_, **__: calls.append(("prepare", arbiter))
    )
    arbiter = object()
    base_options("127.0.0.1", 81, drain_seconds=5)["on_starting"](arbiter)
    assert calls == [("prepare", arbiter)]
    calls.clear()
    base_options(
        "127.0.0.1", 81, drain_seconds=5, at_start=lambda given: calls.append(("start", given))
    )["on_starting"](arbiter)
    assert calls == [("prepare", arbiter), ("start", arbiter)]
