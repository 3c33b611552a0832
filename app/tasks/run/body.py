"""One run of a task: the greenlet or native thread that works, its time limit, its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent

from app.schemas.task_schema import TaskProgress
from app.tasks.base import TaskProgressHandle
from app.tasks.run import outcome as task_outcome
from app.tasks.run.mailbox import GreenletMailbox, NativeMailbox
from app.tasks.run.native import NativeRunner
from app.tasks.run.outcome import Outcome

__all__ = ["TaskBody"]


class TaskBody:
    """Runs one task's work. Made and used in the hub's thread.

    Call :meth:`begin`, then go through :meth:`updates`; :meth:`stop` ends both.

    Args:
        work: the task: takes its progress handle, says how it ended, never raises.
        native: runs it on a native thread; None runs it as a greenlet.
        timeout_seconds: time limit.
        settle: called with how it ended: by the work, by the time limit, perhaps by both. It
            decides which of them counts, and calls :meth:`stop`.
    """

    def __init__(
        self,
        work: Callable[[TaskProgressHandle], Outcome],
        native: NativeRunner | None,
        timeout_seconds: float,
        settle: Callable[[Outcome], object],
    ) -> None:
        self._work = work
        self._native = native
        self._timeout_seconds = timeout_seconds
        self._settle = settle
        self._mailbox = GreenletMailbox() if native is None else NativeMailbox()
        self._greenlets: tuple[gevent.Greenlet[..., None], ...] = ()
        self._stopped = False

    def begin(self) -> None:
        """Set it going. Does not switch: the work begins when the caller next waits."""
        self._greenlets = (
            gevent.spawn(self._run),
            gevent.spawn_later(self._timeout_seconds, self._time_out),
        )

    def updates(self) -> Iterator[TaskProgress]:
        """Its progress, as it comes, until :meth:`stop` was called and all of it was taken."""
        while True:
            self._mailbox.wait()
            while (progress := self._mailbox.take()) is not None:
                yield progress
            # What was put before the stop has been taken: nothing switches between here and there.
            if self._stopped:
                return

    def stop(self, *, discard: bool) -> None:
        """End it, wherever it is. Does not switch.

        A greenlet is killed where it waits. A native thread learns of it at its next call of the
        progress handle, and nobody waits for it.

        Args:
            discard: also forget progress that was not taken yet.
        """
        self._stopped = True
        self._mailbox.close(discard=discard)
        greenlets, self._greenlets = self._greenlets, ()
        for greenlet in greenlets:
            if greenlet is not gevent.getcurrent():  # who is ending anyhow
                greenlet.kill(block=False)

    def _time_out(self) -> None:
        self._settle(task_outcome.timed_out(self._timeout_seconds))

    def _run(self) -> None:
        handle = TaskProgressHandle(self._mailbox)
        try:
            if self._native is not None and isinstance(self._mailbox, NativeMailbox):
                outcome = self._native.run(lambda: self._work(handle), self._mailbox.release)
            else:
                outcome = self._work(handle)
        except BaseException as exc:  # noqa: BLE001
            # Killed while it waited for the thread, or there was no thread to be had. Usually
            # the task was settled before and this counts for nothing; else it is logged there.
            outcome = task_outcome.failed(exc)
        self._settle(outcome)
