"""A task's progress on its way to the greenlet that sends it: bounded, in order, never torn.

Neither kind of task sends its own events. A greenlet that is killed in the middle of a broadcast
would leave it half done, and a native thread would wait for the event loop at every update. So a
task puts its progress here, and one greenlet of the hub's thread, which nobody kills, takes it out.

A full mailbox makes the task wait (back-pressure): nothing is dropped and nothing conflated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from gevent.event import Event
from gevent.hub import get_hub
from gevent.monkey import get_original

from app.schemas.task_schema import TaskProgress
from app.tasks.base import TaskCancelled
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["CAPACITY", "GreenletMailbox", "NativeMailbox", "ProgressMailbox"]

CAPACITY = 256
"""Updates that wait to be sent; a task that is further ahead waits in ``send_progress``."""

_get_native_ident = get_original("_thread", "get_ident")
_allocate_native_lock = get_original("_thread", "allocate_lock")

_RECHECK_SECONDS = 0.1


class ProgressMailbox(ABC):
    """What both kinds share: the queue, and the reader's side.

    Must be made, read and closed in the hub's thread.

    Args:
        capacity: updates that it holds.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._items: deque[TaskProgress] = deque()
        self._capacity = capacity
        self._closed = False
        self._filled = Event()
        self._hub_thread = _get_native_ident()

    @property
    def closed(self) -> bool:
        """Whether :meth:`put` refuses: the task is over, or is to stop."""
        return self._closed

    @abstractmethod
    def put(self, progress: TaskProgress) -> None:
        """Add an update; wait while there is no room.

        Raises:
            TaskCancelled: the mailbox is closed.
            RuntimeError: called from the wrong kind of thread.
        """

    def take(self) -> TaskProgress | None:
        """The oldest update, or None if there is none now."""
        try:
            progress = self._items.popleft()
        except IndexError:
            return None
        self._make_room()
        return progress

    def wait(self) -> None:
        """Wait until something was put or the mailbox was closed since the last wait."""
        self._filled.wait()
        self._filled.clear()

    def close(self, *, discard: bool) -> None:
        """Refuse what comes from now on.

        Args:
            discard: also forget what was not taken yet.
        """
        self._closed = True
        if discard:
            self._items.clear()
        self._make_room()
        self._filled.set()

    @abstractmethod
    def _make_room(self) -> None:
        """Wake a task that waits for room."""

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise TaskCancelled("the task is over or was told to stop")


class GreenletMailbox(ProgressMailbox):
    """Filled by greenlets of the hub's thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__(capacity)
        self._room = Event()

    def put(self, progress: TaskProgress) -> None:
        """Add an update; wait (cooperatively) while there is no room."""
        if _get_native_ident() != self._hub_thread:
            raise RuntimeError(
                "send_progress was called from a native thread: declare the task cpu_bound = True"
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
    """Filled by a native thread.

    The only things both threads touch are a deque, a flag, a raw lock and libev's async watcher,
    whose ``send`` is the one call that libev allows from another thread. Call :meth:`release`
    in the hub's thread once the native thread has ended, and not before.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        super().__init__(capacity)
        # Held while there may be no room; only the hub's thread lets go of it.
        self._no_room = _allocate_native_lock()
        # ref=False: it alone must not keep the loop, and so the process, alive.
        self._watcher = get_hub().loop.async_(ref=False)
        self._watcher.start(self._filled.set)

    def put(self, progress: TaskProgress) -> None:
        """Add an update; block the native thread while there is no room."""
        if _get_native_ident() == self._hub_thread:
            raise RuntimeError(
                "send_progress of a cpu_bound task was called from the hub's thread;"
                " call it from the thread that runs execute"
            )
        self._refuse_if_closed()
        while len(self._items) >= self._capacity:
            # The time limit is for a wake-up that another thread of the same task took.
            self._no_room.acquire(timeout=_RECHECK_SECONDS)
            self._refuse_if_closed()
        self._items.append(progress)
        self._watcher.send()

    def release(self) -> None:
        """Give the watcher back; nothing more is taken."""
        self._closed = True
        self._watcher.stop()
        self._watcher.close()

    def _make_room(self) -> None:
        if self._no_room.locked():
            self._no_room.release()
