"""The workers of gunicorn's arbiter: forks, signals to workers, and the ends of workers.

Each worker has a number from 1 on. A worker that replaces another one, after a crash or at a
reload, has its number. The generation is counted up by each reload.

A worker is *replaced* once a reload has made its successor. It then ends, and no longer counts as a
worker: it is in ``_replaced`` instead of gunicorn's ``WORKERS``.
:mod:`gateway_shim.server.arbiter` has the whole order of events.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from gateway_shim.log_lines.process_fields import set_process_fields
from gateway_shim.server.arbiter_signals import STOPS, SignalledArbiter
from gateway_shim.server.process.worker_ends import CrashPauses, log_end
from gateway_shim.server.process.worker_table import Seat, WorkerTable

__all__ = ["ReplacedWorker", "WorkerArbiter"]

logger = logging.getLogger(__name__)

_CANNOT_START = {
    Arbiter.WORKER_BOOT_ERROR: "Worker failed to boot.",
    Arbiter.APP_LOAD_ERROR: "App failed to load.",
}
"""The exit statuses of a worker that could not start, and gunicorn's text for each."""


@dataclass(frozen=True, slots=True)
class ReplacedWorker:
    """A worker that has a successor and was sent SIGTERM."""

    worker: Any
    deadline: float
    """The time at which the worker is killed, monotonic seconds."""


class WorkerArbiter(SignalledArbiter):
    """An arbiter that knows which of its workers were replaced."""

    _replaced: dict[int, ReplacedWorker]
    """The workers that have a successor and have not ended yet, by pid."""
    _fork_times: dict[int, float]
    """The time at which each worker was forked, monotonic seconds, by pid."""
    _unserved_deadline: float
    """The time at which workers that have not served are killed, monotonic seconds."""
    _pauses: defaultdict[int, CrashPauses]
    """The pauses between workers that crash, by the workers' number.

    If the machine kills all workers at once, for example, each of them is replaced at once.
    """
    _generation: int
    """The number of reloads, plus one."""
    _table: WorkerTable
    """The memory that the arbiter and the workers share."""

    def _prepare_workers(self) -> None:
        """Set the attributes of this class. Call it before the first worker is forked."""
        self._replaced, self._fork_times = {}, {}
        self._unserved_deadline = float("inf")
        self._pauses = defaultdict(CrashPauses)
        self._generation = 1
        self._table = WorkerTable(self.cfg.workers)

    # ------------------------------------------------------------------ starts of workers

    def spawn_worker(self) -> int:
        """Fork the first worker that is missing, and return its pid; called by gunicorn."""
        return self._start_worker(self._missing()[0])

    def _start_missing(self) -> None:
        """Fork all workers that are missing and whose pause after a crash is over."""
        for number in self._missing():
            if self._pauses[number].may_start(monotonic()):
                self._start_worker(number)

    def _start_worker(self, number: int) -> int:
        """Fork a worker and return its pid. Returns in the arbiter only."""
        # The object of the worker is made by gunicorn, and takes its seat from its class.
        seat = self._table.begin(self.worker_age + 1, number, self._generation)
        setattr(self.worker_class, "seat", seat)  # noqa: B010 - not in its type
        if self._table.workers > 1:
            set_process_fields(worker=number)  # before the fork: the worker logs at once
        # Python forgets the signals that have reached a new process before its first instruction,
        # and a stop may follow at once. So the kernel keeps them until `init_process`.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            pid: int = super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        set_process_fields()  # the lines of the arbiter have no number
        self._fork_times[pid] = monotonic()
        return pid

    def _missing(self) -> list[int]:
        """Return the numbers of the present generation that no worker has."""
        taken = {self._seat(worker).number for worker in self._present().values()}
        return [number for number in range(1, self.num_workers + 1) if number not in taken]

    def _present(self) -> dict[int, Any]:
        """Return the workers of the present generation, by pid."""
        workers: dict[int, Any] = dict(self.WORKERS)
        return {
            pid: worker
            for pid, worker in workers.items()
            if self._seat(worker).generation == self._generation
        }

    @staticmethod
    def _seat(worker: Any) -> Seat:
        seat: Seat = worker.seat
        return seat

    # ------------------------------------------------------------------ called by gunicorn

    def kill_workers(self, sig: int) -> None:
        """Send a signal to all workers, including the replaced ones."""
        with self._all_workers():
            super().kill_workers(sig)

    def murder_workers(self) -> None:
        """Kill workers whose event loop is blocked and replaced workers that do not end in time."""
        with self._all_workers():
            super().murder_workers()
        for pid, replaced in list(self._replaced.items()):
            if monotonic() >= replaced.deadline:
                logger.error("Replaced worker (pid:%s) does not end in time; killing it", pid)
                self._replaced[pid] = replace(replaced, deadline=float("inf"))
                self.kill_worker(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def _all_workers(self) -> Iterator[None]:
        """Add the replaced workers to ``WORKERS`` while a method of gunicorn runs."""
        before = dict(self._replaced)
        self._join_replaced()
        try:
            yield
        finally:
            for pid, replaced in before.items():
                if self.WORKERS.pop(pid, None) is not None:
                    self._replaced[pid] = replaced

    def _join_replaced(self) -> None:
        self.WORKERS.update({pid: replaced.worker for pid, replaced in self._replaced.items()})
        self._replaced.clear()

    # ------------------------------------------------------------------ ends of workers

    def reap_workers(self) -> None:
        """Collect every child that has ended.

        Raises:
            HaltServer: a worker cannot start.
        """
        if self._stopping and monotonic() >= self._unserved_deadline:
            self._kill_unserved()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.reexec_pid:
                self.reexec_pid = 0
                continue
            replaced = self._replaced.pop(pid, None)
            worker: Any = self.WORKERS.pop(pid, None) if replaced is None else replaced.worker
            if worker is None:  # the program of a check, or an orphan that a task has left
                logger.debug("Reaped unknown child process (pid:%s, status:%s)", pid, status)
                continue
            worker.tmp.close()
            self.cfg.child_exit(self, worker)
            lived = monotonic() - self._fork_times.pop(pid, 0.0)
            code = os.waitstatus_to_exitcode(status)
            log_end(pid, code)
            must_serve = not self._seat(worker).has_served and self._is_needed(worker)
            number = self._seat(worker).number
            self._table.end(worker.age)  # its streams and connections no longer count
            if replaced is None and not self._stopping and code != 0:
                if must_serve and code in _CANNOT_START:
                    raise HaltServer(_CANNOT_START[code], code)
                self._pauses[number].note(monotonic(), lived)

    def _kill_unserved(self) -> None:
        """Kill the workers that have not served yet and have not ended in time."""
        self._unserved_deadline = float("inf")
        workers: dict[int, Any] = dict(self.WORKERS)
        for pid, worker in workers.items():
            if not self._seat(worker).has_served:
                logger.warning("Worker (pid:%s) has not served and does not end; killing it", pid)
                self.kill_worker(pid, signal.SIGKILL)

    def _is_needed(self, worker: Any) -> bool:
        """Return whether the server cannot go on if a worker cannot start.

        It can if it has served with all workers of this generation, and others still serve: the
        worker then replaces one that has crashed, and is tried again after a pause.
        """
        if self._table.complete < self._generation:
            return True
        return not any(
            self._seat(other).has_served
            for other in self._present().values()
            if other is not worker
        )
