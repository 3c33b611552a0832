"""Balances the connections of several workers, which accept from the same sockets.

The kernel wakes all workers for a new connection, and the first one takes it. Without balancing,
the shares of two to four workers are far apart, and after a crash the new worker, which has no
streams, gets no more than the old ones. Therefore a worker with more connections than the least
loaded one pauses before it accepts. It counts what costs it work: streams, and all other
connections.

The least loaded worker never pauses, so there is always one that accepts. A worker that cannot
accept must not hold the others back:

- A worker that has ended, drains or does not serve yet is not counted.
- A worker that does not even look for a connection that waits for 0.5 s is not counted until it
  looks again: it is stopped, stuck or full. So it slows the others down for 0.5 s, once.
- A worker that is killed was not looking either, until the arbiter has cleared its row.
- Whatever the others do, a worker accepts some connections after 50 ms of pauses in which a
  connection waited.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway_shim.server.process.worker_table import Rival, Seat

__all__ = ["AcceptBalance"]

_SLACK = 8
"""The number of connections by which a worker may exceed the least loaded one without a pause."""

_SLACK_DIVISOR = 64
"""The divisor of the least load for further slack, so that large counts need fewer pauses."""

_PER_SECOND = 10_000
"""The connections that a worker accepts in a second, roughly: a pause is as long as the least
loaded worker needs to catch up."""

_SHORTEST, _LONGEST = 0.001, 0.02  # seconds

_PATIENCE = 0.05
"""The time of pauses, one after the other, after which a worker accepts nevertheless, seconds."""

_SILENCE = 0.5
"""The time for which a connection may wait for a worker that does not look for it, seconds."""

_ANY = 1_000_000
"""The room of a worker that is alone."""


class AcceptBalance:
    """Decides how many connections a worker may accept now, compared with the other workers.

    All methods are for the hub's thread, and none blocks.

    Args:
        seat: the worker's row.
        connections: returns how many connections of this worker are not streams.
    """

    def __init__(self, seat: Seat, connections: Callable[[], int]) -> None:
        self._seat = seat
        self._connections = connections
        # The workers for which this one paused last, by age and last look.
        self._awaited: set[tuple[int, int]] = set()
        # The workers that did not look while a connection waited: by age and last look, how long.
        self._quiet: dict[tuple[int, int], float] = {}
        # The length of the last pause; the time of all pauses in which a connection waited.
        self._paused = self._waited = 0.0
        # The connections that are accepted nevertheless.
        self._granted = 0

    def room(self) -> int:
        """Return how many connections may be accepted now. If none, wait for :meth:`pause`."""
        self.publish()
        self._seat.look()
        rivals = self._rivals()
        if not rivals:
            return _ANY
        granted, self._granted = self._granted, 0
        room = max(_allowed(rivals) - self._seat.load, granted)
        if room:
            self._waited = 0.0
        return room

    def pause(self) -> float:
        """Begin a pause, and return its length, seconds. Call :meth:`resume` at its end."""
        own, rivals = self._seat.load, self._rivals()
        self._awaited = {rival.look for rival in rivals if rival.load < own}
        excess = own - _allowed(rivals) if rivals else 0
        self._paused = min(max(excess / _PER_SECOND, _SHORTEST), _LONGEST)
        return self._paused

    def resume(self, *, waiting: bool) -> None:
        """End a pause.

        Args:
            waiting: True if a connection still waits. Without one, the workers for which this one
                has paused had nothing to look for.
        """
        if not waiting:
            self._waited = 0.0
            return
        self._quiet = {
            look: self._quiet.get(look, 0.0) + self._paused * (look in self._awaited)
            for look, _ in self._seat.accepting()
            if look in self._awaited or look in self._quiet
        }
        self._waited += self._paused
        if self._waited >= _PATIENCE:
            self._waited, self._granted = 0.0, _SLACK

    def publish(self) -> None:
        """Tell the other workers how many connections this one has. Call it each second, too."""
        self._seat.count_connections(self._connections())

    # ------------------------------------------------------------------ private

    def _rivals(self) -> list[Rival]:
        """Return the workers that count: they accept, and look when a connection waits."""
        rivals = self._seat.accepting()
        if self._quiet:
            rivals = [each for each in rivals if self._quiet.get(each.look, 0.0) < _SILENCE]
        return rivals


def _allowed(rivals: list[Rival]) -> int:
    """Return the load up to which a worker accepts beside others."""
    least = min(rival.load for rival in rivals)
    return least + _SLACK + least // _SLACK_DIVISOR
