"""The canary: a process that measures all the time how fast a server answers a small request.

The canary sends a request every 50 ms on a new connection, even while earlier requests wait for
their response. So a server that blocks for two seconds delays forty requests and not only one. The
canary is a process of its own, so the load of a test does not delay it.
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
"""The least 99th percentile of an idle server that is used for ratios, in seconds.

An idle server answers in 2 ms. Its 99th percentile may include one time slice of another process
on the same core, 3 to 4 ms, or not. Without a minimum the ratio would depend on that.
"""

MAX_RATIO = 50
"""The limit of the ratio of the 99th percentile under attack to that of the idle server."""

_IDLE_SECONDS = 1.0
"""The greatest length of a round without the attack, in seconds.

An idle server is the same all the time. Some attacks need longer to show their effect.
"""

_SETTLING = 0.25
"""The length of the measurement that shows that the server is idle again, in seconds."""

_SETTLED = 3.0
"""The limit of the ratio of an idle median to ``IDLE_FLOOR`` or to the first idle median."""


@dataclass(frozen=True)
class Figures:
    """The response times of a server.

    Attributes:
        count: the number of requests.
        p50: the median, in seconds.
        p99: the 99th percentile, in seconds; of fewer than 100 requests, the longest time.
        longest: the longest time, in seconds.
        failed: the number of requests without a response with status 200.
    """

    count: int
    p50: float
    p99: float
    longest: float
    failed: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Return the figures of these response times. ``LIMIT`` or more means a failed request.

        Raises:
            ValueError: there are no response times.
        """
        if not seconds:
            raise ValueError("the canary has sent no request; give it more time")
        ordered = sorted(seconds)

        def percentile(percent: float) -> float:
            return ordered[math.ceil(percent / 100 * len(ordered)) - 1]

        failed = sum(value >= LIMIT for value in ordered)
        return cls(len(ordered), percentile(50), percentile(99), ordered[-1], failed)

    def __str__(self) -> str:
        """Return the figures as one line."""
        return (
            f"p50 {1e3 * self.p50:.1f} ms, p99 {1e3 * self.p99:.1f} ms, longest"
            f" {1e3 * self.longest:.0f} ms, {self.failed} of {self.count} failed"
        )


class Canary(Companion):
    """A context manager that runs the canary's process.

    Args:
        port: the port of the server.
        path: the path of the requests. Any status but 200 is a failure.
        host: the address of the server.
        tls: use TLS, without verification of the certificate.
    """

    def __init__(
        self, port: int, *, path: str = "/healthz", host: str = "127.0.0.1", tls: bool = False
    ) -> None:
        arguments = [str(port), "--path", path, "--host", host, *(["--tls"] if tls else [])]
        super().__init__("tests.faults.canary", arguments)

    def _wait_until_ready(self) -> None:
        """Wait until the canary has started, and discard the times of its start."""
        self.take_seconds()

    def take(self) -> Figures:
        """Wait for all requests begun since the last call, and return their figures.

        The wait may take ``LIMIT`` seconds if the server does not answer.

        Raises:
            ValueError: no request has begun.
        """
        return Figures.of(self.take_seconds())

    def take_seconds(self) -> list[float]:
        """Wait for these requests, and return the seconds of each, in the order of sending."""
        self.write_line("take")
        taken: list[float] = json.loads(self.read_line())
        return taken

    def wait_until_idle(self, bound: float) -> None:
        """Wait until the median response time is at most ``bound`` seconds.

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
    """The response times of a server without and with an attack.

    Attributes:
        idle: the figures of both rounds without the attack.
        attacked: the figures of both rounds with the attack.
    """

    idle: Figures
    attacked: Figures

    @property
    def ratio(self) -> float:
        """The 99th percentile under attack, divided by the idle one (at least ``IDLE_FLOOR``)."""
        return self.attacked.p99 / max(self.idle.p99, IDLE_FLOOR)

    @property
    def failed(self) -> int:
        """The number of requests that failed under attack."""
        return self.attacked.failed

    def __str__(self) -> str:
        """Return the figures as one line."""
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
    """Measure a server in four rounds: idle, attacked, idle, attacked.

    The rounds alternate, because the load of the machine changes.

    Args:
        port: the port of the server.
        attack: returns a context manager that attacks during its block, from a process or at least
            a thread of its own.
        seconds: the length of each round. A round without the attack takes at most a second.
        path: the path of the canary's requests.
        host: the address of the server.
        tls: True if the canary uses TLS.

    Raises:
        TimeLimitPassed: the server does not recover after an attack.
    """
    idle: list[float] = []
    attacked: list[float] = []
    with Canary(port, path=path, host=host, tls=tls) as canary:

        def measure(length: float) -> list[float]:
            canary.take_seconds()
            time.sleep(length)
            return canary.take_seconds()

        for _ in range(2):
            idle += measure(min(seconds, _IDLE_SECONDS))
            with attack():
                attacked += measure(seconds)
            canary.wait_until_idle(_SETTLED * max(Figures.of(idle).p50, IDLE_FLOOR))
    return Disturbance(Figures.of(idle), Figures.of(attacked))
