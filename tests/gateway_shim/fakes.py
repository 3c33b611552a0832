"""A clock that a test sets, and a backend that records its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure

__all__ = ["FakeBackend", "FakeClock"]


class FakeClock:
    """A clock that a test sets.

    Attributes:
        now: the time, seconds.
    """

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time, seconds."""
        return self.now


class FakeBackend:
    """A backend that records its calls.

    Attributes:
        answer: the answer to every connect callback.
        during: called inside the connect callback with the stream's token.
        calls: the payloads of all callbacks.
        told: called inside the disconnect callback with the stream's token.
        disconnects_fail: True if disconnect callbacks do not arrive.
        flushes: the time limit of each flush, seconds.
    """

    def __init__(self) -> None:
        self.configured = True
        self.answer: CallbackAnswer | CallbackFailure = CallbackAnswer(200)
        self.during: Callable[[str], object] = lambda token: None
        self.told: Callable[[str], object] = lambda token: None
        self.calls: list[dict[str, Any]] = []
        self.disconnects_fail = False
        self.flushes: list[float] = []

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Record the callback, call :attr:`during`, and return :attr:`answer`."""
        self.calls.append(dict(payload))
        self.during(payload["token"])
        return self.answer

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Call :attr:`told`, then record the callback."""
        self.told(payload["token"])
        self.calls.append(dict(payload))
        if self.disconnects_fail:
            failed()

    def flush(self, seconds: float) -> None:
        """Record the time limit."""
        self.flushes.append(seconds)

    @property
    def reasons(self) -> dict[str, str]:
        """The reason of each stream's end, by token, as far as the backend was told."""
        return {call["token"]: call["reason"] for call in self.calls if "reason" in call}
