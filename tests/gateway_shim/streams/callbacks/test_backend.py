"""The backends: none, and one in the same process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import gevent
import pytest

from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
from gateway_shim.streams.callbacks.backend import Backend, InProcessBackend, NoBackend

PAYLOAD = {"action": "connect", "token": "t"}


class Count:
    """A function that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        """Count a call."""
        self.calls += 1


def test_no_backend() -> None:
    """Without a backend every stream is refused, and a flush returns at once."""
    backend: Backend = NoBackend()
    failed = Count()
    assert backend.configured is False
    assert backend.connect(PAYLOAD) is CallbackFailure.NOT_CONFIGURED
    backend.disconnect(PAYLOAD, failed)
    backend.flush(0)
    assert failed.calls == 0


@pytest.mark.parametrize(
    "answer",
    [CallbackAnswer(200), CallbackAnswer(204), CallbackAnswer(401, "No"), CallbackAnswer(500)],
)
def test_in_process(answer: CallbackAnswer) -> None:
    """The function gets the payload unchanged, and its answer is the answer."""
    seen = []

    def handle(payload: Mapping[str, Any]) -> CallbackAnswer:
        seen.append(payload)
        return answer

    backend: Backend = InProcessBackend(handle)
    failed = Count()
    assert backend.configured is True
    assert backend.connect(PAYLOAD) is answer
    backend.disconnect({"action": "disconnect"}, failed)
    backend.flush(0)
    assert seen == [PAYLOAD, {"action": "disconnect"}]
    assert failed.calls == (0 if answer.status < 300 else 1)


@pytest.mark.parametrize("mistake", [RuntimeError("a mistake"), gevent.Timeout(1)])
def test_in_process_raises(mistake: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """A backend that raises answers 500, and the error is logged with its traceback."""

    def handle(payload: Mapping[str, Any]) -> CallbackAnswer:
        raise mistake

    backend = InProcessBackend(handle)
    failed = Count()
    assert backend.connect(PAYLOAD) == CallbackAnswer(500)
    backend.disconnect({"action": "disconnect"}, failed)
    assert failed.calls == 1
    assert [
        (record.levelno, record.message, getattr(record, "action", None), bool(record.exc_info))
        for record in caplog.records
    ] == [
        (logging.ERROR, "the backend's callback failed", action, True)
        for action in ("connect", "disconnect")
    ]


def test_in_process_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that does not answer in time is interrupted."""
    monkeypatch.setattr("gateway_shim.streams.callbacks.backend.CALLBACK_TIME_LIMIT_SECONDS", 0.01)
    ended = Count()

    def handle(payload: Mapping[str, Any]) -> CallbackAnswer:
        try:
            gevent.sleep(60)
        finally:
            ended()
        return CallbackAnswer(200)

    backend = InProcessBackend(handle)
    assert backend.connect(PAYLOAD) is CallbackFailure.TIMEOUT
    assert ended.calls == 1


def test_in_process_answers_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that catches the time limit may still answer."""
    monkeypatch.setattr("gateway_shim.streams.callbacks.backend.CALLBACK_TIME_LIMIT_SECONDS", 0.01)

    def handle(payload: Mapping[str, Any]) -> CallbackAnswer:
        try:
            gevent.sleep(60)
        except gevent.Timeout:
            return CallbackAnswer(200)
        raise AssertionError

    assert InProcessBackend(handle).connect(PAYLOAD) == CallbackAnswer(200)


def test_in_process_is_left_alone() -> None:
    """If the caller is killed meanwhile, the backend's work is stopped, too."""
    ended = Count()

    def handle(payload: Mapping[str, Any]) -> CallbackAnswer:
        try:
            gevent.sleep(60)
        finally:
            ended()
        return CallbackAnswer(200)

    asking = gevent.spawn(InProcessBackend(handle).connect, PAYLOAD)
    gevent.sleep(0.01)
    asking.kill()
    gevent.sleep(0)
    assert ended.calls == 1
