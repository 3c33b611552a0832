"""Writes log lines to a stream. If the stream is full or closed, only these lines are lost."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

from gateway_shim.log_lines.safe_text import describe

__all__ = ["LineHandler"]


class LineHandler(logging.StreamHandler[TextIO]):
    """A stream handler that never raises an error out of a log call.

    The handler of :mod:`logging` writes a traceback to standard error when it fails. If standard
    error itself is the failing stream, this can raise an error out of the log call.

    Args:
        stream: the stream to write to; standard error if not given.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record. Characters that the stream cannot encode become escapes."""
        try:
            line = self.format(record) + self.terminator
            try:
                self.stream.write(line)
            except UnicodeEncodeError:
                encoding = self.stream.encoding or "ascii"
                self.stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
            self.stream.flush()
        except Exception:  # noqa: BLE001 - a handler reports errors and never raises (logging)
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Report a lost line on standard error, unless standard error is the stream that failed."""
        if self.stream is sys.stderr or sys.stderr is None:
            return
        problem = describe(sys.exc_info()[1] or ValueError("unknown"))
        with contextlib.suppress(Exception):
            sys.stderr.write(f"sse-monolith: a log line could not be written: {problem}\n")
            sys.stderr.flush()
