"""Signals of gunicorn's arbiter: handlers that note and queue, a loop that looks.

Handlers run between any two instructions of the loop, so they do nothing else. A stop is never lost
and overtakes every other signal. Any number of SIGHUPs that wait are one.

SIGHUP has two meanings. A terminal that closes sends it to the programs that it has started; they
are to end, as they would without a handler. Everybody else sends it to ask for a reload.
"""

from __future__ import annotations

import logging
import os
import signal
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter

from gateway_shim.server.process.start_signals import StartSignals
from gateway_shim.server.refused_options import ONE_WORKER

__all__ = ["STOPS", "SignalledArbiter"]

logger = logging.getLogger(__name__)

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Signals that stop the server."""


class SignalledArbiter(Arbiter):
    """An arbiter whose signals are noted as a server of streams needs it."""

    _start: StartSignals
    _ends_at_early_hangup: bool
    _reload_wanted: bool
    _hangup_queued: bool
    _stopping: bool
    _replaced: dict[int, tuple[Any, float]]
    """Workers that have a successor and were told to end, and when they are killed, by pid."""

    def _begin_signals(self, start: StartSignals, ends_at_early_hangup: bool) -> None:
        """Prepare the attributes; called before :meth:`init_signals`."""
        self._start, self._ends_at_early_hangup = start, ends_at_early_hangup
        self._reload_wanted = self._hangup_queued = self._stopping = False
        start.look_for_terminal()
        # A worker keeps the arbiter's handler for SIGHUP, which does nothing there. A terminal that
        # closes sends the signal to all processes, but only the arbiter knows what it means.
        signals = [sig for sig in self.worker_class.SIGNALS if sig != signal.SIGHUP]
        setattr(self.worker_class, "SIGNALS", signals)  # noqa: B010 - not in its type

    def init_signals(self) -> None:
        """Set the handlers; a SIGHUP that came earlier is queued now."""
        super().init_signals()
        if self._start.take_hangup():
            self.signal(signal.SIGHUP, None)

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Note or queue a signal (the handler of most of them)."""
        if os.getpid() != self.pid:
            # A worker that was just forked has this handler until it sets its own. It has served
            # nobody; if it only queued the signal, the arbiter would wait for it in vain.
            if sig in STOPS:
                os._exit(0)
        elif self._stopping:
            if sig in STOPS:
                self.SIG_QUEUE.put_nowait(signal.SIGQUIT)  # gunicorn looks for SIGTERM no more
        elif sig in STOPS and not self.LISTENERS:
            # gunicorn tries for seconds to listen, and looks at no signal.
            raise SystemExit(0)
        elif sig != signal.SIGHUP:
            self.SIG_QUEUE.put_nowait(sig)
        elif not self._hangup_queued:
            self._hangup_queued = True
            self.SIG_QUEUE.put_nowait(sig)

    def signal_chld(self, sig: int, frame: FrameType | None) -> None:
        """Queue the news that a child has ended; a stop looks for itself."""
        if not self._stopping:
            self.SIG_QUEUE.put_nowait(sig)

    def wait_for_signals(self, timeout: float | None = 1.0) -> list[int]:
        """Return the signals that have come, each once; a stop overtakes all others."""
        signals = super().wait_for_signals(timeout)
        stops = [sig for sig in signals if sig in STOPS]
        if not stops:
            return list(dict.fromkeys(signals))
        return [stops[0] if len(stops) == 1 else signal.SIGQUIT]

    def handle_hup(self) -> None:
        """Leave the reload to :meth:`manage_workers`, which is called next.

        Raises:
            StopIteration: gunicorn's way to stop. The terminal was closed, or the signal came while
                a gateway on a port was starting.
        """
        self._hangup_queued = False
        if self._start.terminal_is_gone():
            logger.info("the terminal was closed: stopping")
            raise StopIteration
        if self._ends_at_early_hangup and not self._has_served():
            raise StopIteration
        self._reload_wanted = True
        if self._replaced:
            logger.info("the reload begins when the worker that was replaced has ended")

    def handle_ttin(self) -> None:
        """Add no worker: its streams would miss every event."""
        logger.warning("SIGTTIN ignored: %s", ONE_WORKER)

    def _has_served(self) -> bool:
        """Return whether any worker has served; one that crashed counts as one that has."""
        workers: list[Any] = list(self.WORKERS.values())
        if not workers:
            return self.worker_age > 0
        return any(worker.generations.has_served(1) for worker in workers)
