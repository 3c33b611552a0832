"""The queue of a task's progress between the task and the greenlet that sends its events.

A task does not send its own events. If a greenlet were killed in the middle of a broadcast, only
some streams would get the event, and a native thread would have to wait for the event loop at every
update. So a task puts its progress into a mailbox. One greenlet of the hub's thread, which is never
killed, takes the progress out.

The mailbox is bounded and keeps the order. If it is full, the task waits (backpressure). No update
is dropped, and no two updates are merged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from gevent.event import Event as Signal
from gevent.hub import get_hub
from gevent.monkey import get_original

from app.schemas.task_schema import TaskProgress
from app.tasks.base import TaskCancelled
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["CAPACITY", "GreenletMailbox", "NativeMailbox", "ProgressMailbox"]

CAPACITY = 256
"""The largest number of updates that wait to be sent. A task then waits in ``send_progress``."""

_get_native_ident = get_original("_thread", "get_ident")
_allocate_native_lock = get_original("_thread", "allocate_lock")

_RECHECK_SECONDS = 0.1
"""The interval at which a waiting native thread looks for room without a wake-up."""


class ProgressMailbox(ABC):
    """The base class of both kinds of mailbox: the queue, and the reader's side.

    Create, read and close a mailbox in the hub's thread.

    Args:
        capacity: the largest number of updates in the mailbox.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._items: deque[TaskProgress] = deque()
        self._capacity = capacity
        self._closed = False
        # Set when an update was put or the mailbox was closed, until the next wait().
        self._filled = Signal()
        self._hub_thread = _get_native_ident()

    @property
    def closed(self) -> bool:
        """True if :meth:`put` raises, because the task is over or must stop."""
        return self._closed

    @abstractmethod
    def put(self, progress: TaskProgress) -> None:
        """Add an update; wait while the mailbox is full.

        Raises:
            TaskCancelled: the mailbox is closed.
            RuntimeError: called from the wrong kind of thread.
        """

    def take(self) -> TaskProgress | None:
        """Remove and return the oldest update; return None if the mailbox is empty."""
        try:
            progress = self._items.popleft()
        except IndexError:
            return None
        self._make_room()
        return progress

    def wait(self) -> None:
        """Wait until an update was put or the mailbox was closed since the last wait."""
        self._filled.wait()
        self._filled.clear()

    def close(self, *, discard: bool) -> None:
        """Refuse all further updates.

        Args:
            discard: whether to discard the updates that were not taken yet.
        """
        self._closed = True
        if discard:
            self._items.clear()
        self._make_room()
        self._filled.set()

    @abstractmethod
    def _make_room(self) -> None:
        """Wake a task that waits because the mailbox was full."""

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise TaskCancelled("the task is over or must stop")


class GreenletMailbox(ProgressMailbox):
    """A mailbox for a task that runs as a greenlet of the hub's thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__(capacity)
        self._room = Signal()

    def put(self, progress: TaskProgress) -> None:
        """Add an update; wait cooperatively while the mailbox is full."""
        if _get_native_ident() != self._hub_thread:
            raise RuntimeError(
                "send_progress was called from a native thread; declare the task cpu_bound = True"
            )
        self._refuse_if_closed()
        while len(self._items) >= self._capacity:
            self._room.clear()
            self._room.wait()
            self._refuse_if_closed()
        self._items.append(progress)
        self._filled.set()
        let_others_run_if_due()

    def _make_room(self) -> None:
        self._room.set()


class NativeMailbox(ProgressMailbox):
    """A mailbox for a task that runs on a native thread.

    Both threads share only a deque, a flag, a raw lock and libev's async watcher. Its ``send`` is
    the only call that libev allows from another thread. Call :meth:`release` in the hub's thread
    after the native thread has ended, and not before.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__(capacity)
        # Held while the mailbox may be full. Only the hub's thread releases this lock.
        self._no_room = _allocate_native_lock()
        # ref=False, because the watcher alone must not keep the loop and the process alive.
        self._watcher = get_hub().loop.async_(ref=False)
        self._watcher.start(self._filled.set)

    def put(self, progress: TaskProgress) -> None:
        """Add an update; block the native thread while the mailbox is full."""
        if _get_native_ident() == self._hub_thread:
            raise RuntimeError(
                "send_progress of a cpu_bound task was called from the hub's thread;"
                " call it from the thread that runs execute"
            )
        self._refuse_if_closed()
        while len(self._items) >= self._capacity:
            # The time limit is needed if another thread of the same task took the wake-up.
            self._no_room.acquire(timeout=_RECHECK_SECONDS)
            self._refuse_if_closed()
        self._items.append(progress)
        self._watcher.send()

    def release(self) -> None:
        """Close the mailbox and its watcher."""
        self._closed = True
        self._watcher.stop()
        self._watcher.close()

    def _make_room(self) -> None:
        if self._no_room.locked():
            self._no_room.release()
