"""The count of the events that a stream brings after a reconnect, before it is live again. Pure.

No field of an event tells whether the event is replayed or live. The replay has three properties
that the client can see:

- every event of it has an ID of its own;
- the server sends what belongs to this stream alone, such as ``version``, after the replay, and
  without an ID;
- no pause is in it, because the server has all of it already.

So the replay has ended when an event without an ID arrives, or when anything arrives after a pause.
Live events that follow the replay without a pause and without ``version`` are counted, too.
"""

from __future__ import annotations

from app.watch.decoder import ServerEvent

__all__ = ["PAUSE_SECONDS", "CatchUp", "missed_events"]

PAUSE_SECONDS = 1.0
"""The pause that ends a replay."""

_REASONS = {
    "lagging": "this client reads more slowly than the server sends",
    "too_old": "the server no longer keeps them",
    "unknown": "the server does not know the last event ID; its log has begun anew, or another"
    " server answers",
}


def missed_events(reason: str) -> str:
    """Return the message for the event ``resync``.

    Args:
        reason: the reason that the event gives; unknown ones are shown as they are.
    """
    return f"events were missed: {_REASONS.get(reason, reason)}"


class CatchUp:
    """The catching up of one client, over all of its streams.

    Call :meth:`begin` when a stream is opened with a last event ID. Call :meth:`take_piece` for
    every piece of data, and then :meth:`take_event` for each event of the piece. Both return the
    number of replayed events once, when the replay has ended, and otherwise 0.
    """

    def __init__(self) -> None:
        self._count: int | None = None  # None: the stream is live
        self._last = 0.0

    def begin(self, at: float) -> None:
        """Note that a stream has been opened that resumes the one before it.

        If the last stream ended during its replay, its count goes on.

        Args:
            at: the time, monotonic seconds.
        """
        self._count = self._count or 0
        self._last = at

    def take_piece(self, at: float) -> int:
        """Note the arrival of data, which may be a heartbeat.

        Args:
            at: the time, monotonic seconds.
        """
        is_over, self._last = at - self._last >= PAUSE_SECONDS, at
        return self._end() if is_over else 0

    def take_event(self, event: ServerEvent) -> int:
        """Note an event."""
        if not event.has_id or event.name == "resync":
            return self._end()
        if self._count is not None:
            self._count += 1
        return 0

    def _end(self) -> int:
        count, self._count = self._count, None
        return count or 0
