"""The soak: a million events on streams that come and go; nothing may grow.

    python -m tests.faults.soak --minutes 10 --events 1000000

Prints a line of figures every few seconds, and ends with status 1 if memory or descriptors have
grown, if an event was lost on a stream that stayed, or if a greenlet was left over. Needs no
more than the test requirements.
"""

from __future__ import annotations

# Before anything imports ssl or socket.
from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402

import gevent  # noqa: E402

from tests.faults.processes import descriptors, memory  # noqa: E402
from tests.live.actions import metric  # noqa: E402
from tests.support.http import Connection, request, request_bytes  # noqa: E402
from tests.support.server import GunicornServer  # noqa: E402
from tests.support.timing import wait_until  # noqa: E402

MEGABYTE = 1024 * 1024
ALLOWED_GROWTH = 8 * MEGABYTE
STEPS = 500

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
    """A stream that stays for a while, and checks that each task's steps follow one another."""

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
            connection.socket.settimeout(30)
            rest = b""
            while time.monotonic() < self._until:
                data = connection.socket.recv(65536)
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


class Soak:
    """One run.

    Args:
        server: the backend.
        seconds: how long it takes.
        events: deliveries that are wanted in that time.
        streams: how many at a time.
    """

    def __init__(self, server: GunicornServer, seconds: float, events: int, streams: int) -> None:
        self._server = server
        self._seconds = seconds
        self._streams = streams
        # A little more: streams that are just coming or going miss some.
        self._tasks_due = math.ceil(1.1 * events / streams / (STEPS + 2))
        self._pid = server.worker_pid()
        self.counts = Counts()

    def run(self) -> bool:
        """Run, print the figures, and say whether all is well."""
        began = time.monotonic()
        until = began + self._seconds
        crowd = [gevent.spawn(self._come_and_go, until) for _ in range(self._streams)]
        tasks = gevent.spawn(self._start_tasks, began, until)
        wait_until(lambda: self.counts.opened >= self._streams, "the streams to open")
        samples: list[tuple[int, int]] = []
        while time.monotonic() < until - 5:
            gevent.sleep(min(5.0, self._seconds / 12))
            samples.append((memory(self._pid), descriptors(self._pid)))
            self._print(time.monotonic() - began, samples[-1])
        gevent.joinall([tasks, *crowd])
        for greenlet in crowd:
            if greenlet.exception is not None:
                self.counts.faults.append(f"a client failed: {greenlet.exception!r}")
        self._check_end(samples)
        return not self.counts.faults

    def _come_and_go(self, until: float) -> None:
        while time.monotonic() < until:
            stay = random.choice([0.2, 1, 5, 20, self._seconds])
            Reader(self._server.port, self.counts, min(stay, until - time.monotonic())).run()

    def _start_tasks(self, began: float, until: float) -> None:
        pause = (until - began - 10) / self._tasks_due
        for number in range(self._tasks_due):
            gevent.sleep(max(0.0, began + number * pause - time.monotonic()))
            params = {"steps": STEPS, "delay": 0.9 * pause / STEPS}
            body = {"task_type": "demo_task", "params": params}
            request(self._server.port, "POST", "/api/tasks", json_body=body)
            self.counts.tasks += 1

    def _check_end(self, samples: list[tuple[int, int]]) -> None:
        server, faults = self._server, self.counts.faults
        wait_until(lambda: metric(server, "sse_gateway_active_connections") == 0, "no stream left")
        wait_until(lambda: metric(server, "tasks_active") == 0, "no task left")
        # The first third is the warm-up: allocators and caches fill.
        third = len(samples) // 3
        early = max(size for size, _ in samples[third : 2 * third] or samples)
        late = max(size for size, _ in samples[2 * third :])
        idle = wait_until(
            lambda: self._greenlets() <= self._idle_greenlets and descriptors(self._pid),
            lambda: f"{self._idle_greenlets} greenlets; there are {self._greenlets()}",
        )
        print(
            f"memory {early / MEGABYTE:.1f} MB, then {late / MEGABYTE:.1f} MB;"
            f" descriptors at the end {idle} (before: {self._idle_descriptors});"
            f" greenlets {self._greenlets()} (before: {self._idle_greenlets})"
        )
        if late - early > ALLOWED_GROWTH:
            faults.append(f"memory grew by {(late - early) / MEGABYTE:.1f} MB")
        if idle > self._idle_descriptors + 2:
            faults.append(f"descriptors grew from {self._idle_descriptors} to {idle}")
        if self.counts.lost:
            faults.append(f"{self.counts.lost} events were lost")

    def note_idle(self) -> None:
        """Remember what a server holds that nobody uses."""
        self._idle_greenlets = self._greenlets()
        self._idle_descriptors = descriptors(self._pid)

    def _greenlets(self) -> int:
        return int(request(self._server.port, "GET", "/soak/greenlets").body)

    def _print(self, seconds: float, sample: tuple[int, int]) -> None:
        counts = self.counts
        print(
            f"{seconds:6.0f} s  {counts.events:>9,} events  {counts.lost} lost"
            f"  {counts.opened:>6,} streams opened  {counts.tasks} tasks"
            f"  {sample[0] / MEGABYTE:6.1f} MB  {sample[1]:>5} descriptors",
            flush=True,
        )


def main() -> int:
    """Run the soak from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--events", type=int, default=1_000_000, help="deliveries")
    parser.add_argument("--streams", type=int, default=100, help="at a time")
    options = parser.parse_args()
    env = {"FLASK_ENV": "testing", "LOG_LEVEL": "WARNING", "TASK_CLEANUP_INTERVAL_SECONDS": "10"}
    with GunicornServer(env=env, application="tests.faults.soak_app:create()") as server:
        request(server.port, "GET", "/metrics")
        soak = Soak(server, options.minutes * 60, options.events, options.streams)
        soak.note_idle()
        began = time.monotonic()
        soak.run()
        counts = soak.counts
        if counts.events < options.events:
            counts.faults.append(f"only {counts.events:,} of {options.events:,} events")
        if server.terminate() != 0:
            counts.faults.append("the server did not end with status 0")
        if "Traceback" in server.log:
            counts.faults.append("the log has a traceback")
    print(
        json.dumps(
            {
                "seconds": round(time.monotonic() - began),
                "events": counts.events,
                "lost": counts.lost,
                "streams": counts.opened,
                "tasks": counts.tasks,
                "faults": counts.faults,
            }
        )
    )
    return 1 if counts.faults else 0


if __name__ == "__main__":
    sys.exit(main())
