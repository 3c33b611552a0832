"""The attackers of the soak test: all attacks of a list, one after the other, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import gevent

from tests.faults.attacks.attack import Attack

__all__ = ["MIX", "Attackers"]

MIX: dict[str, dict[str, object]] = {
    "pipelining": {"rate": 20_000},
    "half_open_heads": {"connections": 1000, "rate": 300},
    "tiny_chunks": {"rate": 1_000_000},
    "chunk_extensions": {"rate": 20_000_000},
    "bad_json": {"rate": 500_000},
    "slow_readers": {"connections": 200, "rate": 100},
    "posts_to_nowhere": {"connections": 100, "rate": 20_000_000},
    "large_heads": {"connections": 50, "rate": 100},
    "bad_requests": {"rate": 100},
}
"""Each attack with its options. The rates leave half of the machine to the soak itself."""


class Attackers:
    """The attacks of ``MIX``, one after the other. Call :meth:`run` in a greenlet of its own.

    Args:
        port: the port of the server.
        seconds: how long each attack lasts.

    Attributes:
        begun: the number of attacks that have begun.
        now: the name of the current attack, or a dash.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self.begun = 0
        self.now = "-"

    def run(self) -> None:
        """Attack until the greenlet is killed."""
        names: Iterator[str] = cycle(MIX)
        for name in names:
            with Attack(name, self._port, **MIX[name]):  # type: ignore[arg-type]
                self.begun += 1
                self.now = name
                gevent.sleep(self._seconds)
            self.now = "-"
