"""The browsers and servers of a walk, and the log between them."""

from __future__ import annotations

import itertools
import logging
from typing import Self

import gevent

from gateway_shim.event_log.audience import (
    EVERYONE,
    request_audience,
    topic_audience,
    user_audience,
)
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import Log
from gateway_shim.protocol.event_stream import BodyFraming
from tests.walks.checks.history import History
from tests.walks.checks.stream_check import StreamCheck
from tests.walks.machine.event_loop import ControlledLoop
from tests.walks.machine.memory_log import NotedMemoryLog
from tests.walks.machine.server import Server
from tests.walks.machine.shared_log import SharedOrder, SharedView
from tests.walks.machine.visit import Browser, Visit
from tests.walks.operations import Settings
from tests.walks.walk_failed import WalkFailed

__all__ = ["Site"]

_BROWSERS = 4
_ALL_TURNS = 2000
"""More turns than the bytes of any walk need."""

_AUDIENCES = (
    EVERYONE,
    EVERYONE,
    EVERYONE,
    *(request_audience(str(number)) for number in range(_BROWSERS)),
    user_audience("0"),
    user_audience("1"),
    topic_audience("x"),
    topic_audience("nobody"),
)


class Site:
    """A context manager: the servers and browsers of one walk, and their log.

    Args:
        settings: what does not change during the walk.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = ControlledLoop()
        self._history = History("e1")
        self._order: SharedOrder | None = None
        self._servers: list[Server] = []
        self._browsers = [
            Browser(
                (
                    request_audience(str(number)),
                    user_audience(str(number % 2)),
                    *([topic_audience("x")] if number % 3 == 0 else []),
                )
            )
            for number in range(_BROWSERS)
        ]
        self._tokens = itertools.count(1)
        self._visits: list[Visit] = []
        self._events = itertools.count(1)
        self._faults: list[str] = []
        self.trace: list[str] = [str(settings)]

    def __enter__(self) -> Self:
        """Start the servers."""
        self._log_level = logging.root.manager.disable
        logging.disable(logging.CRITICAL)  # the lines of 10,000 streams take longer than the walks
        self._loop.__enter__()
        limits = LogLimits(self._settings.log_bytes)
        if self._settings.servers > 1:
            self._order = SharedOrder(limits, self._loop, self._history)
        self._servers = [self._start() for _ in range(self._settings.servers)]
        self._loop.settle()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the servers."""
        self._loop.is_free = True
        for server in self._servers:
            server.stop()
        self._loop.__exit__(None, None, None)
        logging.disable(self._log_level)

    # ------------------------------------------------------------------ private

    def _start(self) -> Server:
        wait = self._loop.pause if self._settings.waits else _do_nothing
        log: Log
        if self._order is None:
            limits = LogLimits(self._settings.log_bytes)
            log = NotedMemoryLog(limits, self._loop, self._history, wait)
        else:
            log = SharedView(self._order, wait)
        return Server(self._loop, log, self._settings.retry_ms, self._tokens)

    def _server(self, number: int) -> Server:
        return self._servers[number % len(self._servers)]

    def _open_visits(self) -> list[Visit]:
        visits = [browser.visit for browser in self._browsers if browser.visit is not None]
        return [visit for visit in visits if visit.is_open]

    def _make_visit(
        self,
        browser: Browser,
        server: Server,
        text: str,
        framing: BodyFraming,
    ) -> Visit:
        number = len(self._visits)

        def report(fault: str) -> None:
            self._faults.append(f"v{number}: {fault}")

        check = StreamCheck(
            self._history,
            browser.audiences,
            framing,
            text,
            self._settings.retry_ms,
            lambda: (server.log.epoch, server.log.oldest),
            report,
        )
        visit = Visit(number, framing, browser.audiences, check)
        self._visits.append(visit)
        self._loop.sockets[visit.sock.fileno()] = visit.sock
        browser.visit = visit
        return visit

    def _cursor(self, browser: Browser, choice: int, number: int) -> str:
        """Return the cursor with which a browser asks."""
        epoch, newest = self._history.epoch, self._history.newest
        if choice < 9:
            return browser.last_id
        if choice < 10 and browser.ids:
            return browser.ids[number % len(browser.ids)]
        return {
            10: "",
            11: "",
            12: f"{epoch}-{newest}",
            13: f"{epoch}-{newest + 1 + number % 3}",
            14: f"other-{newest}",
            15: f"{epoch}-{newest * (number % 4) // 4}",
        }.get(choice, browser.last_id)

    def _hang_up(self, browser: Browser, received: float) -> None:
        visit = browser.visit
        browser.leave(received)
        if visit is not None:
            visit.sock.has_hung_up = True
            self.trace[-1] += f": v{visit.number} leaves with {browser.last_id}"
            self._loop.turn()

    def _look(self, server: Server) -> None:
        if isinstance(server.log, SharedView) and server.log.has_news:
            server.log.tell()
            self._loop.settle()

    def _fault(self, visit: Visit, text: str) -> None:
        self._faults.append(f"v{visit.number}: {text}")

    def _check(self, *, at_the_end: bool = False) -> None:
        """Raise WalkFailed if there was a fault."""
        for server in self._servers:
            fault = server.peers.fault(self._history, at_the_end=at_the_end)
            if fault is not None:
                self._faults.append(fault)
        for greenlet in (item for server in self._servers for item in server.publishers):
            if greenlet.dead and not isinstance(greenlet.exception, gevent.GreenletExit | None):
                self._faults.append(f"publish raised {greenlet.exception!r}")
        self._faults += [f"in the event loop: {error!r}" for error in self._loop.errors]
        if self._faults:
            raise WalkFailed(self._faults, [*self.trace, *self._streams()], [])

    def _streams(self) -> list[str]:
        return [
            f"v{visit.number} {visit.token}: {', '.join(visit.check.seen)}"
            for visit in self._visits
        ]


def _do_nothing() -> None:
    pass
