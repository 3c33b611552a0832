"""The soak run: streams, tasks, attackers and a canary at one server, and the checks at the end."""

from __future__ import annotations

import math
import random
import re
import time
from dataclasses import dataclass
from pathlib import Path

import gevent

from app.bench.measured.process_figures import resident_bytes
from tests.faults.canary.canary import IDLE_FLOOR, MAX_RATIO, Canary, Figures
from tests.faults.soak.attackers import MIX, Attackers
from tests.faults.soak.churn import stays
from tests.faults.soak.client import STEPS, Counts, SoakClient
from tests.support.backend_client import metric
from tests.support.http.client import request
from tests.support.processes.process_table import descriptors
from tests.support.processes.server import GunicornServer
from tests.support.timing import TimeLimitPassed, wait_until

__all__ = ["Soak"]

MEGABYTE = 1024 * 1024

ALLOWED_GROWTH = 8 * MEGABYTE
"""The growth of the resident memory that a run may show, in bytes.

The segments of the event log are not included, because they have a limit of their own.
"""

LOG_SEGMENTS = 9
"""The limit of segments of the event log, each of which has a descriptor."""

ALLOWED_DECLINE = 0.6
"""The least ratio of streams opened in the last third of a run to streams of the first third.

Chance alone makes the ratio 0.9 in ten minutes.
"""

ROUNDS = 12
"""The number of times that each attack comes in a run.

In a short run it is less, because each attack takes at least two seconds.
"""


@dataclass(frozen=True)
class Sample:
    """The figures of the server at one moment.

    Attributes:
        memory: the resident memory without shared memory, in bytes.
        descriptors: the number of open descriptors.
        opened: the number of streams opened so far.
    """

    memory: int
    descriptors: int
    opened: int


