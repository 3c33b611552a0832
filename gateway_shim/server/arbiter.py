"""The arbiter: the first process. It listens, forks the workers that serve, and handles signals.

Theory of operation
-------------------

**Processes.** The arbiter opens the listening sockets and forks N workers, which inherit them.
The arbiter itself serves no request and runs no event loop. Each worker has a number from 1 to N.
During a reload there are two workers of each number: the new ones are in ``WORKERS`` and serve; the
old ones are in ``_replaced`` and end. More than one worker needs an event log that they share.

**Loop.** gunicorn's ``run`` repeats these steps, at least once a second::

    wait_for_signals -> handle_* -> murder_workers -> manage_workers

Signal handlers only note or queue a signal (:mod:`gateway_shim.server.arbiter_signals`); the
``handle_*`` methods act on it. The loop waits neither for a check nor for the end of a worker, so a
worker that crashes meanwhile is replaced.

**Start.** :func:`prepare_arbiter` -> the application's own part, such as the directory of the event
log -> signal handlers -> listening sockets -> first workers. A stop signal before the sockets exist
ends the process at once. The server has started once all N workers serve at the same time; the
worker that is the last to do so reports READY to systemd.

**Reload.** SIGHUP -> a check runs as a separate program -> N new workers are forked -> the old
workers get SIGTERM and move to ``_replaced`` -> the old workers end. A reload begins only while
``_replaced`` is empty. All SIGHUPs that arrive before that count as one. A failed check is logged,
and the old workers stay. The number of workers cannot change: a configuration file that has another
number is overruled, which is logged. A SIGHUP because the terminal was closed stops the server
instead.

**Stop.** SIGTERM, SIGINT and SIGQUIT overtake all other signals and end a check. The workers then
have ``graceful_timeout`` seconds to drain; after SIGINT or SIGQUIT they do not wait for tasks. A
second stop signal ends the wait for tasks, too, and leaves the workers two seconds. A worker that
has not served yet has accepted nothing, so it is killed after one second.

**End of a worker.** A worker that has served is replaced by one with its number, whatever its exit
status is; the other workers are not touched. A worker that exits with a status for "cannot start"
before it has served ends the server, because the next worker could not start either. Only if all
workers of its generation have served before, and another one still serves, it is replaced, after a
pause. Workers of the same number that crash one after the other are replaced after a pause, too.

**The table.** The arbiter and the workers share a small memory
(:mod:`gateway_shim.server.process.worker_table`): who serves, who ends, and how many streams each
has. A worker reads there whether others accept in its place.

**What may never happen.**

- Two workers of the same number stay in ``WORKERS``.
- More than 2 N workers run.
- A stop signal is lost.
- The arbiter waits for a worker, replaced or not, longer than the worker's deadline.

**Races.**

- A signal arrives in a worker that was just forked and still has the arbiter's handlers. The
  handler sees another process id. It ends the worker at a stop signal, else it does nothing.
- A second stop signal arrives before :meth:`StreamArbiter.stop` begins: it is still in the queue,
  and :meth:`StreamArbiter.stop` passes it on.
- The program's files are replaced while a check runs: they are compared before and after it.
- The arbiter collects the ends of all children, so it may take the exit status of a check's
  program. Therefore the result of a check is the program's output.
- Several children end, but only one SIGCHLD arrives: all ended children are collected each time.
- A stop is sent to a worker that was just forked: the kernel keeps it until the worker acts on it.
- A stop reaches one worker before another: the stop is in the table before the first signal, so no
  worker stops accepting because others seem to go on.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from time import monotonic

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from gateway_shim.event_log.places.place import current_place
from gateway_shim.event_log.places.space import problem_of_next_workers
from gateway_shim.log_lines.line_limit import report_left_out
from gateway_shim.server.arbiter_signals import STOPS
from gateway_shim.server.arbiter_workers import ReplacedWorker, WorkerArbiter
from gateway_shim.server.process.listeners import duplicate_sockets, stop_listening
from gateway_shim.server.process.orphans import adopt_orphans
from gateway_shim.server.process.program_files import ProgramFiles
from gateway_shim.server.process.reload_check import ReloadCheck
from gateway_shim.server.process.start_signals import START, StartSignals
from gateway_shim.server.refused_options import check_worker_class, refused_options
from gateway_shim.server.systemd import Notifier

__all__ = ["StreamArbiter", "prepare_arbiter"]

logger = logging.getLogger(__name__)

_UNSERVED_END_SECONDS = 1.0
"""The time in which a worker that has not served yet must end once the server stops.

