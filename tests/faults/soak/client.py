"""A client of the soak test: it comes and goes, and checks that no step of a task is missing."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass, field

from tests.support.http.client import Connection, request_bytes

__all__ = ["STEPS", "Counts", "SoakClient"]

STEPS = 500
"""The number of steps of each task."""

_ID = re.compile(rb"^id: (\S+)$", re.MULTILINE)
_PROGRESS = re.compile(rb'"task_id":"([0-9a-f-]+)".{0,80}?"data":\{"text":"Step (\d+) of')


@dataclass
class Counts:
    """Counts of a soak run, shared by all its clients.

    Attributes:
        events: task events that arrived.
        lost: task events that were missing.
        resumed: streams that were opened with a cursor.
        resyncs: ``resync`` events, after which events may be missing.
        opened: streams that were opened.
        tasks: tasks that were started.
        faults: descriptions of everything that failed.
    """

    events: int = 0
    lost: int = 0
    resumed: int = 0
    resyncs: int = 0
    opened: int = 0
    tasks: int = 0
    faults: list[str] = field(default_factory=list)


class SoakClient:
    """A client that holds one stream after the other.

    Half of its streams go on where the one before has ended, as those of a browser do.

    Args:
        port: the port of the server.
        counts: the counts to which the client adds.
    """

    def __init__(self, port: int, counts: Counts) -> None:
        self._port = port
        self._counts = counts
        self._until = 0.0
        self._cursor = b""
        self._last: dict[bytes, int] = {}

    def stay(self, seconds: float) -> None:
        """Read for some time, then close the connection or, half of the time, reset it."""
        self._until = time.monotonic() + seconds
        if random.random() < 0.5:
            self._cursor, self._last = b"", {}
        headers = [("Last-Event-ID", self._cursor.decode())] if self._cursor else []
        with Connection(self._port) as connection:
            name = f"soak-{random.getrandbits(64):x}"
            connection.send(request_bytes("GET", f"/api/sse/stream?request_id={name}", headers))
            self._counts.opened += 1
            self._counts.resumed += bool(headers)
            rest = b""
            while (left := self._until - time.monotonic()) > 0:
                connection.socket.settimeout(left)
                try:
                    data = connection.socket.recv(65536)
                except TimeoutError:
                    break  # nothing came before the time was over
                if not data:
                    self._counts.faults.append("the server ended a stream")
                    return
                *whole, rest = (rest + data).split(b"\n\n")
                for event in whole:
                    self._check(event)
            if random.random() < 0.5:
                connection.reset()

    def _check(self, event: bytes) -> None:
        if (cursor := _ID.search(event)) is not None:
            self._cursor = cursor[1]
        if b"event: resync" in event:
            self._counts.resyncs += 1
            self._last = {}
        if b"event: task_event" not in event:
            return
        self._counts.events += 1
        found = _PROGRESS.search(event)
        if found is None:
            return
        task, step = found[1], int(found[2])
        # The first step may have any number, because the client may be younger than the task.
        if step != self._last.get(task, step - 1) + 1:
            self._counts.lost += 1
        self._last[task] = step
        if step == STEPS:
            del self._last[task]
