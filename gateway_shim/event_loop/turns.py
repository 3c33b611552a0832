"""Yields to other greenlets during long work on the event loop.

Code that may run for long calls :func:`let_others_run_if_due` between two steps. All such code of a
thread shares one slice of time in each round of the event loop: four tasks that report progress
without a pause occupy the loop no longer than one. Greenlets that wait for the next slice form one
queue, first come, first served.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent._hub_local import get_hub_if_exists
from gevent.hub import Hub, Waiter

__all__ = ["SLICE_SECONDS", "YIELD_EVERY", "let_others_run", "let_others_run_if_due"]

SLICE_SECONDS = 0.003
"""The time in each round of the event loop after which long work yields, seconds.

A request takes several rounds of the loop. With 3 ms for each round, a request is answered in about
20 ms while four tasks report progress without a pause.
"""

YIELD_EVERY = 64
"""The streams that are written to between two checks of the clock: about 0.6 ms of work."""


def let_others_run_if_due() -> None:
    """Yield if this round of the event loop has already lasted for a slice of time.

    If no yield is due, the call costs a reading of the clock (0.3 µs). May switch greenlets. Does
    nothing in the hub, nor in a thread without an event loop.
    """
    hub = get_hub_if_exists()
    if hub is not None and _turns_of(hub).due:
        let_others_run()


def let_others_run() -> None:
    """Yield for one round of the event loop: ready greenlets run, and sockets are polled.

    If many greenlets wait here, each round resumes as many of them, in order, as fit into one slice
    of time, and at least one. Does nothing in the hub.

    ``gevent.sleep(0)`` alone only runs greenlets that are ready; gevent polls sockets after fifty
    such turns. While four greenlets broadcast to 5,000 streams, an arriving byte waited 107 to
    360 ms (99th percentile) with ``sleep(0)`` alone, and 2 to 5 ms with a timer, which fires after
    a full round of the loop. A turn costs 3.4 µs.
    """
    hub = gevent.get_hub()
    if gevent.getcurrent() is hub:
        return
    # The timer alone is not enough: after 5 ms gevent leaves the rest of its list of ready
    # greenlets for the next round, and a due timer does not wait for that rest.
    gevent.sleep(0)
    _turns_of(hub).wait()


class _Turns:
    """The queue of greenlets that have yielded on one event loop.

    Args:
        hub: the hub of the loop.
    """

    def __init__(self, hub: Hub) -> None:
        self._waiting: deque[Waiter[None]] = deque()
        loop: Any = hub.loop
        self._soon = loop.timer(0)
        self._round_began = time.perf_counter()
        # Called in each round after the loop has polled the sockets, before any greenlet runs.
        # ref=False: this watcher alone must not keep the loop and the process alive.
        self._looked = loop.check(ref=False, priority=loop.MAXPRI)
        self._looked.start(self._begin_round)

    @property
    def due(self) -> bool:
        """True if the current round has lasted for a slice of time."""
        return time.perf_counter() - self._round_began >= SLICE_SECONDS

    def wait(self) -> None:
        """Wait for a slice in a later round."""
        waiter: Waiter[None] = Waiter()
        self._waiting.append(waiter)
        if not self._soon.active:
            self._soon.start(self._resume)
        try:
            waiter.get()
        except BaseException:  # killed, or timed out: leave the queue
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def _begin_round(self) -> None:
        self._round_began = time.perf_counter()

    def _resume(self) -> None:
        # Greenlets that join the queue meanwhile wait for a later round.
        for resumed in range(len(self._waiting)):
            if not self._waiting or (resumed and self.due):
                break
            self._waiting.popleft().switch(None)
        if self._waiting:
            self._soon.start(self._resume)


_turns_of_hubs: WeakKeyDictionary[Hub, _Turns] = WeakKeyDictionary()


def _turns_of(hub: Hub) -> _Turns:
    turns = _turns_of_hubs.get(hub)
    if turns is None:
        turns = _turns_of_hubs[hub] = _Turns(hub)
    return turns
