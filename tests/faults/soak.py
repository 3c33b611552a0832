"""The soak: a million events on streams that come and go, beside attackers; nothing may grow.

    python -m tests.faults.soak --minutes 10 --events 1000000

The server runs in production mode, as on a public port without a proxy. Prints a line of figures
every few seconds, and ends with status 1 if memory or descriptors have grown, if an event was
lost on a stream that stayed, if the server did not answer others in time while it was attacked,
or if a greenlet was left over. Needs no more than the test requirements.
"""

from __future__ import annotations

# Before anything imports ssl or socket.
from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass  # noqa: E402

import gevent  # noqa: E402

from app.bench.measured.process_figures import resident_bytes  # noqa: E402
from tests.faults.attacking_tasks import APP_TASKS  # noqa: E402
from tests.faults.canary import IDLE_FLOOR, MAX_RATIO, Canary, Figures  # noqa: E402
from tests.faults.churn import stays  # noqa: E402
from tests.faults.processes import descriptors  # noqa: E402
from tests.faults.soak_attackers import MIX, Attackers  # noqa: E402
from tests.faults.soak_reader import STEPS, Counts, Reader  # noqa: E402
from tests.live.actions import metric  # noqa: E402
from tests.support.http import request  # noqa: E402
from tests.support.server import GunicornServer  # noqa: E402
from tests.support.timing import TimeLimitPassed, wait_until  # noqa: E402

MEGABYTE = 1024 * 1024
ALLOWED_GROWTH = 8 * MEGABYTE


ALLOWED_DECLINE = 0.6
"""Streams opened in the last third of the run, in those of the first. Chance alone makes 0.9 of
it in ten minutes."""

ROUNDS = 12
"""How often each attack comes in a run; in a short run it is less, as each takes two seconds."""

ENV = {
    "FLASK_ENV": "production",
    "SSE_CALLBACK_SECRET": "of the soak",
    "ALLOW_OPEN": "tasks,metrics",
    "APP_TASKS": APP_TASKS,
    "LOG_LEVEL": "WARNING",
    "TASK_CLEANUP_INTERVAL_SECONDS": "10",
}


@dataclass(frozen=True)
class Sample:
    """What was seen at one moment.

    Attributes:
        memory: resident, bytes.
        descriptors: that are open.
        opened: streams so far.
    """

    memory: int
    descriptors: int
    opened: int


class Soak:
    """One run.

    Args:
        server: the backend.
        seconds: how long it takes.
        events: deliveries that are wanted in that time.
        streams: how many at a time.
        attacked: whether attackers are beside it.
    """

    def __init__(
        self, server: GunicornServer, seconds: float, events: int, streams: int, attacked: bool
    ) -> None:
        self._server = server
        self._seconds = seconds
        self._streams = streams
        # A little more: streams that are just coming or going miss some.
        self._tasks_due = math.ceil(1.1 * events / streams / (STEPS + 2))
        self._pid = server.worker_pid()
        self._attackers = Attackers(server.port, max(2.0, seconds / ROUNDS / len(MIX)))
        self._attacked = attacked
        self._asked: list[float] = []
        self.counts = Counts()

    @property
    def attacks(self) -> int:
        """How many attacks have begun."""
        return self._attackers.begun

    def run(self, canary: Canary) -> None:
        """Run, print the figures, and note what is not well."""
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
                Sample(resident_bytes(self._pid), descriptors(self._pid), self.counts.opened)
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
        for stay in stays(number, self._seconds, random.Random()):
            left = until - time.monotonic()
            if left <= 0:
                return
            Reader(self._server.port, self.counts, min(stay, left)).run()

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
        # The first third is the warm-up: allocators and caches fill.
        third = len(samples) // 3
        early = max(sample.memory for sample in samples[third : 2 * third] or samples)
        late = max(sample.memory for sample in samples[2 * third :])
        # The canary goes on asking, so that the count is now and then one too high.
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

    def _print(self, seconds: float, sample: Sample, asked: Figures) -> None:
        counts = self.counts
        print(
            f"{seconds:6.0f} s  {counts.events:>9,} events  {counts.lost} lost"
            f"  {sample.opened:>6,} streams opened  {counts.tasks} tasks"
            f"  {sample.memory / MEGABYTE:6.1f} MB  {sample.descriptors:>5} descriptors"
            f"  canary p99 {1e3 * asked.p99:5.0f} ms  {self._attackers.now}",
            flush=True,
        )


def main() -> int:
    """Run the soak from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--events", type=int, default=1_000_000, help="deliveries")
    parser.add_argument("--streams", type=int, default=100, help="at a time")
    parser.add_argument("--no-attackers", action="store_true", help="only streams and tasks")
    options = parser.parse_args()
    with GunicornServer(env=ENV, application="tests.faults.soak_app:create()") as server:
        request(server.port, "GET", "/metrics")
        soak = Soak(
            server,
            options.minutes * 60,
            options.events,
            options.streams,
            not options.no_attackers,
        )
        soak.note_idle()
        began = time.monotonic()
        with Canary(server.port) as canary:
            soak.run(canary)
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
                "attacks": soak.attacks,
                "faults": counts.faults,
            }
        )
    )
    return 1 if counts.faults else 0


if __name__ == "__main__":
    sys.exit(main())
