"""Log lines that are written once per stream, and cost nearly nothing while nobody would see them.

When thousands of browsers come back within a second, :class:`~gateway_shim.log_lines.line_limit.
LineLimit` leaves out nearly all lines about them, and the next line that is written has their
number. But a record that is left out was made before: with the caller's place, the fields, and the
name of the thread, which takes longer than the rest of the line. A :class:`FrequentLine` asks the
limit first, and makes no record that no handler would write.

A record is always made if a handler without the limit would get it, or if a filter of a logger has
to see it. So the handlers of an embedding application, and pytest's ``caplog``, get every line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping

from gateway_shim.log_lines.line_limit import LineKind, LineLimit

__all__ = ["FrequentLine"]


class FrequentLine:
    """A line of a logger that is written very often. Make it once, at the top of a module.

    Args:
        logger: the logger.
        message: the message, without placeholders.
        level: the level.
    """

    def __init__(self, logger: logging.Logger, message: str, level: int = logging.INFO) -> None:
        caller = sys._getframe(1)
        self._logger = logger
        self._message = message
        self._level = level
        self._place = caller.f_code.co_filename, caller.f_lineno
        self._function = caller.f_code.co_name
        self._kind = LineKind((logger.name, level, *self._place), hash(message))

    def write(self, fields: Callable[[], Mapping[str, object]]) -> None:
        """Write the line, unless its level is off or its limit is exceeded.

        Args:
            fields: returns the fields of the line; called only if a record is made.
        """
        logger, level = self._logger, self._level
        if not logger.isEnabledFor(level):
            return
        limit = _only_limit(logger)
        if limit is not None and limit.leaves_out(self._kind):
            return
        path, line = self._place
        message, extra = self._message, dict(fields())
        record = logger.makeRecord(
            logger.name, level, path, line, message, (), None, self._function, extra
        )
        logger.handle(record)


def _only_limit(logger: logging.Logger) -> LineLimit | None:
    """Return the limit that all handlers share which would get a logger's record.

    Returns:
        None if a record must be made: a handler has no limit or another one, or there is a filter
        of a logger, or there is no handler.
    """
    if logger.filters:
        return None
    found = None
    current: logging.Logger | None = logger
    while current is not None:
        for handler in current.handlers:
            # The first filter, because one before it could reject a record before it is counted.
            first = handler.filters[0] if handler.filters else None
            if type(first) is not LineLimit or found not in (None, first):
                return None
            found = first
        current = current.parent if current.propagate else None
    return found
