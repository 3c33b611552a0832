"""The worker: the process that serves, from its fork to its exit.

Theory of operation
-------------------

**Start.** The arbiter makes the object and forks. The order in the new process is fixed::

    patch -> gevent's loop after the fork -> gunicorn's handlers -> load_wsgi -> run

:meth:`StreamWorker.patch` completes gevent's patching before any code of the application is
imported. ``run`` makes the servers, starts the application's runtime, starts to accept, and only
then notes that this worker has served. If all workers of its generation serve by then, it reports
READY to systemd.

**Serve.** Everything runs in greenlets of one event loop. A connection has a greenlet while
gunicorn handles its request (:mod:`gateway_shim.server.request_worker`). A stream needs none: once
its request is read, the gateway keeps the socket. The main greenlet
wakes at least once a second and reports that the event loop runs: to the arbiter, by the time stamp
of a file, to systemd, and to the other workers by the table that they share. If one of several
workers is stuck, the others go on reporting to systemd, and the arbiter replaces the one.

With several workers, a worker that has more connections than others pauses before it accepts
(:mod:`gateway_shim.server.connections.accept_balance`).

**Exit.** SIGTERM, or the end of the arbiter, begins the drain. SIGINT, SIGQUIT and a second
SIGTERM do the same without waiting for running tasks. The order of the drain::

    idle connections close -> runtime.shutdown: tasks end, then streams
    -> stop accepting -> the last requests are answered -> the gateway stops

Requests are still served during ``runtime.shutdown``, and each answer closes its connection. If
others accept in its place, a worker stops accepting first of all: its successor after a reload, or
the other workers if it alone got the signal. If not, it accepts until the shutdown is over, because
an answer such as 503 is better for a client than a refused connection.

**What may never happen.**

- A signal handler blocks, raises or takes a lock. It only sets ``alive`` and spawns a greenlet.
- Streams end before the tasks: the last events of the tasks would be lost.
- A worker that has a successor reports to systemd.

**Races.**

- A signal arrives before ``run``: the worker has served no client, so it ends at once.
- A signal arrives at any instruction of any greenlet: its work is done in a new greenlet, because
  the interrupted code may hold locks or be in the middle of a change.
- A worker that gets SIGTERM may have a successor or not. It reads this in ``seat``, memory that all
  workers share. The arbiter writes there before it forks, so the value is never late.
- The arbiter is killed: :meth:`StreamWorker.notify` sees another parent process and drains. All
  workers do, so none relies on the others.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any, ClassVar

import gevent
from gevent.event import Event as Signal
from gunicorn.arbiter import Arbiter

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_loop.child_watcher import use_child_watchers
from gateway_shim.event_loop.patching import (
    entry_points_read_once,
    patch_child_handling,
    support_native_threads,
)
from gateway_shim.event_loop.serving_process import prepare_serving_process
from gateway_shim.event_loop.tcp import detect_dead_peers
from gateway_shim.log_lines.line_limit import report_left_out
from gateway_shim.server.arbiter_signals import STOPS
from gateway_shim.server.connections.accept_balance import AcceptBalance
from gateway_shim.server.connections.request_server import RequestServer
from gateway_shim.server.process.freed_memory import FreedMemory
from gateway_shim.server.process.garbage import GarbageAtStart
from gateway_shim.server.process.tls_context import prepare_context
from gateway_shim.server.process.worker_number import set_worker_number
from gateway_shim.server.process.worker_table import Seat
from gateway_shim.server.refused_options import refused_options
from gateway_shim.server.request_worker import RequestWorker
from gateway_shim.server.responses.kept_response import use_own_http
from gateway_shim.server.systemd import Notifier

__all__ = ["StreamWorker"]

logger = logging.getLogger(__name__)

_NOTIFY_SECONDS = 1.0
"""The longest time between two signs of life for the arbiter and systemd."""


class StreamWorker(RequestWorker):
    """A gevent worker whose application has a :class:`~gateway_shim.server.runtime.Runtime`."""

    notifier: ClassVar[Notifier] = Notifier()
    """Reports the state of the service to systemd. The arbiter sets this before it forks."""
    seat: Seat
    """This worker's row in the table of all workers. The arbiter sets this before it forks."""

    def __init__(self, age: int, *args: Any) -> None:
        """Make the worker in the arbiter, which forks next.

        Args:
            age: the arbiter's count of its workers.
            args: the other arguments of gunicorn's workers.
        """
        if not hasattr(type(self), "seat"):
            raise SystemExit(
                "sse-monolith: gunicorn's setting on_starting must be the one that"
                " gateway_shim.server.options.base_options returns"
            )
        super().__init__(age, *args)
        prepare_context(self.cfg)
        self.seat = type(self).seat  # the class has the next worker's soon
        self._wake: Signal | None = None
        """Wakes the main greenlet; None until :meth:`run` serves."""

    # ------------------------------------------------------------------ start, by gunicorn

    @staticmethod
    def check_config(cfg: Any, _: Any) -> None:
        """Refuse settings that would lose events. The arbiter calls this at its start.

        Raises:
            SystemExit: a setting is refused; says which, and why.
        """
        for refused in refused_options(cfg):
            raise SystemExit(f"sse-monolith: {refused.message}")

    def init_process(self) -> None:
        """Prepare this process and serve until it must exit."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)  # the arbiter has blocked them
        self._garbage = GarbageAtStart()
        set_worker_number(self.seat.number)
        use_own_http()
        super().init_process()

    def patch(self) -> None:
        """Complete gevent's patching of this process, and prepare it for native threads.

        If the arbiter was patched, only the parts that an arbiter must not have are added. If not,
        because a program did not patch first, everything is patched.
        """
        use_child_watchers()
        with entry_points_read_once():
            super().patch()
            patch_child_handling()
        support_native_threads()
        prepare_serving_process()

    # ------------------------------------------------------------------ serve and drain

    def run(self) -> None:
        """Serve until the worker must exit, then drain. Returns when the worker may end."""
        self._wake = Signal()
        self._drained = Signal()
        self._freed_memory = FreedMemory()
        servers = self._make_servers()
        self._balance = [] if self.seat.is_alone else self._join_others(servers)
        self._start_runtime()
        for listener, server in zip(self.sockets, servers, strict=True):
            detect_dead_peers(listener, self.runtime.gateway.config.client_timeout)
            server.start()
        self._garbage.end()
        if self.seat.serve():
            self.notifier.ready()
        pause = self.notifier.interval(_NOTIFY_SECONDS)
        while self.alive:
            self.notify()
            self._wake.wait(pause)
        self._drain(servers)
        self._drained.set()

    def _join_others(self, servers: list[RequestServer]) -> list[AcceptBalance]:
        """Share limits and new connections with the other workers."""
        gateway = self.runtime.gateway
        gateway.admission.share_with(self.seat, gateway.config.max_connections_of_server)
        for server in servers:
            server.balance = AcceptBalance(self.seat, lambda: sum(each.count for each in servers))
        return [server.balance for server in servers if server.balance is not None]

    def _start_runtime(self) -> None:
        """Start the application, or end this process with one line that says what to do.

        If other workers serve, the arbiter starts another one after a pause: there may be space
        then. If not, the server ends.
        """
        try:
            self.runtime.start()
        except LogUnavailable as exc:
            logger.error("this worker cannot start", extra={"reason": str(exc)})
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def _drain(self, servers: list[RequestServer]) -> None:
        """Shut the application down while requests are still served, then stop serving."""
        self.seat.drain()
        if self.ppid == os.getppid() and self.seat.others_accept:
            # They accept from the same sockets. This worker would accept connections only to
            # refuse their requests.
            for server in servers:
                server.close()
        # A client whose connection closes between two requests sends the next request over
        # another connection. Another worker answers it, or this one, with Connection: close.
        self._kept.close()
        shutdown = gevent.spawn(self.runtime.shutdown)
        pause = self.notifier.interval(_NOTIFY_SECONDS / 2)
        while not shutdown.ready():
            self.notify()
            shutdown.join(pause)
        for server in servers:
            server.close()
        # gunicorn's own wait would also wait for idle connections that are kept alive.
        self._kept.finish()
        for server in servers:
            server.stop(timeout=0)
        self.runtime.gateway.stop()

    def notify(self) -> None:
        """Tell the arbiter and systemd that this worker lives; exit if the arbiter has ended."""
        self.tmp.notify()
        report_left_out()
        self._freed_memory.give_back_if_due()
        self.seat.report()
        for balance in self._balance[:1]:
            balance.publish()
        if not self.seat.has_successor:  # the successor reports for itself
            self.notifier.alive()
        if self.alive and self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self._exit()

    # ------------------------------------------------------------------ signals

    def handle_exit(self, sig: int, frame: object) -> None:
        """Handle SIGTERM: drain. A second SIGTERM ends the wait for running tasks."""
        self._exit(stop_waiting=not self.alive)

    def handle_quit(self, sig: int, frame: object) -> None:
        """Handle SIGINT and SIGQUIT: drain without waiting for running tasks."""
        self._exit(stop_waiting=True)

    def finish(self) -> None:
        """Drain and wait for the end of the drain.

        gunicorn's reloader calls this, and ends the process right after.
        """
        self._exit()
        self._drained.wait()

    def _exit(self, *, stop_waiting: bool = False) -> None:
        self.alive = False
        if self._wake is None:  # no request was served yet, so nothing is lost
            os._exit(0)
        # A signal handler can interrupt any code, so the rest runs in a new greenlet.
        gevent.spawn(self._wake_main, self._wake, stop_waiting)

    def _wake_main(self, wake: Signal, stop_waiting: bool) -> None:
        wake.set()
        if stop_waiting:
            self.runtime.stop_waiting()