class Soak:
    """One soak run.

    Call :meth:`note_idle` before the first load, then :meth:`run`, then read ``counts``.

    Args:
        server: the backend.
        seconds: the length of the run.
        events: the number of deliveries wanted in that time.
        streams: the number of streams at a time.
        attacked: True if attackers run beside the streams.
    """

    def __init__(
        self, server: GunicornServer, seconds: float, events: int, streams: int, attacked: bool
    ) -> None:
        self._server = server
        self._seconds = seconds
        self._streams = streams
        # 10% more than needed: streams that are just opening or closing miss some events.
        self._tasks_due = math.ceil(1.1 * events / streams / (STEPS + 2))
        self._pid = server.worker_pid()
        self._attackers = Attackers(server.port, max(2.0, seconds / ROUNDS / len(MIX)))
        self._attacked = attacked
        self._asked: list[float] = []
        self.counts = Counts()

    @property
    def attacks(self) -> int:
        """The number of attacks that have begun."""
        return self._attackers.begun

    def run(self, canary: Canary) -> None:
        """Run the soak, print figures, and add each failed check to ``counts.faults``."""
        canary.take_seconds()
        gevent.sleep(3)
        idle = canary.take()
        print(f"idle: {idle}", flush=True)
        began = time.monotonic()
        until = began + self._seconds
        crowd = [gevent.spawn(self._come_and_go, number, until) for number in range(self._streams)]
        tasks: gevent.Greenlet[..., None] = gevent.spawn(self._start_tasks, began, until)
        wait_until(lambda: self.counts.opened >= self._streams, "the streams to open")
        attackers = gevent.spawn(self._attackers.run) if self._attacked else None
        samples: list[Sample] = []
        while time.monotonic() < until - 5:
            gevent.sleep(min(5.0, self._seconds / 12))
            samples.append(
                Sample(_own_memory(self._pid), descriptors(self._pid), self.counts.opened)
            )
            asked = canary.take_seconds()
            self._asked += asked
            self._print(time.monotonic() - began, samples[-1], Figures.of(asked))
        if attackers is not None:
            attackers.kill()
            if attackers.exception is not None:
                self.counts.faults.append(f"the attackers failed: {attackers.exception!r}")
        gevent.joinall([*crowd, tasks])
        for greenlet in crowd:
            if greenlet.exception is not None:
                self.counts.faults.append(f"a client failed: {greenlet.exception!r}")
        self._check_canary(idle)
        self._check_churn(samples)
        self._check_end(samples)

    def _come_and_go(self, number: int, until: float) -> None:
        client = SoakClient(self._server.port, self.counts)
        for stay in stays(number, self._seconds, random.Random()):
            left = until - time.monotonic()
            if left <= 0:
                return
            client.stay(min(stay, left))

    def _start_tasks(self, began: float, until: float) -> None:
        pause = (until - began - 10) / self._tasks_due
        for number in range(self._tasks_due):
            gevent.sleep(max(0.0, began + number * pause - time.monotonic()))
            params = {"steps": STEPS, "delay": 0.9 * pause / STEPS}
            body = {"task_type": "demo_task", "params": params}
            answer = request(self._server.port, "POST", "/api/tasks", json_body=body)
            if answer.status != 202:
                self.counts.faults.append(f"a task was answered {answer.status}")
            self.counts.tasks += 1

    def _check_canary(self, idle: Figures) -> None:
        figures = Figures.of(self._asked)
        ratio = figures.p99 / max(idle.p99, IDLE_FLOOR)
        print(f"canary: {figures}; 99th percentile {ratio:.1f} times idle")
        if ratio > MAX_RATIO:
            self.counts.faults.append(f"the canary's 99th percentile is {ratio:.1f} times idle")

    def _check_churn(self, samples: list[Sample]) -> None:
        third = len(samples) // 3
        first = samples[third].opened - samples[0].opened
        last = samples[-1].opened - samples[-1 - third].opened
        print(f"streams opened: {first} in the first third, {last} in the last")
        if last < ALLOWED_DECLINE * first:
            self.counts.faults.append(f"the churn has declined from {first} streams to {last}")

    def _check_end(self, samples: list[Sample]) -> None:
        server, faults = self._server, self.counts.faults
        wait_until(lambda: metric(server, "sse_gateway_active_connections") == 0, "no stream left")
        wait_until(lambda: metric(server, "tasks_active") == 0, "no task left")
        # The first third is the warm-up, in which allocators and caches fill.
        third = len(samples) // 3
        early = max(sample.memory for sample in samples[third : 2 * third] or samples)
        late = max(sample.memory for sample in samples[2 * third :])
        # The canary still sends requests, so the count is sometimes one too high.
        greenlets = [self._greenlets()]

        def are_over() -> bool:
            greenlets.append(min(greenlets[-1], self._greenlets()))
            return greenlets[-1] <= self._idle_greenlets

        try:
            wait_until(are_over, "greenlets to end")
        except TimeLimitPassed:
            faults.append(f"{self._idle_greenlets} greenlets became {greenlets[-1]}")
        idle = descriptors(self._pid)
        print(
            f"memory {early / MEGABYTE:.1f} MB, then {late / MEGABYTE:.1f} MB;"
            f" descriptors at the end {idle} (before: {self._idle_descriptors});"
            f" greenlets {greenlets[-1]} (before: {self._idle_greenlets})"
        )
        if late - early > ALLOWED_GROWTH:
            faults.append(f"memory grew by {(late - early) / MEGABYTE:.1f} MB")
        if idle > self._idle_descriptors + LOG_SEGMENTS + 2:
            faults.append(f"descriptors grew from {self._idle_descriptors} to {idle}")
        if self.counts.lost:
            faults.append(f"{self.counts.lost} events were lost")

    def note_idle(self) -> None:
        """Remember the greenlets and descriptors of the idle server."""
        self._idle_greenlets = self._greenlets()
        self._idle_descriptors = descriptors(self._pid)

    def _greenlets(self) -> int:
        return int(request(self._server.port, "GET", "/soak/greenlets").body)

    def _print(self, seconds: float, sample: Sample, asked: Figures) -> None:
        counts = self.counts
        print(
            f"{seconds:6.0f} s  {counts.events:>9,} events  {counts.lost} lost"
            f"  {sample.opened:>6,} streams opened  {counts.tasks} tasks"
            f"  {sample.memory / MEGABYTE:6.1f} MB  {sample.descriptors:>5} descriptors"
            f"  canary p99 {1e3 * asked.p99:5.0f} ms  {self._attackers.now}",
            flush=True,
        )


def _own_memory(pid: int) -> int:
    """Return the resident memory of a process without the shared memory of the log, in bytes."""
    shared = re.search(r"RssShmem:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert shared is not None
    return resident_bytes(pid) - 1024 * int(shared[1])
