"""The body of a task: the greenlet or native thread that runs it, and its progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent

from app.schemas.task_schema import TaskProgress
from app.tasks.base import TaskProgressHandle
from app.tasks.run.mailbox import GreenletMailbox, NativeMailbox
from app.tasks.run.native import NativeRunner
from app.tasks.run.outcome import TaskOutcome
from app.tasks.run.time_limit import start_time_limit

__all__ = ["TaskBody"]


class TaskBody:
    """The run of one task's work. Create and use it in the hub's thread.

    Call :meth:`begin`, then iterate over :meth:`updates`. :meth:`stop` ends both.

    Args:
        work: runs the task with a progress handle and returns its outcome; it never raises.
        native: the runner of native threads; None runs the work as a greenlet.
        timeout_seconds: the time limit.
        settle: called with the outcome when the work ends and when the time limit is over, so
            perhaps twice. It decides which outcome counts, and calls :meth:`stop`.
    """

    def __init__(
        self,
        work: Callable[[TaskProgressHandle], TaskOutcome],
        native: NativeRunner | None,
        timeout_seconds: float,
        settle: Callable[[TaskOutcome], object],
    ) -> None:
        self._work = work
        self._native = native
        self._timeout_seconds = timeout_seconds
        self._settle = settle
        self._mailbox = GreenletMailbox() if native is None else NativeMailbox()
        # The greenlets of the work and of the time limit, while stop() has not been called.
        self._greenlets: tuple[gevent.Greenlet[..., None], ...] = ()
        # stop() was called. A closed mailbox does not mean this: a native mailbox also closes when
        # its thread has ended.
        self._stopped = False

    def begin(self) -> None:
        """Start the work and its time limit. The work begins when the caller next waits."""
        self._greenlets = (
            gevent.spawn(self._run),
            start_time_limit(self._timeout_seconds, self._settle),
        )

    def updates(self) -> Iterator[TaskProgress]:
        """Yield each progress update, until :meth:`stop` was called and no update is left."""
        while True:
            self._mailbox.wait()
            while (progress := self._mailbox.take()) is not None:
                yield progress
            # No greenlet switch happened since the mailbox was found empty, so no update that was
            # put before the stop is lost.
            if self._stopped:
                return

    def stop(self, *, discard: bool) -> None:
        """Stop the work, without a greenlet switch.

        A greenlet is killed where it waits. A native thread stops at its next call of the progress
        handle; the service does not wait for it.

        Args:
            discard: whether to discard the updates that were not taken yet.
        """
        self._stopped = True
        self._mailbox.close(discard=discard)
        greenlets, self._greenlets = self._greenlets, ()
        for greenlet in greenlets:
            if greenlet is not gevent.getcurrent():  # the caller ends by itself
                greenlet.kill(block=False)

    def _run(self) -> None:
        handle = TaskProgressHandle(self._mailbox)
        try:
            if self._native is not None and isinstance(self._mailbox, NativeMailbox):
                outcome = self._native.run(lambda: self._work(handle), self._mailbox.release)
            else:
                outcome = self._work(handle)
        except BaseException as exc:  # noqa: BLE001 - also if it was killed
            # This greenlet was killed while it waited for the thread, or no thread could be
            # started. In the first case the task is settled already and this outcome is ignored.
            outcome = TaskOutcome.failed(exc)
        self._settle(outcome)
