"""Limits how many lines of one kind the log takes in a second, and says how many were left out.

A client decides how often the server has something to log. So a flood of bad requests, of refused
streams or of failing hooks must not become a flood of lines. The limit works before a line is
formatted, and costs a look into a dictionary.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from weakref import WeakSet

from gateway_shim.log_lines.safe_text import class_name

__all__ = ["LINES_PER_SECOND", "LineLimit", "report_left_out"]

LINES_PER_SECOND = 20
"""Lines of one kind in a second, where nothing else is set."""

_FLOOD_DIVISOR = 10
"""While a kind goes on above the limit, this fraction of the limit is written: a flood that lasts
an hour says no more than one that lasts a minute."""

_TRACEBACK_DIVISOR = 5
"""Of lines with a traceback, this fraction of the limit is written: one fills a screen."""

_WINDOW_SECONDS = 1.0

_QUIET_SECONDS = 2.0
"""A kind without a line for this long is forgotten, and what was left out of it is reported."""

_MESSAGES_PER_PLACE = 8
"""Messages that count as kinds of their own in one place of the code. Code that formats its values
into the message has no more kinds than that, whatever the values are."""

_MAX_KINDS = 1000

_SHOWN_CHARACTERS = 200
"""Characters that a report shows of a message."""

_NOT_LIMITED = frozenset({"gunicorn.access"})
"""Loggers whose lines are wanted one by one."""

_Place = tuple[str, int, str, int]
"""Logger, level, file and line number."""

_THE_REST: _Place = ("root", logging.WARNING, "", 0)
"""The place of all lines for which the table has no room."""


class _Report(logging.LogRecord):
    """A line that says how many lines were left out; no limit holds for it."""


class _Kind:
    """The lines of one kind.

    Args:
        place: where they come from.
        message: the message of the first one, not formatted.
        now: monotonic seconds.
        divisor: of the limit.
    """

    __slots__ = ("allowed", "began", "divisor", "last", "left_out", "message", "place", "seen")

    def __init__(self, place: _Place, message: str, now: float, divisor: int) -> None:
        self.place = place
        self.message = message
        self.divisor = divisor
        self.began = self.last = now
        self.allowed = 0
        self.seen = 0
        self.left_out = 0


class LineLimit(logging.Filter):
    """A filter for log handlers: so many lines of one kind in a second.

    A kind is a message of one level of one logger from one place of the code. The first line that
    is written after others were left out has their number as the field ``left_out``. Call
    :func:`report_left_out` about once a second, so that the end of a flood is reported as well.

    Handlers may share one object: a record counts once.

    The dictionary form of a log configuration names the class under ``()``::

        {"filters": {"limit": {
            "()": "gateway_shim.log_lines.line_limit.LineLimit", "lines_per_second": 20}}}

    There is no lock. If native threads log the same line in the same moment, a number can be too
    low by one.

    Args:
        lines_per_second: lines of one kind in a second.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        lines_per_second: int = LINES_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.lines_per_second = lines_per_second
        self._clock = clock
        self._last: tuple[tuple[int, float], bool] = (0, 0.0), True
        self._forget()
        if not _limits:
            atexit.unregister(_report_everything)
            atexit.register(_report_everything)
        _limits.add(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written. Never raises."""
        try:
            return isinstance(record, _Report) or self._filter(record)
        except (TypeError, AttributeError):  # a record that somebody has made up
            return True

    def _filter(self, record: logging.LogRecord) -> bool:
        if record.name in _NOT_LIMITED:
            return True
        if self._pid != os.getpid():
            self._forget()  # after a fork: the other process reports what it has left out
        last, verdict = self._last
        if last == (id(record), record.created):  # from another handler
            return verdict
        now = self._clock()
        if now - self._reported >= _WINDOW_SECONDS:
            self.report()
        verdict = self._count(record, now)
        self._last = (id(record), record.created), verdict
        return verdict

    def report(self, *, everything: bool = False) -> None:
        """Log how many lines were left out of the floods that have ended.

        Args:
            everything: also of those that may go on, because the process ends.
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
        # Logged at the end: a handler may let other greenlets run.
        for _, kind in ended:
            if kind.left_out:
                _log_report(kind)

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._kinds: dict[tuple[_Place, int | None], _Kind] = {}
        self._messages: Counter[_Place] = Counter()
        self._reported = self._clock()

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
        key: tuple[_Place, int | None] = place, hash(message)
        kind = self._kinds.get(key)
        if kind is not None:
            return kind
        if self._messages[place] >= _MESSAGES_PER_PLACE:
            key = place, None
        elif len(self._kinds) >= _MAX_KINDS:
            place, key = _THE_REST, (_THE_REST, None)
        kind = self._kinds.get(key)
        if kind is None:
            divisor = _TRACEBACK_DIVISOR if record.exc_info or record.stack_info else 1
            kind = self._kinds[key] = _Kind(place, message[:_SHOWN_CHARACTERS], now, divisor)
            self._messages[place] += 1
        return kind


_limits: WeakSet[LineLimit] = WeakSet()


def report_left_out() -> None:
    """Log how many lines every limit has left out of floods that have ended."""
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
