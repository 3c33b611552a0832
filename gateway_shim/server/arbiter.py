"""gunicorn's arbiter, changed as streams need it: signals, reloads, and the ends of workers.

The arbiter is the first process. It listens, forks the worker that serves, and handles signals in
a loop that turns at least once a second. How signals come in is in
:mod:`gateway_shim.server.arbiter_signals`; what they do is here.

- **Stop.** SIGTERM, SIGINT and SIGQUIT overtake all other signals that wait, and end a reload's
  check. A second one hurries: the worker then waits for no task. None is lost, whenever it comes.
  A worker that has not served yet has nothing to finish: it is killed if it does not end at once.
- **Reload.** SIGHUP only notes that a reload is wanted, so any number of them before it begins are
  one. First a check runs as a program of its own. Then the next worker is forked, and the old one
  is told to end: it moves from ``WORKERS`` to ``_replaced``. A reload begins only while
  ``_replaced`` is empty, so there are at most two workers. The loop never waits for a check or a
  worker: a worker that crashes meanwhile is replaced. A SIGHUP that says that the terminal was
  closed stops the server instead.
- **Ends.** A worker that has served and ends is replaced, whatever its exit status is. One that
  ends with the status for "cannot start" before it has served ends the server, because the next
  one could not start either. Workers that crash one after the other are replaced after a pause.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from gateway_shim.log_lines.line_limit import report_left_out
from gateway_shim.server.arbiter_signals import STOPS, SignalledArbiter
from gateway_shim.server.process.listeners import duplicates, stop_listening
from gateway_shim.server.process.program_files import ProgramFiles
from gateway_shim.server.process.reload_check import ReloadCheck
from gateway_shim.server.process.start_signals import START, StartSignals
from gateway_shim.server.refused_options import refused_options
from gateway_shim.server.systemd import Notifier
from gateway_shim.server.worker_ends import CrashPauses, log_end

__all__ = ["StreamArbiter"]

logger = logging.getLogger(__name__)

_CANNOT_START = {
    Arbiter.WORKER_BOOT_ERROR: "Worker failed to boot.",
    Arbiter.APP_LOAD_ERROR: "App failed to load.",
}
"""Exit statuses of a worker that could not start, and how gunicorn says so."""

_START_END_SECONDS = 1.0
"""The time that a worker which has not served yet gets to end, once the server stops.

