"""The signals of gunicorn's arbiter: handlers only note or queue them, the loop acts on them.

A handler runs between any two instructions of the loop, so it does nothing else. A stop signal is
never lost and overtakes all other signals. All SIGHUPs that wait count as one.

SIGHUP has two meanings. When a terminal closes, its programs receive SIGHUP and should end, as they
would without a handler. Any other sender of SIGHUP asks for a reload.
"""

from __future__ import annotations

import logging
import os
import signal
from types import FrameType
from typing import Any

from gevent.monkey import get_original
from gunicorn.arbiter import Arbiter

from gateway_shim.server.process.start_signals import StartSignals
from gateway_shim.server.process.worker_table import WorkerTable
from gateway_shim.server.refused_options import FIXED_NUMBER

__all__ = ["STOPS", "SignalledArbiter"]

logger = logging.getLogger(__name__)

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""The signals that stop the server."""

_SignalQueue = get_original("queue", "SimpleQueue")
"""The queue written in C. A handler may interrupt it anywhere, and it waits without an event loop.

In a patched process ``queue.SimpleQueue`` holds a lock while it works. A handler that interrupts it
would wait for this lock forever.
"""


class SignalledArbiter(Arbiter):
    """An arbiter that handles signals as a server of streams needs."""

    _start: StartSignals
    """The signals of the start, and the terminal that the server was started from."""
    _ends_at_early_hangup: bool
    """True if SIGHUP stops the server until the first worker has served."""
    _reload_wanted: bool
    """True from a SIGHUP until its reload begins."""
    _hangup_queued: bool
    """True while a SIGHUP waits in the queue."""
    _stopping: bool
    """True once the stop has begun."""
    _replaced: dict[int, Any]
    """The workers that have a successor and have not ended yet, by pid."""
    _table: WorkerTable
    """The memory that the arbiter and the workers share."""

    def _prepare_signals(self, start: StartSignals, ends_at_early_hangup: bool) -> None:
        """Set the attributes of this class. Call it before :meth:`init_signals`."""
        self.SIG_QUEUE = _SignalQueue()  # still empty: no handler is set yet
        self._start, self._ends_at_early_hangup = start, ends_at_early_hangup
        self._reload_wanted = self._hangup_queued = self._stopping = False
        start.look_for_terminal()
        # A worker keeps the arbiter's handler for SIGHUP, which does nothing in a worker. When a
        # terminal closes, all processes receive SIGHUP, but only the arbiter knows what it means.
        signals = [sig for sig in self.worker_class.SIGNALS if sig != signal.SIGHUP]
        setattr(self.worker_class, "SIGNALS", signals)  # noqa: B010 - not in its type

    # ------------------------------------------------------------------ handlers

    def init_signals(self) -> None:
        """Set the handlers, and queue a SIGHUP that arrived before them."""
        super().init_signals()
        if self._start.take_hangup():
            self.signal(signal.SIGHUP, None)

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Note or queue a signal. This is the handler of all signals but SIGCHLD."""
        if os.getpid() != self.pid:
            # A worker that was just forked has this handler until it sets its own. It has served
            # no client. If the handler queued the signal in the worker, the arbiter would wait for
            # the worker's end in vain.
            if sig in STOPS:
                os._exit(0)
        elif self._stopping:
            if sig in STOPS:
                # While gunicorn stops, it looks for SIGINT and SIGQUIT only, not for SIGTERM.
                self.SIG_QUEUE.put_nowait(signal.SIGQUIT)
        elif sig in STOPS and not self.LISTENERS:
            # gunicorn tries to listen for several seconds, and looks at no signal meanwhile.
            raise SystemExit(0)
        elif sig != signal.SIGHUP:
            self.SIG_QUEUE.put_nowait(sig)
        elif not self._hangup_queued:
            self._hangup_queued = True
            self.SIG_QUEUE.put_nowait(sig)

    def signal_chld(self, sig: int, frame: FrameType | None) -> None:
        """Queue SIGCHLD, except during a stop, which collects ended children without it."""
        if not self._stopping:
            self.SIG_QUEUE.put_nowait(sig)

    # ------------------------------------------------------------------ the loop

    def wait_for_signals(self, timeout: float | None = 1.0) -> list[int]:
        """Wait for signals and return each one once; if one is a stop signal, return only that.

        Two stop signals at once are returned as SIGQUIT, which does not wait for tasks.
        """
        signals = super().wait_for_signals(timeout)
        stops = [sig for sig in signals if sig in STOPS]
        if not stops:
            return list(dict.fromkeys(signals))
        return [stops[0] if len(stops) == 1 else signal.SIGQUIT]

    def handle_hup(self) -> None:
        """Note that a reload is wanted; ``manage_workers``, which is called next, begins it.

        Raises:
            StopIteration: gunicorn's way to stop. Either the terminal was closed, or the server
                ends at an early SIGHUP and has not served yet.
        """
        self._hangup_queued = False
        if self._start.terminal_is_gone():
            logger.info("the terminal was closed: stopping")
            raise StopIteration
        if self._ends_at_early_hangup and not self._has_served():
            raise StopIteration
        self._reload_wanted = True
        if self._replaced:
            logger.info("the reload begins when the workers that were replaced have ended")

    def handle_ttin(self) -> None:
        """Refuse SIGTTIN, which asks for one more worker."""
        logger.warning("SIGTTIN ignored: %s", FIXED_NUMBER)

    def handle_ttou(self) -> None:
        """Refuse SIGTTOU, which asks for one worker less."""
        logger.warning("SIGTTOU ignored: %s", FIXED_NUMBER)

    def _has_served(self) -> bool:
        """Return whether any worker has served; a worker that crashed counts as one that has."""
        if not self.WORKERS:
            return self.worker_age > 0
        return self._table.has_served
