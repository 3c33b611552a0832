"""The hook that says who may have a stream."""

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
from app.services.callback_handler import Answer, CallbackHandler
from gateway_shim.streams.callbacks.backend import CallbackTimeout


class Connections:
    """Remembers who connected."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    def on_connect(self, request_id: str, token: str, url: str, user: str | None = None) -> None:
        """Connect."""
        self.connected.append(request_id)

    def on_disconnect(self, token: str) -> None:
        """Disconnect."""


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """An importable module named ``hooks``."""
    module = types.ModuleType("hooks")
    monkeypatch.setitem(sys.modules, "hooks", module)
    return module


def connect(headers: Mapping[str, str] | None = None) -> dict[str, object]:
    """A connect callback of the request id ``me``."""
    request = {"url": "/s?request_id=me", "headers": dict(headers or {})}
    return {"action": "connect", "token": "T", "request": request}


def test_everyone_without_a_hook() -> None:
    """Without SSE_AUTHORIZE every stream may open."""
    assert load_authorizer(None) is allow_all
    allow_all("me", "/s", {})


def test_hook_sees_the_request_and_may_allow(hooks: types.ModuleType) -> None:
    """The hook gets request id, raw URL and headers; returning allows."""
    seen = []
    hooks.check = lambda *args: seen.append(args)
    connections = Connections()
    handler = CallbackHandler(connections, load_authorizer("hooks:check"))
    assert handler.handle(connect({"cookie": "a=b"})) == Answer(200, {})
    assert seen == [("me", "/s?request_id=me", {"cookie": "a=b"})]
    assert connections.connected == ["me"]


def test_hook_refuses_before_anyone_is_replaced(hooks: types.ModuleType) -> None:
    """A denied stream gets the hook's status and reason, and touches no other stream."""

    def deny(*_: object) -> None:
        raise Denied(401, "Who\r\nare you")

    hooks.check = deny
    connections = Connections()
    handler = CallbackHandler(connections, load_authorizer("hooks:check"))
    reason = "Who??are you"
    assert handler.handle(connect()) == Answer(401, {"error": reason}, reason)
    assert connections.connected == []


def test_hook_that_fails_keeps_the_door_shut(
    hooks: types.ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    """A hook's own mistake refuses the stream with 500 and is logged with its traceback."""

    def broken(*_: object) -> None:
        raise KeyError("session")

    hooks.check = broken
    handler = CallbackHandler(Connections(), load_authorizer("hooks:check"))
    with caplog.at_level(logging.ERROR):
        assert handler.handle(connect()).status == 500
    assert "KeyError" in caplog.text


def test_hook_that_runs_out_of_time_keeps_the_door_shut(
    hooks: types.ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    """A time limit that a hook sets itself is no exception to it, though it is no Exception."""

    def slow(*_: object) -> None:
        with gevent.Timeout(0.001):
            gevent.sleep(60)

    hooks.check = slow
    handler = CallbackHandler(Connections(), load_authorizer("hooks:check"))
    with caplog.at_level(logging.ERROR):
        assert handler.handle(connect()).status == 500
    assert "the SSE_AUTHORIZE hook failed" in caplog.text


def test_the_contracts_time_limit_is_not_the_hooks(hooks: types.ModuleType) -> None:
    """A hook that takes too long is no hook that failed: the gateway answers 504."""

    def slow(*_: object) -> None:
        gevent.sleep(60)

    hooks.check = slow
    handler = CallbackHandler(Connections(), load_authorizer("hooks:check"))
    with pytest.raises(CallbackTimeout), CallbackTimeout(0.01):
        handler.handle(connect())


@pytest.mark.parametrize("verdict", [False, 0, 1, b"ann", object(), "", "x" * 201])
def test_hook_that_answers_otherwise_keeps_the_door_shut(
    hooks: types.ModuleType, caplog: pytest.LogCaptureFixture, verdict: object
) -> None:
    """Whoever returns False means to refuse: said in the log, and refused."""
    hooks.check = lambda *_: verdict
    handler = CallbackHandler(Connections(), load_authorizer("hooks:check"))
    assert handler.handle(connect()).status == 500
    assert "to refuse it must raise Denied" in caplog.text


def test_hook_that_says_yes(hooks: types.ModuleType) -> None:
    """True is allowed for those who want to say it."""
    hooks.check = lambda *_: True
    handler = CallbackHandler(Connections(), load_authorizer("hooks:check"))
    assert handler.handle(connect()).status == 200


class Name(str):
    """A string of a class of its own."""

    def __eq__(self, other: object) -> bool:
        """Be everybody."""
        return True

    __hash__ = str.__hash__


@pytest.mark.parametrize(("verdict", "user"), [("ann", "ann"), ("x" * 200, "x" * 200)])
@pytest.mark.parametrize("kind", [str, Name])
def test_hook_that_names_the_user(
    hooks: types.ModuleType, kind: type[str], verdict: str, user: str
) -> None:
    """A string is the user, and exactly a string, whatever the hook's own class can do."""
    hooks.check = lambda *_: kind(verdict)
    named = load_authorizer("hooks:check")("me", "/s?request_id=me", {})
    assert (type(named), named) == (str, user)


def test_hook_that_would_never_run_is_said_at_start(hooks: types.ModuleType) -> None:
    """A coroutine's or a generator's body runs only for who awaits or iterates it."""

    async def coroutine(*_: object) -> None:
        raise Denied

    def generator(*_: object) -> Iterator[None]:
        yield None

    for function in (coroutine, generator):
        hooks.check = function
        with pytest.raises(InvalidSettings, match="must be a plain function"):
            load_authorizer("hooks:check")


def test_hook_whose_module_exits_is_said_at_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would end the worker without a word, again and again."""
    (tmp_path / "exits_at_import.py").write_text("raise SystemExit('no')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InvalidSettings, match=r"SystemExit: no"):
        load_authorizer("exits_at_import:check")


@pytest.mark.parametrize("path", ["nowhere_at_all:check", "hooks:missing", "hooks", "hooks:text"])
def test_wrong_hook_is_one_clear_line(hooks: types.ModuleType, path: str) -> None:
    """A hook that is not there, or is no function, is said at start."""
    hooks.text = "not callable"
    with pytest.raises(InvalidSettings, match=r"^SSE_AUTHORIZE: "):
        load_authorizer(path)


@pytest.mark.parametrize("status", [200, 302, 399, 600, 450.5])
def test_denial_has_an_error_status(status: int) -> None:
    """A refusal cannot claim success."""
    with pytest.raises(ValueError, match="400 to 599"):
        Denied(status)