SIGTERM ends such a worker at once, unless it runs C code that does not return, or a module that it
imports has set its own handler.
"""


class StreamArbiter(WorkerArbiter):
    """The arbiter of workers that hold streams.

    :func:`prepare_arbiter` calls :meth:`prepare` before the arbiter handles its first signal.
    """

    _start_check: Callable[[], ReloadCheck] | None
    """Starts the check before a reload; None if there is nothing to check."""
    _program: ProgramFiles
    """The program's files as they were at the start."""
    _notifier: Notifier
    """Reports the stop to systemd."""
    _check: ReloadCheck | None
    """The check that runs now."""

    def prepare(
        self,
        start_check: Callable[[], ReloadCheck] | None,
        *,
        ends_at_early_hangup: bool = False,
        start: StartSignals = START,
    ) -> None:
        """Set the attributes of this class. Call it before the arbiter handles signals.

        Args:
            start_check: starts the check before a reload; None if there is nothing to check.
            ends_at_early_hangup: SIGHUP before the first worker has served stops the server.
            start: the signals that arrived before the arbiter's handlers.
        """
        self._start_check = start_check
        self._program = ProgramFiles.of_this_process()
        self._notifier = Notifier.taken_from(os.environ)
        # The workers report the state of the service to systemd. The arbiter reports only a stop.
        setattr(self.worker_class, "notifier", self._notifier)  # noqa: B010 - not in its type
        self._prepare_signals(start, ends_at_early_hangup)
        self._prepare_workers()
        self._check = None

    # ------------------------------------------------------------------ stop

    def stop(self, graceful: bool = True) -> None:
        """End all workers and wait for them, for ``graceful_timeout`` seconds at most."""
        if not self._stopping:
            self._notifier.stopping()
        self._stopping = True
        self._table.stop()
        self._unserved_deadline = monotonic() + _UNSERVED_END_SECONDS
        if self._check is not None:
            self._check.kill()
            self._check = None
        if self._empty_queue():
            self.SIG_QUEUE.put_nowait(signal.SIGQUIT)
        # A replaced worker has received its first SIGTERM already. The signal of this stop is its
        # second one, so it does not wait for tasks.
        self._join_replaced()
        shared = self.systemd or self.reexec_pid or self.master_pid
        listening = [] if shared else duplicate_sockets(self.LISTENERS)
        super().stop(graceful)
        stop_listening(listening)

    def _empty_queue(self) -> bool:
        """Empty the signal queue; return whether it held a stop signal, which is the second one."""
        has_stop = False
        while not self.SIG_QUEUE.empty():
            has_stop |= self.SIG_QUEUE.get_nowait() in STOPS
        return has_stop

    # ------------------------------------------------------------------ reload

    def setup(self, app: BaseApplication) -> None:
        """Apply a configuration; at a reload, replace the options that would lose events."""
        # At the start the worker class refuses such options (StreamWorker.check_config). gunicorn
        # does not ask the worker class again at a reload. self.log is None at the start only.
        if self.log is not None:
            for refused in refused_options(app.cfg):
                logger.error("option ignored at the reload: %s", refused.message)
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
        # Once the old workers are told to end, no worker is left that could go on.
        problem = problem or problem_of_next_workers(current_place())
        if problem is not None:
            logger.error("reload refused, the running worker continues: %s", problem)
            return
        self._pauses.clear()
        self._generation += 1
        self.reload()

    # ------------------------------------------------------------------ workers

    def manage_workers(self) -> None:
        """Tell old workers to end, start the workers that are missing, and advance a reload.

        The loop and gunicorn's ``reload`` call this method.
        """
        report_left_out()
        self._start.forget_old_terminal(monotonic())
        present = self._present()
        for pid in [pid for pid in self.WORKERS if pid not in present]:
            worker = self.WORKERS[pid]
            self.kill_worker(pid, signal.SIGTERM)
            if self.WORKERS.pop(pid, None) is not None:
                deadline = monotonic() + self.cfg.graceful_timeout
                self._replaced[pid] = ReplacedWorker(worker, deadline)
        self._start_missing()
        self._advance_reload()


def prepare_arbiter(
    arbiter: Arbiter,
    start_check: Callable[[], ReloadCheck] | None,
    *,
    ends_at_early_hangup: bool = False,
    start: StartSignals = START,
) -> None:
    """Prepare an arbiter for streams; called by gunicorn's ``on_starting`` hook.

    :class:`~gateway_shim.server.gunicorn_application.GunicornApplication` makes a
    :class:`StreamArbiter`. The command ``gunicorn -c gunicorn.conf.py`` makes gunicorn's own
    arbiter, and gunicorn has no setting for another class. The hook runs before signal handlers,
    listening sockets and workers exist, so the class of that object can still be changed. Nothing
    else changes an object's class.

    Args:
        arbiter: an arbiter that has not handled a signal yet.
        start_check: starts the check before a reload; None if there is nothing to check.
        ends_at_early_hangup: SIGHUP before the first worker has served stops the server.
        start: the signals that arrived before the arbiter's handlers.

    Raises:
        SystemExit: the worker class cannot hold streams.
    """
    check_worker_class(arbiter.cfg)
    adopt_orphans()
    if not isinstance(arbiter, StreamArbiter):
        arbiter.__class__ = StreamArbiter
    assert isinstance(arbiter, StreamArbiter)  # noqa: S101 - for the type checker
    arbiter.prepare(start_check, ends_at_early_hangup=ends_at_early_hangup, start=start)