SIGTERM ends it at once, unless it is in C code that does not return, or what it imports has set a
handler of its own. It has accepted nothing.
"""


class StreamArbiter(SignalledArbiter):
    """The arbiter of one worker that has streams.

    gunicorn makes the object, and asks for no class of ours; so :meth:`take_over` changes the class
    of the object that there is.
    """

    _start_check: Callable[[], ReloadCheck] | None
    _program: ProgramFiles
    _notifier: Notifier
    _check: ReloadCheck | None
    _starts_end: float
    """When workers that have not served yet are killed, monotonic seconds; once it stops."""
    _started: dict[int, float]
    """When each worker was forked, monotonic seconds, by pid."""
    _pauses: CrashPauses

    @classmethod
    def take_over(
        cls,
        arbiter: Arbiter,
        start_check: Callable[[], ReloadCheck] | None,
        *,
        ends_at_early_hangup: bool = False,
        start: StartSignals = START,
    ) -> None:
        """Change an arbiter into one of this class; called by gunicorn's ``on_starting`` hook.

        Args:
            arbiter: gunicorn's, before it handles signals.
            start_check: starts the check before a reload; None: there is nothing to check.
            ends_at_early_hangup: SIGHUP before the first worker has served stops the server.
            start: what came before the arbiter's handlers.
        """
        arbiter.__class__ = cls
        assert isinstance(arbiter, cls)  # noqa: S101 - for the type checker
        arbiter._start_check = start_check
        arbiter._program = ProgramFiles.of_this_process()
        arbiter._notifier = Notifier.taken_from(os.environ)
        # The worker tells systemd how the service is. Only a stop is told by the arbiter.
        setattr(arbiter.worker_class, "notifier", arbiter._notifier)  # noqa: B010 - not in its type
        arbiter._begin_signals(start, ends_at_early_hangup)
        arbiter._check = None
        arbiter._replaced, arbiter._started = {}, {}
        arbiter._pauses = CrashPauses()

    # ------------------------------------------------------------------ the end

    def stop(self, graceful: bool = True) -> None:
        """End all workers and wait for them, for ``graceful_timeout`` at most."""
        if not self._stopping:
            self._notifier.stopping()
        self._stopping = True
        self._starts_end = monotonic() + _START_END_SECONDS
        if self._check is not None:
            self._check.kill()
            self._check = None
        if self._drop_queued():
            self.SIG_QUEUE.put_nowait(signal.SIGQUIT)
        # For one that was replaced it is the second signal, so that it waits for no task.
        self._join_replaced()
        shared = self.systemd or self.reexec_pid or self.master_pid
        listening = [] if shared else duplicates(self.LISTENERS)
        super().stop(graceful)
        stop_listening(listening)

    def _drop_queued(self) -> bool:
        """Empty the queue; return whether a stop was among the signals: the second one."""
        again = False
        while not self.SIG_QUEUE.empty():
            again |= self.SIG_QUEUE.get_nowait() in STOPS
        return again

    # ------------------------------------------------------------------ reloads

    def setup(self, app: BaseApplication) -> None:
        """Take the options of a configuration that was loaded anew, but none that loses events."""
        # Only reloads come here: the first set-up was before, and check_config sees it.
        for refused in refused_options(app.cfg):
            logger.error("ignored: %s", refused.message)
            app.cfg.set(refused.name, refused.safe_value)
        super().setup(app)

    def _advance_reload(self) -> None:
        if self._check is None:
            if not self._reload_wanted or self._replaced:
                return
            self._reload_wanted = False
            problem = self._program.change()
            if problem is None and self._start_check is not None:
                self._check = self._start_check()
        if self._check is not None:
            if not self._check.is_over():
                return
            problem = self._check.problem or self._program.change()
            self._check = None
        if problem is not None:
            logger.error("reload refused, the running worker goes on: %s", problem)
            return
        self._pauses.forget()
        self.reload()

    # ------------------------------------------------------------------ workers

    def manage_workers(self) -> None:
        """Begin a reload that is wanted, end workers that have a successor, start one if needed.

        Called in every turn of the loop, and by gunicorn's own ``reload``.
        """
        report_left_out()
        self._start.forget_old_terminal(monotonic())
        workers = sorted(self.WORKERS.items(), key=lambda item: item[1].age)
        for pid, worker in workers[: max(0, len(workers) - self.num_workers)]:
            self.kill_worker(pid, signal.SIGTERM)
            if self.WORKERS.pop(pid, None) is not None:
                deadline = monotonic() + self.cfg.graceful_timeout
                self._replaced[pid] = worker, deadline
        if len(self.WORKERS) < self.num_workers and self._pauses.may_start(monotonic()):
            self.spawn_workers()
        self._advance_reload()

    def spawn_worker(self) -> int:
        """Fork a worker; returns in the arbiter only."""
        pid: int = super().spawn_worker()
        self._started[pid] = monotonic()
        return pid

    def kill_workers(self, sig: int) -> None:
        """Send a signal to all workers, those that were replaced included."""
        with self._all_workers():
            super().kill_workers(sig)

    def murder_workers(self) -> None:
        """Kill workers whose loop stands still, and those that do not end in time."""
        with self._all_workers():
            super().murder_workers()
        for pid, (_, deadline) in list(self._replaced.items()):
            if monotonic() >= deadline:
                logger.error("Worker (pid:%s) was replaced and does not end; killing it", pid)
                self._replaced[pid] = self._replaced[pid][0], float("inf")
                self.kill_worker(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def _all_workers(self) -> Iterator[None]:
        """Show gunicorn's methods the replaced workers, too."""
        replaced = dict(self._replaced)
        self._join_replaced()
        try:
            yield
        finally:
            for pid, known in replaced.items():
                if self.WORKERS.pop(pid, None) is not None:
                    self._replaced[pid] = known

    def _join_replaced(self) -> None:
        self.WORKERS.update({pid: worker for pid, (worker, _) in self._replaced.items()})
        self._replaced.clear()

    # ------------------------------------------------------------------ ends of workers

    def reap_workers(self) -> None:
        """Take note of every child that has ended.

        Raises:
            HaltServer: a worker cannot start.
        """
        if self._stopping and monotonic() >= self._starts_end:
            self._kill_starts()
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
            worker: Any = self.WORKERS.pop(pid, None) if replaced is None else replaced[0]
            if worker is None:  # a check, or what a task has left behind
                logger.debug("Reaped unknown child process (pid:%s, status:%s)", pid, status)
                continue
            worker.tmp.close()
            self.cfg.child_exit(self, worker)
            lived = monotonic() - self._started.pop(pid, 0.0)
            code = os.waitstatus_to_exitcode(status)
            log_end(pid, code)
            if replaced is None and not self._stopping and code != 0:
                self._note_crash(code, lived, worker.generations.has_served(worker.age))

    def _kill_starts(self) -> None:
        """Kill the workers that were told to end before they have served, and are still there."""
        self._starts_end = float("inf")
        workers: dict[int, Any] = dict(self.WORKERS)
        for pid, worker in workers.items():
            if not worker.generations.has_served(worker.age):
                logger.warning("Worker (pid:%s) has not served and does not end; killing it", pid)
                self.kill_worker(pid, signal.SIGKILL)

    def _note_crash(self, code: int, lived: float, served: bool) -> None:
        if not served and code in _CANNOT_START:
            raise HaltServer(_CANNOT_START[code], code)
        self._pauses.note(monotonic(), lived)
