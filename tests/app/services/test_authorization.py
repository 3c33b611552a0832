"""The hook that decides who may open a stream."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path

import gevent
import pytest

from app.config import InvalidSettings
from app.services.authorization import Denied, allow_all, load_authorizer
from app.services.callback_handler import CallbackHandler, CallbackResponse
from gateway_shim.streams.callbacks.backend import CallbackTimeout


class RecordingConnections:
    """A connection manager that records the request ids that have connected."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    def on_connect(self, request_id: str, token: str, url: str, user: str | None = None) -> None:
        """Record the request id."""
        self.connected.append(request_id)

    def on_disconnect(self, token: str) -> None:
        """Do nothing."""

    def token_of(self, request_id: str) -> str | None:
        """Return None: there is no earlier stream."""


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Return an importable module named ``hooks``."""
    module = types.ModuleType("hooks")
    monkeypatch.setitem(sys.modules, "hooks", module)
    return module


def connect(headers: Mapping[str, str] | None = None) -> dict[str, object]:
    """Return a connect callback of the request id ``me``."""
    request = {"url": "/s?request_id=me", "headers": dict(headers or {})}
    return {"action": "connect", "token": "T", "request": request}


def test_without_a_hook_every_stream_may_open() -> None:
    """Without SSE_AUTHORIZE, every stream may open."""
    assert load_authorizer(None) is allow_all
    allow_all("me", "/s", {})


def test_a_hook_gets_the_request(hooks: types.ModuleType) -> None:
    """The hook gets request id, raw URL and headers; the stream opens if it returns."""
    seen = []
    hooks.check = lambda *args: seen.append(args)
    connections = RecordingConnections()
    handler = CallbackHandler(connections, load_authorizer("hooks:check"))
    assert handler.handle(connect({"cookie": "a=b"})) == CallbackResponse(200, {})
    assert seen == [("me", "/s?request_id=me", {"cookie": "a=b"})]
    assert connections.connected == ["me"]


def test_a_denied_stream_replaces_no_other(hooks: types.ModuleType) -> None:
    """A denied stream gets the hook's status and reason, and does not touch other streams."""

    def deny(*_: object) -> None:
        raise Denied(401, "Who\r\nare you")

    hooks.check = deny
    connections = RecordingConnections()
    handler = CallbackHandler(connections, load_authorizer("hooks:check"))
    reason = "Who??are you"
    assert handler.handle(connect()) == CallbackResponse(401, {"error": reason}, reason)
    assert connections.connected == []


def test_a_hook_that_raises_refuses_the_stream(
    hooks: types.ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the hook refuses the stream with 500, and is logged with its traceback."""

    def broken(*_: object) -> None:
        raise KeyError("session")

    hooks.check = broken
    handler = CallbackHandler(RecordingConnections(), load_authorizer("hooks:check"))
    with caplog.at_level(logging.ERROR):
        assert handler.handle(connect()).status == 500
    assert "KeyError" in caplog.text


def test_a_hook_that_runs_into_its_time_limit_refuses_the_stream(
    hooks: types.ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    """A timeout that the hook sets for itself refuses the stream."""

    def slow(*_: object) -> None:
        with gevent.Timeout(0.001):
            gevent.sleep(60)

    hooks.check = slow
    handler = CallbackHandler(RecordingConnections(), load_authorizer("hooks:check"))
    with caplog.at_level(logging.ERROR):
        assert handler.handle(connect()).status == 500
    assert "the SSE_AUTHORIZE hook failed" in caplog.text


def test_the_time_limit_of_the_contract_is_passed_on(hooks: types.ModuleType) -> None:
    """The gateway's own time limit is not an error of the hook: the gateway answers 504."""

    def slow(*_: object) -> None:
        gevent.sleep(60)

    hooks.check = slow
    handler = CallbackHandler(RecordingConnections(), load_authorizer("hooks:check"))
    with pytest.raises(CallbackTimeout), CallbackTimeout(0.01):
        handler.handle(connect())


@pytest.mark.parametrize("verdict", [False, 0, 1, b"ann", object(), "", "x" * 201])
def test_any_other_return_value_refuses_the_stream(
    hooks: types.ModuleType, caplog: pytest.LogCaptureFixture, verdict: object
) -> None:
    """A hook that returns anything else refuses the stream, and the log says how to refuse."""
    hooks.check = lambda *_: verdict
    handler = CallbackHandler(RecordingConnections(), load_authorizer("hooks:check"))
    assert handler.handle(connect()).status == 500
    assert "to refuse a stream" in caplog.text


def test_a_hook_may_return_true(hooks: types.ModuleType) -> None:
    """A hook may return True to let the stream open."""
    hooks.check = lambda *_: True
    handler = CallbackHandler(RecordingConnections(), load_authorizer("hooks:check"))
    assert handler.handle(connect()).status == 200


class EqualToEverything(str):
    """A string that is equal to everything."""

    def __eq__(self, other: object) -> bool:
        """Return True."""
        return True

    __hash__ = str.__hash__


@pytest.mark.parametrize(("verdict", "user"), [("ann", "ann"), ("x" * 200, "x" * 200)])
@pytest.mark.parametrize("kind", [str, EqualToEverything])
def test_a_hook_may_return_the_user(
    hooks: types.ModuleType, kind: type[str], verdict: str, user: str
) -> None:
    """A string is the user, and becomes a plain str even if the hook returns a subclass."""
    hooks.check = lambda *_: kind(verdict)
    named = load_authorizer("hooks:check")("me", "/s?request_id=me", {})
    assert (type(named), named) == (str, user)


def test_a_hook_must_be_a_plain_function(hooks: types.ModuleType) -> None:
    """A coroutine function or a generator function is refused at the start: it would never run."""

    async def coroutine(*_: object) -> None:
        raise Denied

    def generator(*_: object) -> Iterator[None]:
        yield None

    for function in (coroutine, generator):
        hooks.check = function
        with pytest.raises(InvalidSettings, match="must be a plain function"):
            load_authorizer("hooks:check")


def test_a_hook_whose_module_exits_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A SystemExit during the import is an error of the settings, and does not end the worker."""
    (tmp_path / "exits_at_import.py").write_text("raise SystemExit('no')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InvalidSettings, match=r"SystemExit: no"):
        load_authorizer("exits_at_import:check")


@pytest.mark.parametrize("path", ["nowhere_at_all:check", "hooks:missing", "hooks", "hooks:text"])
def test_a_hook_that_cannot_be_used_is_refused_at_the_start(
    hooks: types.ModuleType, path: str
) -> None:
    """A hook that is missing or is not a function is an error that names the setting."""
    hooks.text = "not callable"
    with pytest.raises(InvalidSettings, match=r"^SSE_AUTHORIZE: "):
        load_authorizer(path)


@pytest.mark.parametrize("status", [200, 302, 399, 600, 450.5])
def test_a_denial_has_an_error_status(status: int) -> None:
    """The status of a denial must be from 400 to 599."""
    with pytest.raises(ValueError, match="400 to 599"):
        Denied(status)
