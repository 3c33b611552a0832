"""Limits the log lines of one kind in a second, and reports the number of lines left out.

Clients can make the server log as often as they like. A flood of bad requests, refused streams or
failing hooks must not become a flood of log lines. The limit applies before a line is formatted,
and costs one look-up in a dictionary.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakSet

from gateway_shim.log_lines.safe_text import class_name

__all__ = ["LINES_PER_SECOND", "LineKind", "LineLimit", "report_left_out"]

LINES_PER_SECOND = 20
"""The default limit: lines of one kind in a second."""

_FLOOD_DIVISOR = 10
"""The divisor of the limit while the lines of a kind stay above the limit, because more lines of a
long flood give no more information."""

_TRACEBACK_DIVISOR = 5
"""The divisor of the limit for lines with a traceback, because one traceback fills a screen."""

_WINDOW_SECONDS = 1.0

_QUIET_SECONDS = 2.0
"""The time without a line after which a kind is forgotten and its left-out lines are reported."""

_MESSAGES_PER_PLACE = 8
"""The largest number of kinds in one place of the code. Code that formats its values into the
message makes a different message each time; its further messages count as one kind."""

_MAX_KINDS = 1000

_SHOWN_CHARACTERS = 200
"""The number of characters of a message that a report shows."""

_NOT_LIMITED = frozenset({"gunicorn.access"})
"""The loggers without a limit, because each of their lines is needed."""

_Place = tuple[str, int, str, int]
"""The place of a log call: logger, level, file and line number."""


class LineKind(NamedTuple):
    """The kind of a line: lines of one kind are counted together.

    Args:
        place: the place of the log call.
        message: the hash of the message; None for the further messages of a place.
    """

    place: _Place
    message: int | None


_THE_REST: _Place = ("root", logging.WARNING, "", 0)
"""The place that counts all further lines when the table of kinds is full."""


class _Report(logging.LogRecord):
    """A line that reports how many lines were left out. The limit does not apply to it."""


class _Kind:
    """The lines of one kind.

    Args:
        place: the place of the log call.
        message: the message of the first line, not formatted.
        now: the time of the first line, monotonic seconds.
        divisor: the divisor of the limit for this kind.
    """

    __slots__ = ("allowed", "began", "divisor", "last", "left_out", "message", "place", "seen")

    def __init__(self, place: _Place, message: str, now: float, divisor: int) -> None:
        self.place = place
        self.message = message
        self.divisor = divisor
        self.began = now  # the time at which the current second began
        self.last = now  # the time of the last line, written or not
        self.allowed = 0  # lines that may be written in the current second
        self.seen = 0  # lines in the current second, written or not
        self.left_out = 0  # lines that were left out since the last written one


class LineLimit(logging.Filter):
    """A filter for log handlers that limits the lines of one kind in a second.

    Lines are of one kind if they have the same message, level and logger, and come from the same
    place in the code. Some lines are left out; the next line that is written has their number in
    the field ``left_out``. Call :func:`report_left_out` about once a second, so that the end of
    a flood is reported as well.

    Handlers may share one filter. A record counts once.

    The dictionary form of a log configuration names the class under ``()``::

        {"filters": {"limit": {
            "()": "gateway_shim.log_lines.line_limit.LineLimit", "lines_per_second": 20}}}

    There is no lock. If native threads log lines of one kind at the same moment, a number can be
    too low by one.

    Args:
        lines_per_second: the limit of lines of one kind in a second.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        lines_per_second: int = LINES_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.lines_per_second = lines_per_second
        self._clock = clock
        # The last record (its id and its time) and the verdict, for the next handler.
        self._last: tuple[tuple[int, float], bool] = (0, 0.0), True
        self._forget()
        if not _limits:
            atexit.unregister(_report_everything)
            atexit.register(_report_everything)
        _limits.add(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if a record must be written. Never raises an error."""
        try:
            return isinstance(record, _Report) or self._filter(record)
        except (TypeError, AttributeError):  # an incomplete record, made by other code
            return True

    def leaves_out(self, kind: LineKind) -> bool:
        """Count a line and leave it out, if that is certain before its record is made.

        Args:
            kind: what the line's record would be counted as.

        Returns:
            False if the record must be made and filtered. Then nothing was counted.
        """
        now = self._clock()
        if now - self._reported >= _WINDOW_SECONDS or self._pid != os.getpid():
            return False
        found = self._kinds.get(kind)
        if found is None or found.seen < found.allowed or now - found.began >= _WINDOW_SECONDS:
            return False
        found.seen += 1
        found.last = now
        found.left_out += 1
        return True

    def report(self, *, everything: bool = False) -> None:
        """Log the number of lines that were left out of each flood that has ended.

        Args:
            everything: True reports the floods that may continue, too, because the process ends.
        """
        if self._pid != os.getpid():
            self._forget()
        self._reported = now = self._clock()
        ended = [
            (key, kind)
            for key, kind in list(self._kinds.items())
            if everything or now - kind.last >= _QUIET_SECONDS
        ]
        for key, kind in ended:
            if self._kinds.pop(key, None) is not None:
                self._messages[kind.place] -= 1
                if self._messages[kind.place] <= 0:
                    del self._messages[kind.place]
        # Logged last, because a handler may let other greenlets run.
        for _, kind in ended:
            if kind.left_out:
                _log_report(kind)

    # ------------------------------------------------------------------ private

    def _filter(self, record: logging.LogRecord) -> bool:
        if record.name in _NOT_LIMITED:
            return True
        if self._pid != os.getpid():
            self._forget()  # after a fork: the parent reports its own lines
        last, verdict = self._last
        if last == (id(record), record.created):  # another handler has asked before
            return verdict
        now = self._clock()
        if now - self._reported >= _WINDOW_SECONDS:
            self.report()
        verdict = self._count(record, now)
        self._last = (id(record), record.created), verdict
        return verdict

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._kinds: dict[LineKind, _Kind] = {}
        self._messages: Counter[_Place] = Counter()  # the number of kinds of each place
        self._reported = self._clock()  # the time of the last report

    def _count(self, record: logging.LogRecord, now: float) -> bool:
        kind = self._kind(record, now)
        if kind.allowed == 0 or now - kind.began >= _WINDOW_SECONDS:
            limit = max(1, self.lines_per_second // kind.divisor)
            flood = kind.seen > limit and now - kind.began < 2 * _WINDOW_SECONDS
            kind.allowed = max(1, limit // _FLOOD_DIVISOR) if flood else limit
            kind.began, kind.seen = now, 0
        kind.seen += 1
        kind.last = now
        if kind.seen > kind.allowed:
            kind.left_out += 1
            return False
        if kind.left_out:
            record.left_out = kind.left_out
            kind.left_out = 0
        return True

    def _kind(self, record: logging.LogRecord, now: float) -> _Kind:
        place = (record.name, record.levelno, record.pathname, record.lineno)
        message = record.msg if type(record.msg) is str else class_name(record.msg)
        key = LineKind(place, hash(message))
        kind = self._kinds.get(key)
        if kind is not None:
            return kind
        if self._messages[place] >= _MESSAGES_PER_PLACE:
            key = LineKind(place, None)
        elif len(self._kinds) >= _MAX_KINDS:
            place, key = _THE_REST, LineKind(_THE_REST, None)
        kind = self._kinds.get(key)
        if kind is None:
            divisor = _TRACEBACK_DIVISOR if record.exc_info or record.stack_info else 1
            kind = self._kinds[key] = _Kind(place, message[:_SHOWN_CHARACTERS], now, divisor)
            self._messages[place] += 1
        return kind


_limits: WeakSet[LineLimit] = WeakSet()


def report_left_out() -> None:
    """Log the number of lines that all limits have left out of floods that have ended."""
    for limit in list(_limits):
        limit.report()


def _report_everything() -> None:
    for limit in list(_limits):
        limit.report(everything=True)


def _log_report(kind: _Kind) -> None:
    name, level, path, line = kind.place
    report = _Report(name, level, path, line, "log lines like this were left out", (), None)
    report.message_left_out = kind.message
    report.left_out = kind.left_out
    logging.getLogger(name).handle(report)
