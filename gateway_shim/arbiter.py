"""gunicorn's arbiter, changed as streams need it: signals, reloads, and the ends of workers.

The arbiter is the first process. It listens, forks the worker that serves, and handles signals in
a loop that turns at least once a second.

- **Stop.** SIGTERM, SIGINT and SIGQUIT overtake all other signals that wait, and end a reload's
  check. A second one hurries: the worker then waits for no task. None is lost, whenever it comes.
- **Reload.** SIGHUP only notes that a reload is wanted, so any number of them before it begins are
  one. First a check runs as a program of its own. Then the next worker is forked, and the old one
  is told to end: it moves from ``WORKERS`` to ``_replaced``. A reload begins only while
  ``_replaced`` is empty, so there are at most two workers. The loop never waits for a check or a
  worker: a worker that crashes meanwhile is replaced.
- **Ends.** A worker that has served and ends is replaced, whatever its exit status is. One that
  ends with the status for "cannot start" before it has served ends the server, because the next
  one could not start either. Workers that crash one after the other are replaced after a pause.

Signal handlers run between any two instructions of the loop: they note and queue, nothing else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from time import monotonic
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from gateway_shim.line_limit import report_left_out
from gateway_shim.listeners import duplicates, stop_listening
from gateway_shim.program_files import ProgramFiles
from gateway_shim.refused_options import ONE_WORKER, refused_options
from gateway_shim.reload_check import ReloadCheck
from gateway_shim.systemd import Notifier

__all__ = ["StreamArbiter"]

logger = logging.getLogger(__name__)

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

_CANNOT_START = {
    Arbiter.WORKER_BOOT_ERROR: "Worker failed to boot.",
    Arbiter.APP_LOAD_ERROR: "App failed to load.",
}
"""Exit statuses of a worker that could not start, and how gunicorn says so."""

_STEADY_SECONDS = 60.0
"""A worker that has lived so long has not crashed because of how it starts."""

_LONGEST_PAUSE_SECONDS = 30.0


class StreamArbiter(Arbiter):
    """The arbiter of one worker that has streams.

    gunicorn makes the object, and asks for no class of ours; so :meth:`take_over` changes the class
    of the object that there is.
    """

    _start_check: Callable[[], ReloadCheck] | None
    _program: ProgramFiles
    _notifier: Notifier
    _check: ReloadCheck | None
    _reload_wanted: bool
    _stopping: bool
    _replaced: dict[int, tuple[Any, float]]
    """Workers that have a successor and were told to end, and when they are killed, by pid."""
    _started: dict[int, float]
    """When each worker was forked, monotonic seconds, by pid."""
    _crashes: int
    """Workers that have crashed one after the other, each within ``_STEADY_SECONDS``."""
    _next_start: float
    """No worker is forked before, monotonic seconds."""

    @classmethod
    def take_over(cls, arbiter: Arbiter, start_check: Callable[[], ReloadCheck] | None) -> None:
        """Change an arbiter into one of this class; called by gunicorn's ``on_starting`` hook.

        Args:
            arbiter: gunicorn's, before it handles signals.
            start_check: starts the check before a reload; None: there is nothing to check.
        """
        arbiter.__class__ = cls
        assert isinstance(arbiter, cls)  # noqa: S101 - for the type checker
        arbiter._start_check = start_check
        arbiter._program = ProgramFiles.of_this_process()
        arbiter._notifier = Notifier.taken_from(os.environ)
        # The worker tells systemd how the service is. Only a stop is told by the arbiter.
        setattr(arbiter.worker_class, "notifier", arbiter._notifier)  # noqa: B010 - not in its type
        arbiter._check = None
        arbiter._reload_wanted = arbiter._stopping = False
        arbiter._replaced, arbiter._started = {}, {}
        arbiter._crashes, arbiter._next_start = 0, 0.0

    # ------------------------------------------------------------------ signals

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Note or queue a signal (the handler of most of them)."""
        if os.getpid() != self.pid:
            # A worker that was just forked has this handler until it sets its own. It has served
            # nobody; if it only queued the signal, the arbiter would wait for it in vain.
            if sig in _STOPS:
                os._exit(0)
        elif self._stopping:
            if sig in _STOPS:
                self.SIG_QUEUE.put_nowait(signal.SIGQUIT)  # gunicorn looks for SIGTERM no more
        elif sig != signal.SIGHUP:
            self.SIG_QUEUE.put_nowait(sig)
        elif not self._reload_wanted:
            self._reload_wanted = True
            self.SIG_QUEUE.put_nowait(sig)

    def signal_chld(self, sig: int, frame: FrameType | None) -> None:
        """Queue the news that a child has ended; a stop looks for itself."""
        if not self._stopping:
            self.SIG_QUEUE.put_nowait(sig)

    def wait_for_signals(self, timeout: float | None = 1.0) -> list[int]:
        """Return the signals that have come, each once; a stop overtakes all others."""
        signals = super().wait_for_signals(timeout)
        stops = [sig for sig in signals if sig in _STOPS]
        if not stops:
            return list(dict.fromkeys(signals))
        return [stops[0] if len(stops) == 1 else signal.SIGQUIT]

    def handle_hup(self) -> None:
        """Leave the reload to :meth:`manage_workers`, which is called next."""
        if self._replaced:
            logger.info("the reload begins when the worker that was replaced has ended")

    def handle_ttin(self) -> None:
        """Add no worker: its streams would miss every event."""
        logger.warning("SIGTTIN ignored: %s", ONE_WORKER)

    def stop(self, graceful: bool = True) -> None:
        """End all workers and wait for them, for ``graceful_timeout`` at most."""
        if not self._stopping:
            self._notifier.stopping()
        self._stopping = True
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
            again |= self.SIG_QUEUE.get_nowait() in _STOPS
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
        self._crashes, self._next_start = 0, 0.0
        self.reload()

    # ------------------------------------------------------------------ workers

    def manage_workers(self) -> None:
        """Begin a reload that is wanted, end workers that have a successor, start one if needed.

        Called in every turn of the loop, and by gunicorn's own ``reload``.
        """
        report_left_out()
        workers = sorted(self.WORKERS.items(), key=lambda item: item[1].age)
        for pid, worker in workers[: max(0, len(workers) - self.num_workers)]:
            self.kill_worker(pid, signal.SIGTERM)
            if self.WORKERS.pop(pid, None) is not None:
                deadline = monotonic() + self.cfg.graceful_timeout
                self._replaced[pid] = worker, deadline
        if len(self.WORKERS) < self.num_workers and monotonic() >= self._next_start:
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
            _log_end(pid, code)
            if replaced is None and not self._stopping and code != 0:
                self._note_crash(code, lived, worker.generations.has_served(worker.age))

    def _note_crash(self, code: int, lived: float, served: bool) -> None:
        if not served and code in _CANNOT_START:
            raise HaltServer(_CANNOT_START[code], code)
        self._crashes = self._crashes + 1 if lived < _STEADY_SECONDS else 1
        if self._crashes > 1:
            pause = min(2.0 ** (self._crashes - 2), _LONGEST_PAUSE_SECONDS)
            self._next_start = monotonic() + pause
            extra = {"crashes": self._crashes, "seconds": pause}
            logger.error("workers crash one after the other; the next starts later", extra=extra)


def _log_end(pid: int, code: int) -> None:
    if code > 0:
        logger.error("Worker (pid:%s) exited with code %s.", pid, code)
    elif code == -signal.SIGKILL:
        logger.error("Worker (pid:%s) was sent SIGKILL! Perhaps out of memory?", pid)
    elif code < 0:
        log = logger.info if code == -signal.SIGTERM else logger.warning
        log("Worker (pid:%s) was ended by a signal: %s", pid, signal.strsignal(-code) or -code)
