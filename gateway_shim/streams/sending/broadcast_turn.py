"""The turn of a broadcast: what is written to many streams is written one after the other."""

from __future__ import annotations

from types import TracebackType

from gevent.lock import BoundedSemaphore

from gateway_shim.event_loop.turns import let_others_run, let_others_run_if_due

__all__ = ["BroadcastTurn"]


class BroadcastTurn:
    """Held by whoever writes to many streams, so that all streams see the same order.

    A context manager. The turn goes to the callers in the order in which they have asked for it.
    """

    def __init__(self) -> None:
        self._turn = BoundedSemaphore()
        # The number of callers that wait for the turn.
        self._waiting = 0

    def __enter__(self) -> None:
        """Wait for the turn, behind the callers that wait already.

        The semaphore goes to the first caller after its release. Without this method, a caller that
        broadcasts without a pause would get the semaphore again before the callers that wait.
        """
        # Let other greenlets run now, not later: all other broadcasts wait for the holder's turn.
        let_others_run_if_due()
        if self._waiting:
            let_others_run()
        self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            self._waiting -= 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the turn to the next caller."""
        self._turn.release()
