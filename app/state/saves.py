"""The saves of one process: they are written at once if possible, or else they wait in a line."""

from __future__ import annotations

import itertools
import logging
import sqlite3
from collections.abc import Callable, Hashable, Iterable

import gevent

from app.state.database import StateBusy, StateError

__all__ = ["BUSY_SECONDS", "Save", "SaveLine"]

logger = logging.getLogger(__name__)

Save = Callable[[sqlite3.Connection], object]

BATCH = 256
"""The largest number of saves in one transaction: about 5 ms."""

LAZY_SECONDS = 1.0
"""The time after which saves are written that are not urgent."""

BUSY_SECONDS = 0.002
"""The pause before the next try while another process is writing. A transaction takes 0.1 ms."""

FAILED_SECONDS = 5.0
"""The pause before the next try while the file cannot be written."""

MOST_WAITING = 20_000
"""The largest number of waiting saves. Beyond that, the oldest is dropped."""


class SaveLine:
    """The saves that are not written yet, in order. Call it in the hub's thread only.

    No call waits, switches greenlets or raises.

    Args:
        write: runs a function in one transaction. It may raise ``StateError``.
        succeeded: called after a transaction.
        failed: called after a transaction that failed, unless another process was writing.
    """

    def __init__(
        self,
        write: Callable[[Save], object],
        succeeded: Callable[[], None],
        failed: Callable[[StateError], None],
    ) -> None:
        self._write = write
        self._succeeded = succeeded
        self._failed = failed
        self._waiting: dict[Hashable, Save] = {}
        self._timer: gevent.Greenlet[..., None] | None = None  # writes them later
        self._is_lazy = False  # the timer runs for saves that are not urgent
        self._is_closed = False

    def __len__(self) -> int:
        """Return the number of saves that wait."""
        return len(self._waiting)

    def add(self, key: Hashable, save: Save, *, soon: bool) -> None:
        """Write something now, or as soon as that is possible.

        Args:
            key: what is saved. A save that still waits under this key is replaced.
            save: writes it. Called in a transaction, perhaps later and more than once.
            soon: False if it is enough to write it within :data:`LAZY_SECONDS`.
        """
        if self._is_closed:
            return
        self._waiting.pop(key, None)
        self._waiting[key] = save
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        if not soon:
            self._try_again(LAZY_SECONDS, is_lazy=True)
        elif self._timer is None or self._is_lazy:
            self.flush()

    def has(self, keys: Iterable[Hashable]) -> bool:
        """Return whether a save waits under one of some keys."""
        return any(key in self._waiting for key in keys)

    def discard(self, *keys: Hashable) -> None:
        """Drop saves that still wait."""
        for key in keys:
            self._waiting.pop(key, None)

    def flush(self) -> None:
        """Write the first of the waiting saves, and come back later for the others."""
        self._cancel_timer()
        batch = list(itertools.islice(self._waiting.items(), BATCH))
        if not batch:
            return
        try:
            self._write(lambda connection: [save(connection) for _, save in batch])
        except StateBusy:
            self._try_again(BUSY_SECONDS)
            return
        except StateError as exc:
            self._try_again(FAILED_SECONDS)
            self._failed(exc)  # may close this line
            return
        except Exception:
            # A mistake of this program. The caller of add() must not notice, and the same saves
            # would fail again.
            logger.exception("some tasks or versions could not be saved")
        else:
            self._succeeded()
        for key, _ in batch:
            del self._waiting[key]
        if self._waiting:
            self._try_again(0.0)

    def close(self) -> None:
        """Drop all saves, and ignore later ones."""
        self._is_closed = True
        self._cancel_timer()
        self._waiting.clear()

    def _try_again(self, seconds: float, *, is_lazy: bool = False) -> None:
        if self._timer is None:
            self._is_lazy = is_lazy
            self._timer = gevent.spawn_later(seconds, self._timer_fires)

    def _timer_fires(self) -> None:
        self._timer = None
        self.flush()

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.kill(block=False)
