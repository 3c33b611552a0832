"""A stream in the memory of the test, in the place of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gevent

from gateway_shim.errors import BusUnreachable, LogUnavailable
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.stream import Appended, Pulse, RedisStream
from gateway_shim.event_log.brokers.redis.url import RedisURL

__all__ = ["AWAY", "FakeStream"]

AWAY = BusUnreachable("Redis gives no answer", was_sent=False)
"""The error of a connection that cannot be made."""


class FakeStream(RedisStream):
    """A stream that answers as the test says.

    Attributes:
        answers: what the next appends return or raise, in order; then each is appended.
        appended: the appends that were carried out: the epoch, the number and the entries.
        begun: the epochs that were to be ended, each with the one that the caller knew.
        pulses: what the next signs of life return or raise, in order; then the last one again.
        seconds: what the signs of life said.
        pause: how long each append and each sign of life takes, seconds.
    """

    def __init__(self) -> None:
        super().__init__(RedisClient(RedisURL.parse("unix:///nothing"), 1), Keys("p"), "s")
        self.answers: list[Appended | LogUnavailable] = []
        self.appended: list[tuple[str, int, list[bytes]]] = []
        self.known: list[int] = []
        self.begun: list[tuple[str, str]] = []
        self.pulses: list[Pulse | LogUnavailable] = []
        self.seconds: list[float] = []
        self.pause = 0.0
        self.newest = 0

    def append(
        self,
        epoch: str,
        known: int,
        producer: str,
        number: int,
        limits: tuple[int, int],
        packed: Sequence[bytes],
    ) -> Appended:
        """Answer as the test says, or append."""
        gevent.sleep(self.pause)
        self.known.append(known)
        if self.answers:
            return _or_raise(self.answers.pop(0))
        self.appended.append((epoch, number, list(packed)))
        first = self.newest + 1
        self.newest += len(packed)
        return Appended("done", first)

    def begin(self, actual: str, known: str) -> str:
        """Note the call."""
        self.begun.append((actual, known))
        return f"new{len(self.begun)}"

    def pulse(self, process: str, seconds: float, digest: str) -> Pulse:
        """Answer as the test says."""
        self.seconds.append(seconds)
        gevent.sleep(self.pause)
        answer = self.pulses.pop(0) if len(self.pulses) > 1 else self.pulses[0]
        return _or_raise(answer)


def _or_raise(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer
