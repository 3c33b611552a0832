"""An arbiter for tests, whose workers are not processes."""

from __future__ import annotations

import os
import signal
import socket
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gunicorn.arbiter import Arbiter

from gateway_shim.log_lines.process_fields import process_fields
from gateway_shim.server import arbiter as arbiter_module
from gateway_shim.server import arbiter_workers as workers_module
from gateway_shim.server.arbiter import StreamArbiter
from gateway_shim.server.gunicorn_application import GunicornApplication
from gateway_shim.server.options import base_options
from gateway_shim.server.process.reload_check import ReloadCheck
from gateway_shim.server.process.start_signals import StartSignals
from gateway_shim.server.process.worker_table import Seat
from tests.gateway_shim.fakes import FakeClock

__all__ = ["ArbiterSimulation"]


class FakeCheck:
    """A check whose end the test decides."""

    def __init__(self) -> None:
        self.over = self.killed = False
        self.problem: str | None = None

    def is_over(self) -> bool:
        """Return whether the test has ended the check."""
        return self.over

    def kill(self) -> None:
        """Note that the check was killed."""
        self.killed = True


class FakeStart(StartSignals):
    """A start without a terminal, unless the test sets one."""

    closed = False
    hangup = False

    def look_for_terminal(self) -> None:
        """Ignore the terminal that the tests run at."""

    def terminal_is_gone(self) -> bool:
        """Return what the test has set."""
        return self.closed

    def take_hangup(self) -> bool:
        """Return what the test has set."""
        return self.hangup


class ArbiterSimulation:
    """A real arbiter, with simulated workers, checks, signals and time.

    The first worker has the pid 101, the second the pid 102, and so on.

    Args:
        monkeypatch: pytest's.
        workers: the number of workers.
        serves: True if each worker serves as soon as it is forked.

    Attributes:
        arbiter: the arbiter.
        sent: the signals that were sent to workers, with their pids.
        ends: what ``waitpid`` returns next.
        serves: the argument of the same name.
        seats: the rows of all workers, by pid.
        log_fields: the fields of the log lines of each worker, in the order of the forks.
        checks: the checks that were started.
        reloads: how many reloads there were.
        start: the signals of the start.
        clock: the arbiter's clock.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, workers: int = 1, *, serves: bool = True
    ) -> None:
        self.serves = serves
        self.seats: dict[int, Seat] = {}
        self.log_fields: list[dict[str, object]] = []
        self.sent: list[tuple[int, int]] = []
        self.ends: list[tuple[int, int]] = []
        self.checks: list[FakeCheck] = []
        self.reloads = 0
        self.clock = FakeClock()
        self.start = FakeStart()
        options = base_options("127.0.0.1", 1, drain_seconds=5, workers=workers)
        server = GunicornApplication(lambda: None, options)
        arbiter: Any = StreamArbiter(server)
        arbiter.pid = os.getpid()
        arbiter.WORKERS = {}
        arbiter.LISTENERS = [SimpleNamespace(sock=SimpleNamespace(dup=socket.socket))]
        arbiter.prepare(self._start_check, start=self.start)
        self.arbiter: StreamArbiter = arbiter
        monkeypatch.setattr(os, "kill", self._kill)
        monkeypatch.setattr(os, "waitpid", lambda *_: self.ends.pop(0) if self.ends else (0, 0))
        for module in (arbiter_module, workers_module):
            monkeypatch.setattr(module, "monotonic", self.clock)
        monkeypatch.setattr(Arbiter, "spawn_worker", lambda _: self._spawn())
        monkeypatch.setattr(Arbiter, "reload", lambda _: self._reload())

    def turn(self) -> list[int]:
        """Run the arbiter's loop once; return the signals that the loop has seen."""
        arbiter = self.arbiter
        signals = arbiter.wait_for_signals(timeout=0.001)
        for sig in signals:
            if sig == signal.SIGCHLD:
                arbiter.reap_workers()
            if sig == signal.SIGHUP:
                arbiter.handle_hup()
        arbiter.murder_workers()
        arbiter.manage_workers()
        return signals

    def end_worker(self, pid: int, status: int = 0) -> None:
        """End a worker with a wait status, and run the loop once."""
        self.ends.append((pid, status))
        self.arbiter.signal_chld(signal.SIGCHLD, None)
        self.turn()

    def send(self, *signals: int) -> None:
        """Send signals to the arbiter."""
        for sig in signals:
            self.arbiter.signal(sig, None)

    @property
    def workers(self) -> list[int]:
        """The pids of the workers that have no successor."""
        return list(self.arbiter.WORKERS)

    @property
    def numbers(self) -> list[int]:
        """The numbers of these workers."""
        return [self.seats[pid].number for pid in self.workers]

    def _start_check(self) -> ReloadCheck:
        self.checks.append(FakeCheck())
        return cast(ReloadCheck, self.checks[-1])

    def _kill(self, pid: int, sig: int) -> None:
        self.sent.append((pid, sig))

    def _spawn(self) -> int:
        self.arbiter.worker_age += 1
        age = self.arbiter.worker_age
        self.log_fields.append(process_fields())
        tmp = SimpleNamespace(close=lambda: None, last_update=time.monotonic)
        seat = cast(Any, self.arbiter.worker_class).seat
        worker = SimpleNamespace(age=age, tmp=tmp, seat=seat, aborted=False)
        self.arbiter.WORKERS[100 + age] = cast(Any, worker)
        self.seats[100 + age] = seat
        if self.serves:
            seat.serve()
        return 100 + age

    def _reload(self) -> None:
        self.reloads += 1
        for _ in range(self.arbiter.cfg.workers):
            self.arbiter.spawn_worker()
        self.arbiter.manage_workers()
