"""A walk: browsers, one or two servers over one log, and random steps. The promise must hold."""

from __future__ import annotations

from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.event_log.audience import (
    EVERYONE,
    request_audience,
    topic_audience,
    user_audience,
)
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.protocol.event_stream import BodyFraming
from tests.walks.machine.server import HEARTBEAT_SECONDS
from tests.walks.operations import Step
from tests.walks.site import Site

__all__ = ["Walk"]

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


class Walk(Site):
    """The steps of a walk. Each takes three numbers, which choose among what there is."""

    def take(self, step: Step) -> None:
        """Take one step.

        Raises:
            WalkFailed: the promise was broken.
        """
        self.trace.append(f"{step.name} {step.a} {step.b} {step.c}")
        getattr(self, step.name)(step.a, step.b, step.c)
        self._loop.turn()
        self._check()

    def end(self) -> None:
        """Let everything go on, and check that nothing is missing.

        Raises:
            WalkFailed: the promise was broken.
        """
        self.trace.append("end")
        for visit in self._visits:
            visit.sock.room = visit.sock.most = None
            visit.answer(200)
        self.finish(0, 0, 0)
        self._check()
        for visit in self._open_visits():
            for text in visit.check.missing():
                self._fault(visit, f"never got {text}")
        self._check()
        # A heartbeat brings each browser to the newest entry, whatever was addressed to it.
        for _ in range(2):
            self._loop.advance(HEARTBEAT_SECONDS)
            self.finish(0, 0, 0)
        newest = Cursor(self._history.epoch, self._history.newest)
        for visit in self._open_visits():
            if visit.check.cursor != newest:
                self._fault(visit, f"still at {visit.check.cursor}, not at {newest}")
        self._check(at_the_end=True)

    # ------------------------------------------------------------------ steps: servers

    def publish(self, a: int, b: int, c: int) -> None:
        """Publish an event. Its delivery pauses between batches in half of the cases."""
        size = (5, 40, 40, 300)[c // 2 % 4]
        data = f"{next(self._events)}:".ljust(size, "abcdefghijklmnopqrstuvwxyz"[b % 26])
        audience = _AUDIENCES[b % len(_AUDIENCES)]
        self._loop.is_free = c % 2 == 0
        self._server(a).publish(data, audience)
        self._loop.settle()
        self._loop.is_free = False
        self.trace[-1] += f": {data[:12]} to {audience}"

    def burst(self, a: int, b: int, c: int) -> None:
        """Publish several events, which may trim others."""
        for number in range(2 + c % 8):
            self.publish(a, b + number, 2 * c)

    def overtake(self, a: int, b: int, c: int) -> None:
        """Append entries, and so trim others, while one is delivered to a browser that stalls."""
        self.publish(a, 0, 2 * c + 1)
        self.proceed(0, c, 0)
        self.stall(b, 1 + b // 4 % 4, c)
        for number in range(c % 12):
            self.publish(a, b + number, 2 * c + 1)

    def note(self, a: int, b: int, c: int) -> None:
        """Write a note for processes."""
        number = next(self._events)
        self._server(a).note(number)
        self._loop.settle()
        self.trace[-1] += f": note {number}"

    def send(self, a: int, b: int, c: int) -> None:
        """Send an event to the token of one stream."""
        server = self._server(a)
        visits = [visit for visit in server.visits.values() if server.gateway.holds(visit.token)]
        if not visits or server.draining is not None:
            return
        visit = visits[b % len(visits)]
        data = f"{next(self._events)}:".ljust((5, 60)[c % 2], "O")
        self.trace[-1] += f": own {data[:12]} to v{visit.number}"
        try:
            server.send(visit, data)
        except (UnknownToken, WriteFailed):
            visit.sock.is_reset = True

    def close(self, a: int, b: int, c: int) -> None:
        """End one stream."""
        server = self._server(a)
        visits = [visit for visit in server.visits.values() if visit.is_open]
        visits = [visit for visit in visits if server.gateway.holds(visit.token)]
        if visits and server.draining is None:
            visit = visits[b % len(visits)]
            visit.check.ends(server.completed, farewell=False)
            server.gateway.close(visit.token)

    def proceed(self, a: int, b: int, c: int) -> None:
        """Let one greenlet that has paused go on, once or several times."""
        for _ in range(1 + b % 3):
            self._loop.resume(a)

    def finish(self, a: int, b: int, c: int) -> None:
        """Let everything go on that does not wait for browsers."""
        self._loop.is_free = True
        for _ in range(_ALL_TURNS):
            while self._loop.resume(0):
                pass
            for server in self._servers:
                self._look(server)
            if not self._loop.turn() and not self._loop.paused:
                break
        else:
            self._faults.append("the watchers never come to an end")
        self._loop.is_free = False

    def look(self, a: int, b: int, c: int) -> None:
        """Let one server see what another has appended."""
        self._look(self._server(a))

    def beat(self, a: int, b: int, c: int) -> None:
        """Let time pass, so that heartbeats may be due."""
        self._loop.advance(HEARTBEAT_SECONDS * (0.3, 1.1)[a % 2])

    def interrupt(self, a: int, b: int, c: int) -> None:
        """Kill a greenlet that publishes, in most cases in the middle of a delivery."""
        publishers = [item for server in self._servers for item in server.publishers]
        paused = [item for item, _ in self._loop.paused if item in publishers]
        if paused:
            # The greenlet that has paused most often has the turn, and is writing to streams.
            writing = max(paused, key=lambda item: self._loop.pauses[item])
            (writing if a % 4 else paused[b % len(paused)]).kill(block=False)
            self._loop.settle()

    def expire(self, a: int, b: int, c: int) -> None:
        """Let a server trim what is too old."""
        self._server(a).log.expire()

    def begin_epoch(self, a: int, b: int, c: int) -> None:
        """Lose all entries."""
        if self._order is not None:
            self._order.begin_epoch()

    def drain(self, a: int, b: int, c: int) -> None:
        """Drain a server; or let a drain end, and start the server anew."""
        server = self._server(a)
        if server.draining is None:
            server.drain()
            self._loop.settle()
        if c % 2:
            self._loop.advance(10.0)
            self.finish(0, 0, 0)
            self._loop.advance(10.0)
            self.kill(a, b, c)

    def kill(self, a: int, b: int, c: int) -> None:
        """Kill a server, and start another one in its place."""
        index = a % len(self._servers)
        server = self._servers[index]
        if self._order is None:
            if server.draining is None:
                return  # the log of one process would end with it
            server.log.close()
        for browser in self._browsers:
            if browser.visit is not None and browser.visit.number in server.visits:
                browser.leave(1.0 if c % 3 else b / 1000)
        server.stop()
        if self._order is None:
            self._history.begin(f"m{next(self._events)}")
        self._servers[index] = self._start()

    # ------------------------------------------------------------------ steps: browsers

    def open(self, a: int, b: int, c: int) -> None:
        """Ask for a stream, with a cursor or without."""
        browser = self._browsers[a % _BROWSERS]
        server = self._server(b)
        if server.draining is not None:
            return
        if browser.visit is not None:
            self._hang_up(browser, 1.0)
        text = self._cursor(browser, c % 16, b)
        by_header = b // 4 % 3 > 0
        framing = BodyFraming.BARE if b // 16 % 4 == 0 else BodyFraming.CHUNKED
        visit = self._make_visit(browser, server, text, framing)
        self.trace[-1] += f": v{visit.number} {text} {framing.value} {browser.audiences}"
        if c // 16 % 3 == 0:
            visit.sock.room = c // 48 % 2 * 300
            visit.sock.most = 1 + c % 90
        server.open(visit, text, by_header)
        self._loop.settle()
        if c // 16 % 2:
            visit.answer(200)
            self._loop.settle()

    def answer(self, a: int, b: int, c: int) -> None:
        """Let the backend answer."""
        waiting = [visit for visit in self._visits if not visit.gate.is_set()]
        if waiting:
            visit = waiting[a % len(waiting)]
            visit.answer(403 if b % 10 == 0 else 200)
            self.trace[-1] += f": v{visit.number} {visit.status}"
            self._loop.settle()

    def cut(self, a: int, b: int, c: int) -> None:
        """End the connection of a browser. Some of the last bytes do not arrive."""
        browser = self._browsers[a % _BROWSERS]
        self._hang_up(browser, 1.0 if c % 2 else b / 1000)

    def stall(self, a: int, b: int, c: int) -> None:
        """Let a browser stop reading."""
        visit = self._browsers[a % _BROWSERS].visit
        if visit is not None:
            visit.sock.room = (0, 1, 7, 30, 100)[b % 5]
            visit.sock.most = (None, 1 + c % 64)[b // 5 % 2]
            self.trace[-1] += f": v{visit.number} room {visit.sock.room}"

    def allow(self, a: int, b: int, c: int) -> None:
        """Let a browser read some bytes, or all."""
        visit = self._browsers[a % _BROWSERS].visit
        if visit is not None:
            visit.sock.room = (None, 1, 5, 20, 50, 90, 200, 500)[b % 8]
            self.trace[-1] += f": v{visit.number} room {visit.sock.room}"
            for _ in range(1 + c % 3):
                self._loop.turn()
