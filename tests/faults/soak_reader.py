"""A stream of the soak: it checks that each task's steps follow one another."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass, field

from tests.support.http import Connection, request_bytes

__all__ = ["STEPS", "Counts", "Reader"]

STEPS = 500
"""Steps of each task."""

_PROGRESS = re.compile(rb'"task_id":"([0-9a-f-]+)".{0,80}?"data":\{"text":"Step (\d+) of')


@dataclass
class Counts:
    """What happened so far."""

    events: int = 0
    lost: int = 0
    opened: int = 0
    tasks: int = 0
    faults: list[str] = field(default_factory=list)


class Reader:
    """A stream that stays for a while.

    Args:
        port: of the server.
        counts: where the stream adds what it has seen.
        seconds: how long it stays.
    """

    def __init__(self, port: int, counts: Counts, seconds: float) -> None:
        self._port = port
        self._counts = counts
        self._until = time.monotonic() + seconds
        self._last: dict[bytes, int] = {}

    def run(self) -> None:
        """Read until the time is over, then leave: by closing, or without a word."""
        with Connection(self._port) as connection:
            name = f"soak-{random.getrandbits(64):x}"
            connection.send(request_bytes("GET", f"/api/sse/stream?request_id={name}"))
            self._counts.opened += 1
            rest = b""
            while (left := self._until - time.monotonic()) > 0:
                connection.socket.settimeout(left)
                try:
                    data = connection.socket.recv(65536)
                except TimeoutError:
                    break  # there is nothing to read, and it is time to leave
                if not data:
                    self._counts.faults.append("a stream ended by itself")
                    return
                *whole, rest = (rest + data).split(b"\n\n")
                for event in whole:
                    self._check(event)
            if random.random() < 0.5:
                connection.reset()

    def _check(self, event: bytes) -> None:
        if b"event: task_event" not in event:
            return
        self._counts.events += 1
        found = _PROGRESS.search(event)
        if found is None:
            return
        task, step = found[1], int(found[2])
        # The first step seen may be any: the stream may be younger than the task.
        if step != self._last.get(task, step - 1) + 1:
            self._counts.lost += 1
        self._last[task] = step
        if step == STEPS:
            del self._last[task]
