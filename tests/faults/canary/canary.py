"""The canary: a process that asks a server a small question all the time, and times the answers.

    python -m tests.faults.canary.canary PORT [--path /healthz] [--host 127.0.0.1] [--tls]

It asks every 50 ms on a fresh connection, also while earlier questions wait for their answer: a
server that stands still for two seconds is seen by forty questions, not by one. It is a process
of its own, so the load that a test makes does not delay it. Each line on its standard input
is answered by a line of JSON with the seconds of all questions begun since the last one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from tests.faults.canary.questions import LIMIT
from tests.support.processes.companion import Companion
from tests.support.timing import wait_until

__all__ = ["IDLE_FLOOR", "LIMIT", "MAX_RATIO", "Canary", "Disturbance", "Figures", "disturbance"]

IDLE_FLOOR = 0.005
"""Seconds; an idle server whose 99th percentile is less counts as having this one.

An idle server answers in 2 ms, and its 99th percentile is one turn of another process on the same
core, 3 to 4 ms, or none. Without a floor the ratio would say which of the two it was.
"""

MAX_RATIO = 50
"""The canary's 99th percentile under attack, in those of the idle server, is less than this."""

_SETTLING = 0.25
"""Seconds of questions by which a server is judged to be idle again."""

_SETTLED = 3.0
"""An idle server's median is at most so many times the floor, or what it was at first."""


@dataclass(frozen=True)
class Figures:
    """How a server has answered.

    Attributes:
        count: questions that were asked.
        p50: the median, seconds.
        p99: the 99th percentile, seconds; of fewer than 100 questions, the longest.
        longest: seconds.
        failed: questions that got no answer, or another status than 200.
    """

    count: int
    p50: float
    p99: float
    longest: float
    failed: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Sum up questions; one that took ``LIMIT`` or more is a failed one.

        Raises:
            ValueError: there were none.
        """
        if not seconds:
            raise ValueError("the canary has asked nothing; give it more time")
        ordered = sorted(seconds)

        def percentile(percent: float) -> float:
            return ordered[math.ceil(percent / 100 * len(ordered)) - 1]

        failed = sum(value >= LIMIT for value in ordered)
        return cls(len(ordered), percentile(50), percentile(99), ordered[-1], failed)

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"p50 {1e3 * self.p50:.1f} ms, p99 {1e3 * self.p99:.1f} ms, longest"
            f" {1e3 * self.longest:.0f} ms, {self.failed} of {self.count} failed"
        )


class Canary(Companion):
    """A context manager: the process, asking from when it is entered until it is left.

    Args:
        port: of the server.
        path: what is asked for; anything but 200 is a failure.
        host: where the server listens.
        tls: ask over TLS, without a look at the certificate.
    """

    def __init__(
        self, port: int, *, path: str = "/healthz", host: str = "127.0.0.1", tls: bool = False
    ) -> None:
        arguments = [str(port), "--path", path, "--host", host, *(["--tls"] if tls else [])]
        super().__init__("tests.faults.canary", arguments)

    def _wait_until_ready(self) -> None:
        """Do not count the questions that it asks while it is still starting."""
        self.take_seconds()

    def take(self) -> Figures:
        """Return the figures of the questions begun since the last call, once all are over.

        That may take ``LIMIT`` seconds, where the server does not answer.

        Raises:
            ValueError: none was begun.
        """
        return Figures.of(self.take_seconds())

    def take_seconds(self) -> list[float]:
        """Return what each of these questions took, seconds, in the order of their beginnings."""
        self.write_line("take")
        taken: list[float] = json.loads(self.read_line())
        return taken

    def wait_until_idle(self, bound: float) -> None:
        """Wait until the median answer takes no more than so many seconds.

        Raises:
            TimeLimitPassed: the server has not recovered.
        """
        last: list[Figures] = []

        def is_idle() -> bool:
            self.take_seconds()
            time.sleep(_SETTLING)
            last[:] = [self.take()]
            return last[0].p50 <= bound

        wait_until(is_idle, lambda: f"the server to answer in {1e3 * bound:.0f} ms; {last[0]}")


@dataclass(frozen=True)
class Disturbance:
    """What an attack did to the canary.

    Attributes:
        idle: both rounds without the attack together.
        attacked: both rounds under it.
    """

    idle: Figures
    attacked: Figures

    @property
    def ratio(self) -> float:
        """The 99th percentile under attack, in those of the idle server (at least the floor)."""
        return self.attacked.p99 / max(self.idle.p99, IDLE_FLOOR)

    @property
    def failed(self) -> int:
        """Questions that failed under attack."""
        return self.attacked.failed

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.ratio:.1f} times idle; idle: {self.idle}; attacked: {self.attacked}"


def disturbance(
    port: int,
    attack: Callable[[], AbstractContextManager[object]],
    *,
    seconds: float = 1.0,
    path: str = "/healthz",
    host: str = "127.0.0.1",
    tls: bool = False,
) -> Disturbance:
    """Measure a server in turn idle, attacked, idle, attacked.

    In turn, because a busy machine is not as busy all the time.

    Args:
        port: of the server.
        attack: makes a context manager that attacks while it is entered. It should do so from a
            process or at least a thread of its own.
        seconds: of each of the four rounds.
        path: what the canary asks for.
        host: where the server listens.
        tls: whether the canary asks over TLS.

    Raises:
        TimeLimitPassed: the server does not recover after an attack.
    """
    idle: list[float] = []
    attacked: list[float] = []
    with Canary(port, path=path, host=host, tls=tls) as canary:

        def measure() -> list[float]:
            canary.take_seconds()
            time.sleep(seconds)
            return canary.take_seconds()

        for _ in range(2):
            idle += measure()
            with attack():
                attacked += measure()
            canary.wait_until_idle(_SETTLED * max(Figures.of(idle).p50, IDLE_FLOOR))
    return Disturbance(Figures.of(idle), Figures.of(attacked))
