"""Lets others run in the middle of long work on the event loop.

Long work calls :func:`let_others_run_if_due` between two steps: broadcasts, heartbeats, disconnect
callbacks, drains, a task's progress, every ``send_event``, every request, and bodies and answers
that are received and sent in pieces. All such work shares one slice of time in each round of the
event loop. When the slice is used up, the work waits in one line, first come first served. Each
round resumes as many of the line as fit into one slice, and at least one. So a round lasts for one
slice and one step, and four tasks that report without pause hold the loop no longer than one task.

The limit is a time, not a number of steps. A broadcast to 100 streams is short, but a task can
cause 256 of them in a row. While broadcasts yielded every 256 streams, four such tasks and 100
streams delayed ``GET /healthz`` on a fresh connection by 2.7 s. With slices of time the delay is
7 ms at the median and at most 26 ms (4 s of requests every 50 ms).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

import gevent
from gevent._hub_local import get_hub_if_exists
from gevent.hub import Hub, Waiter

__all__ = [
    "SLICE_SECONDS",
    "YIELD_EVERY",
    "OrderedTurns",
    "let_others_run",
    "let_others_run_if_due",
]

SLICE_SECONDS = 0.003
"""Seconds of work in one round of the event loop after which long work lets others run.

A request takes several rounds of the loop. With 3 ms a round, a request is answered in about 20 ms
while four tasks report without pause.
"""

YIELD_EVERY = 64
"""The number of streams that are written to between two looks at the clock: about 0.6 ms."""


def let_others_run_if_due() -> None:
    """Let others run if this round of the event loop has already lasted for a slice of time.

    If not, the call costs a look at the clock (0.3 µs). The call may switch greenlets. It does
    nothing in the hub and in a thread that has no event loop.
    """
    hub = get_hub_if_exists()
    if hub is not None and _turns_of(hub).due:
        let_others_run()


def let_others_run() -> None:
    """Let the event loop go round once, so that ready greenlets run and sockets are polled.

    If many greenlets wait here, each round resumes as many of them as fit into one slice of time,
    in order, and at least one. The call does nothing in the hub.

    ``gevent.sleep(0)`` alone is not enough: it lets ready greenlets run, but gevent polls sockets
    only after fifty such turns. While four greenlets broadcast to 5,000 streams, an arriving byte
    waited 107 and 361 ms at the 99th percentile with ``sleep(0)`` (two runs), and 4.9 and 2.0 ms
    with a timer, whose wait ends when the loop has gone round. A turn costs 3.4 µs.
    """
    hub = gevent.get_hub()
    if gevent.getcurrent() is hub:
        return
    # The timer alone is not enough. After 5 ms gevent leaves the rest of its list of ready
    # greenlets for the next round, and a due timer does not wait for the rest of the list.
    gevent.sleep(0)
    _turns_of(hub).wait()


class OrderedTurns:
    """Lets others run if it is due, and keeps the order of the greenlets that come here.

    :func:`let_others_run_if_due` alone does not: a greenlet that comes when a new round has just
    begun goes on at once, although earlier ones still wait for their turn.
    """

    def __init__(self) -> None:
        self._waiting = 0

    def wait_if_due(self) -> None:
        """Let others run if it is due, or if an earlier greenlet waits here. Not for the hub."""
        if not self._waiting and not _turns_of(gevent.get_hub()).due:
            return
        self._waiting += 1
        try:
            let_others_run()
        finally:
            self._waiting -= 1


class _Turns:
    """The line of greenlets that let others run on one event loop.

    Args:
        hub: the hub of the loop.
    """

    def __init__(self, hub: Hub) -> None:
        self._waiting: deque[Waiter[None]] = deque()
        loop: Any = hub.loop
        self._soon = loop.timer(0)
        self._round_began = time.perf_counter()
        # Called in each round after the loop has polled the sockets and before any greenlet runs.
        # ref=False: the watcher alone must not keep the loop, and so the process, alive.
        self._looked = loop.check(ref=False, priority=loop.MAXPRI)
        self._looked.start(self._begin_round)

    @property
    def due(self) -> bool:
        """True if this round has lasted for a slice of time or longer."""
        return time.perf_counter() - self._round_began >= SLICE_SECONDS

    def wait(self) -> None:
        """Wait for a slice of a later round."""
        waiter: Waiter[None] = Waiter()
        self._waiting.append(waiter)
        if not self._soon.active:
            self._soon.start(self._resume)
        try:
            waiter.get()
        except BaseException:  # killed, or out of time: the turn goes to the next greenlet
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def _begin_round(self) -> None:
        self._round_began = time.perf_counter()

    def _resume(self) -> None:
        # A greenlet that comes back to the line meanwhile waits for a later round.
        for resumed in range(len(self._waiting)):
            if not self._waiting or (resumed and self.due):
                break
            self._waiting.popleft().switch(None)
        if self._waiting:
            self._soon.start(self._resume)


_turns_of_hubs: WeakKeyDictionary[Hub, _Turns] = WeakKeyDictionary()


# The hub that was asked for last, usually the only one: a weak dictionary takes a microsecond.
_last_hub: Callable[[], Hub | None] | None = None
_last_turns: Any = None


def _turns_of(hub: Hub) -> _Turns:
    global _last_hub, _last_turns
    if _last_hub is not None and _last_hub() is hub:
        last: _Turns = _last_turns
        return last
    turns = _turns_of_hubs.get(hub)
    if turns is None:
        turns = _turns_of_hubs[hub] = _Turns(hub)
    _last_hub, _last_turns = ref(hub), turns
    return turns
