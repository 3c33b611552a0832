"""Writes the notes of this process into the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.hub import get_hub
from gevent.lock import RLock

from gateway_shim.errors import LogUnavailable
from gateway_shim.streams.peers.note import Note, Role
from gateway_shim.streams.peers.stats import PeerStats

__all__ = ["MAX_NOTE_BYTES", "MAX_TOGETHER", "Writing"]

logger = logging.getLogger(__name__)

MAX_NOTE_BYTES = 64 * 1024
"""The size of the largest note or question. A larger one is refused: it would push events out."""

SOON_SECONDS = 0.005
"""The longest wait of a small note for others. Alone, it costs as much as half a connect: the
append, and in each process a wake-up and the reading."""

MAX_TOGETHER = 100
"""The largest number of small notes that are written as one."""


class Writing:
    """The notes of this process on their way into the log.

    Thousands of browsers may connect within a second. A note for each of them would cost every
    process more than the connect itself costs, and would push events out of the log. So small notes
    wait for each other, and are written as one; all other notes come after those before them.

    While the log is away, each append waits for it. If an append fails, the notes that have
    waited for it fail, too. Otherwise their waits would add up, and so would those
    of the browsers that connect meanwhile.

    Args:
        stats: counts the notes.
        name: returns the name of this process, for small notes.
    """

    def __init__(self, stats: PeerStats, name: Callable[[], str]) -> None:
        self._stats = stats
        self._name = name
        self._append: Callable[[bytes], object] = _refuse
        # Only one greenlet appends, because an append may wait, and a later one must not overtake.
        self._lock = RLock()
        self._small: list[tuple[str, Any, Callable[[], object]]] = []
        # Begins to write the small notes, unless a greenlet is about to do it.
        self._timer: Any = None
        self._is_flushing = False
        # The number of appends, and the last one of them that the log did not take; why not.
        self._appends = self._failed = 0
        self._problem = ""

    def begin(self, append: Callable[[bytes], object]) -> None:
        """Begin to write.

        Args:
            append: appends a note; raises LogUnavailable, and logs why.
        """
        self._append = append

    def end(self) -> None:
        """Drop what waits, and refuse all later notes."""
        self._append = _refuse
        self._small = []
        self._stop_timer()

    def add(self, kind: str, data: Any, failed: Callable[[], object]) -> None:
        """Write a small note within some milliseconds. Does not wait.

        Args:
            kind: the kind of the note.
            data: JSON data.
            failed: called if the note could not be written.
        """
        self._small.append((kind, data, failed))
        if self._timer is None and not self._is_flushing:
            self._timer = get_hub().loop.timer(SOON_SECONDS)
            self._timer.start(self._begin)

    def write(self, note: Note) -> bool:
        """Write a note. May switch greenlets.

        Returns:
            False if it could not be written, which is logged.
        """
        before = self._appends
        with self._lock:
            self._write_small(before)
            return self._write(note, before)

    # ------------------------------------------------------------------ private

    def _begin(self) -> None:
        # Called in the hub, which must not wait for the log.
        self._stop_timer()
        self._is_flushing = True
        gevent.spawn(self._flush)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def _flush(self) -> None:
        before = self._appends
        try:
            with self._lock:
                self._write_small(before)
        finally:
            self._is_flushing = False

    def _write_small(self, before: int) -> None:
        while self._small:
            items, self._small = self._small[:MAX_TOGETHER], self._small[MAX_TOGETHER:]
            if len(items) == 1:
                note = Note(self._name(), Role.TOLD, *items[0][:2])
            else:
                pairs = [item[:2] for item in items]
                note = Note(self._name(), Role.TOLD_TOGETHER, "", pairs)
            if not self._write(note, before):
                for *_, failed in items:
                    failed()

    def _write(self, note: Note, before: int) -> bool:
        """Write a note, unless the log did not take one for which this note has waited.

        Args:
            note: the note.
            before: the number of appends when the note began to wait.
        """
        try:
            data = note.encode()
            if len(data) > MAX_NOTE_BYTES:
                raise ValueError(f"{len(data)} bytes are more than {MAX_NOTE_BYTES}")
            if self._failed > before:
                raise LogUnavailable(self._problem)
            self._append_to_log(data)
        except (LogUnavailable, TypeError, ValueError, RecursionError) as exc:
            self._stats.failed += 1
            logger.error(
                "other processes were not told",
                extra={"kind": note.kind, "reason": str(exc)},
            )
            return False
        self._stats.told += 1
        return True

    def _append_to_log(self, data: bytes) -> None:
        self._appends += 1
        try:
            self._append(data)
        except LogUnavailable as exc:
            self._failed, self._problem = self._appends, str(exc)
            raise


def _refuse(_: bytes) -> None:
    raise LogUnavailable("the gateway has stopped")
