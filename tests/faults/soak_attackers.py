"""What attacks the soak's server: one attack after the other, and round again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import gevent

from tests.faults.attacks import Attack

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
"""Each attack with its options: rates that leave the machine's other half to the soak itself."""


class Attackers:
    """Runs the attacks of ``MIX`` one after the other; run it in a greenlet.

    Args:
        port: of the server.
        seconds: how long each attack goes on.

    Attributes:
        begun: how many attacks have begun.
        now: the one that goes on, or a dash.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self.begun = 0
        self.now = "-"

    def run(self) -> None:
        """Attack until killed."""
        names: Iterator[str] = cycle(MIX)
        for name in names:
            with Attack(name, self._port, **MIX[name]):  # type: ignore[arg-type]
                self.begun += 1
                self.now = name
                gevent.sleep(self._seconds)
            self.now = "-"
