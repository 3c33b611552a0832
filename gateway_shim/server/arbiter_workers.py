"""The workers of gunicorn's arbiter: forks, signals to workers, and the ends of workers.

A worker is *replaced* once it has a successor. It then ends, and no longer counts as a worker: it
is in ``_replaced`` instead of gunicorn's ``WORKERS``. :mod:`gateway_shim.server.arbiter` has the
whole order of events.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from gateway_shim.server.arbiter_signals import SignalledArbiter
from gateway_shim.server.process.worker_ends import CrashPauses, log_end

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
    _pauses: CrashPauses
    """The pauses between workers that crash."""

    def _prepare_workers(self) -> None:
        """Set the attributes of this class. Call it before the first worker is forked."""
        self._replaced, self._fork_times = {}, {}
        self._unserved_deadline = float("inf")
        self._pauses = CrashPauses()

    # ------------------------------------------------------------------ called by gunicorn

    def spawn_worker(self) -> int:
        """Fork a worker and return its pid. Returns in the arbiter only."""
        pid: int = super().spawn_worker()
        self._fork_times[pid] = monotonic()
        return pid

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
            if replaced is None and not self._stopping and code != 0:
                self._note_crash(code, lived, worker.generations.has_served(worker.age))

    def _kill_unserved(self) -> None:
        """Kill the workers that have not served yet and have not ended in time."""
        self._unserved_deadline = float("inf")
        workers: dict[int, Any] = dict(self.WORKERS)
        for pid, worker in workers.items():
            if not worker.generations.has_served(worker.age):
                logger.warning("Worker (pid:%s) has not served and does not end; killing it", pid)
                self.kill_worker(pid, signal.SIGKILL)

    def _note_crash(self, code: int, lived: float, served: bool) -> None:
        if not served and code in _CANNOT_START:
            raise HaltServer(_CANNOT_START[code], code)
        self._pauses.note(monotonic(), lived)
