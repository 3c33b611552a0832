"""The promise, checked on the bytes of one stream while the gateway writes them.

A stream that begins at a cursor must get every event after it that is addressed to its browser,
once and in order, or one ``resync`` where events that it had to get are gone. A browser comes back
with the last id of what it has received, so the promise holds over its reconnections, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.protocol.event_stream import BodyFraming
from tests.walks.checks.expected import FAREWELL, OWN, Own
from tests.walks.checks.history import History
from tests.walks.checks.retry_check import RetryCheck
from tests.walks.checks.wire import Block, StreamParser, Torn, text_of

__all__ = ["StreamCheck"]


class StreamCheck:
    """Checks one stream.

    Args:
        history: what was appended.
        audiences: the browser's audiences, without EVERYONE.
        framing: the framing of the body.
        asked: the cursor, as the browser sends it; empty: none.
        retry_ms: the ``retry:`` of the first event; None: none is written.
        oldest: returns the epoch, and the oldest position that the stream's server can read.
        report: called with each fault.

    Attributes:
        cursor: the last entry that the stream has told of; None: it has not told of any.
        marks: the bytes of the connection up to each id that was written, and the id.
        seen: the blocks, for a trace.
        has_ended: True once the body has ended.
    """

    def __init__(
        self,
        history: History,
        audiences: Collection[str],
        framing: BodyFraming,
        asked: str,
        retry_ms: int | None,
        oldest: Callable[[], tuple[str, int]],
        report: Callable[[str], None],
    ) -> None:
        self._history = history
        self._audiences = audiences
        self._asked_text = asked
        self._retry = RetryCheck(retry_ms)
        self._oldest = oldest
        self._report = report
        self._parser = StreamParser(framing)
        self._own: deque[Own] = deque()
        # The end that the server has announced: the position that comes before it, and the event.
        self._last: tuple[Cursor, bool] | None = None
        self._has_moved = self._has_farewell = False
        self._last_event: Cursor | None = None
        self._framing = framing
        self._asked = Cursor.parse(asked)
        self._is_unknown = False
        self.cursor: Cursor | None = None
        self.marks: list[tuple[int, str]] = []
        self.seen: list[str] = []
        self.has_ended = False
        self.written = 0

    # ------------------------------------------------------------------ what the walk did

    def registered(self, completed: Cursor) -> None:
        """Note that the stream is registered: from here on it gets what is published.

        Args:
            completed: the newest entry that the server has delivered.
        """
        history, asked = self._history, self._asked
        self._completed = completed
        self._newest = Cursor(history.epoch, history.newest)
        self._is_unknown = bool(self._asked_text) and (
            asked is None or asked.epoch != history.epoch or asked.position > history.newest
        )
        self.cursor = None if self._is_unknown else asked

    def sent(self, data: str, lower: Cursor) -> None:
        """Note an event that was sent to the stream's token.

        Args:
            data: the event's data.
            lower: the newest entry that the server has delivered.
        """
        self._own.append(Own(data, lower, self._upper(lower)))

    def opens(self) -> None:
        """Note that the backend has accepted: what was held back is written after the replay."""
        self._own = deque(own._replace(upper=self._upper(own.lower)) for own in self._own)

    def ends(self, lower: Cursor, farewell: bool) -> None:
        """Note that the server ends the stream, after what it has completed."""
        if self._last is None:
            self._last = lower, farewell

    # ------------------------------------------------------------------ bytes

    def feed(self, data: bytes) -> None:
        """Check the next bytes that the kernel has taken."""
        self.written += len(data)
        try:
            for block in self._parser.feed(data):
                self._check(block)
        except Torn as exc:
            self._report(f"torn: {exc}")

    def shut(self) -> None:
        """Note that the gateway has shut down its half of the connection."""
        if self._framing is BodyFraming.BARE:
            self._check_end()
        elif not self.has_ended:
            self._report("shut down before the end of the body")

    def missing(self) -> list[str]:
        """Return what the stream should have got, if nothing holds it up any more."""
        found: list[str] = []
        if not self._parser.is_between_blocks:
            found.append("the rest of a block")
        if self._last is not None and not self.has_ended:
            found.append("the end of the body")
        if self._last is None:
            found += self._missed_before(Cursor(self._history.epoch, self._history.newest))
        found += [f"own {own.data[:12]}" for own in self._own]
        return found

    def _check(self, block: Block) -> None:
        self.seen.append(text_of(block))
        if block.kind == "end":
            self._check_end()
            return
        if self._has_farewell:
            self._report("a block after the farewell")
        cursor = Cursor.parse(block.id) if block.id else None
        if block.kind == "event":
            # A drain adds a pause of its own, to the farewell.
            excused = bool(self._own) or self._last is not None
            for fault in self._retry.faults(block, excused):
                self._report(fault)
        if block.kind == "event" and block.name == "resync":
            self._check_resync(block, cursor)
        elif block.kind == "event" and cursor is None:
            self._check_own(block)
        elif cursor is not None:
            self._check_moved(block, cursor)
        if cursor is not None:
            self.cursor = cursor
            self.marks.append((block.end, block.id))

    def _check_moved(self, block: Block, cursor: Cursor) -> None:
        """Check an event of the log, or a heartbeat or beginning with an id."""
        if not self._history.has(cursor):
            self._report(f"an id that does not exist: {cursor}")
            return
        is_first, self._has_moved = not self._has_moved, True
        before = self.cursor
        if before is None and self._is_unknown:
            before = self._asked
            if before is None or not self._history.has(before) or before.epoch != cursor.epoch:
                self._report(f"no resync for the cursor {self._asked_text}")
                return
        if before is None:
            self._check_fresh(block, cursor)
            return
        if is_first and (block.kind == "event" or cursor != before):
            self._report(f"a stream from {before} begins with {text_of(block)}")
        if cursor.epoch != before.epoch:
            self._report(f"another epoch without resync: {cursor} after {before}")
            return
        # A heartbeat may repeat the id of an event that was not for everyone.
        is_echo = block.kind == "comment" and (is_first or not self._history.is_for(cursor, ()))
        if cursor.position < before.position or (cursor == before and not is_echo):
            self._report(f"the id does not increase: {cursor} after {before}")
            return
        last = cursor.position - (block.kind == "event")
        missed = self._history.between(before.epoch, before.position, last, self._audiences)
        if missed:
            self._report(f"missed {missed} between {before} and {cursor}")
        if block.kind == "event":
            self._check_event(block, cursor)

    def _check_fresh(self, block: Block, cursor: Cursor) -> None:
        """Check the first id of a stream that has begun without a cursor."""
        if block.kind == "event":
            self._report("a stream without a cursor does not begin with an id")
            self._check_event(block, cursor)
        newest, completed = self._newest, self._completed
        if cursor.epoch != completed.epoch:
            self._report(f"begins at {cursor} without resync; it was registered at {completed}")
        if cursor.epoch == newest.epoch and cursor.position > newest.position:
            missed = self._history.between(
                cursor.epoch, newest.position, cursor.position, self._audiences
            )
            if missed:
                self._report(f"begins after events that were sent meanwhile: {missed}")
        if cursor.epoch == completed.epoch and cursor.position < completed.position:
            self._report(f"begins at {cursor}, before its request")

    def _check_event(self, block: Block, cursor: Cursor) -> None:
        self._last_event = cursor
        if not self._history.is_for(cursor, self._audiences):
            self._report(f"an event that is addressed to others: {cursor}")
        elif block.data != self._history.data(cursor):
            self._report(f"the data of {cursor} is {block.data!r}")

    def _check_resync(self, block: Block, cursor: Cursor | None) -> None:
        reasons = self._reasons()
        if block.data not in {f'{{"reason":"{reason}"}}' for reason in reasons}:
            self._report(f"resync {block.data} after {self.cursor}; expected {reasons or 'none'}")
        if cursor is None or not self._history.has(cursor):
            self._report(f"a resync with the id {cursor}")
            return
        before = self.cursor or self._completed
        if not self._has_moved and before.epoch == self._completed.epoch:
            before = max(before, self._completed)
        is_lost = before.epoch != self._history.epoch  # another resync follows
        if cursor.epoch == before.epoch and cursor.position < before.position and not is_lost:
            self._report(f"a resync that goes back: {cursor} after {before}")
        self._is_unknown = False
        self._has_moved = True

    def _reasons(self) -> set[str]:
        """Return the reasons for a resync now."""
        reasons: set[str] = set()
        if self._is_unknown:
            reasons.add("unknown")
        place = self.cursor or self._completed
        epoch, oldest = self._oldest()
        if place.epoch != self._history.epoch:
            # Another gap of the old epoch may be told first: it was noticed before.
            reasons |= {"unknown", "lagging", "too_old"}
        elif place.epoch == epoch:
            # What was trimmed may have been for others: the gateway cannot know.
            if place.position < oldest - 1:
                reasons |= {"lagging", "too_old"} if not self._has_moved else {"lagging"}
            if not self._has_moved and self._asked is not None and place.position < oldest:
                reasons.add("too_old")
        return reasons

    def _check_own(self, block: Block) -> None:
        if block.name == FAREWELL:
            self._has_farewell = True
            return
        if not self._own or (block.name, block.data) != (OWN, self._own[0].data):
            self._report(f"an event that was not sent, or is out of order: {text_of(block)}")
            return
        own = self._own.popleft()
        if missed := self._missed_before(own.lower):
            self._report(f"own bytes before {missed}")
        last, upper = self._last_event, own.upper
        if last and upper and last.epoch == upper.epoch and last.position > upper.position:
            self._report(f"own bytes after {last}; they were sent at {upper}")

    def _check_end(self) -> None:
        self.has_ended = True
        if self._last is None:
            self._report("a stream that ends without a reason")
            return
        lower, farewell = self._last
        missed = self._missed_before(lower) + [own.data[:12] for own in self._own]
        if missed:
            self._report(f"ends before {missed}")
        if farewell != self._has_farewell:
            self._report("ends without its farewell")

    def _upper(self, completed: Cursor) -> Cursor | None:
        """Return the newest entry, if the server has noticed its epoch."""
        newest = Cursor(self._history.epoch, self._history.newest)
        return newest if completed.epoch == newest.epoch else None

    def _missed_before(self, last: Cursor) -> list[str]:
        """Return the entries up to a place that the stream has not got."""
        place, (epoch, position) = self.cursor, last
        if self._last is not None and epoch != self._history.epoch:
            return []  # they are lost, and the browser is told when it comes back
        if place is None:
            if self._is_unknown:
                # The server may not have noticed the newest epoch yet.
                return ["resync"] if epoch == self._newest.epoch else []
            return ["the first id"] if self._last is None else []
        if place.epoch != epoch:
            return [] if epoch != self._history.epoch else [f"resync to {epoch}"]
        missed = self._history.between(epoch, place.position, position, self._audiences)
        return [f"{epoch}-{position}" for position in missed]
