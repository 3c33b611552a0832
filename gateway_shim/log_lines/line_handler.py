"""Writes log lines to a stream.

If the stream is full or closed, lines are lost and nothing else happens.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

from gateway_shim.log_lines.safe_text import describe

__all__ = ["LineHandler"]


class LineHandler(logging.StreamHandler[TextIO]):
    """A stream handler from which nothing is raised into the code that logs.

    logging's own handler answers a failure with a traceback on standard error. If that is the
    stream that fails, the attempt itself can raise out of the log call.

    Args:
        stream: where to; standard error if not given.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record's line; characters that the stream cannot encode become escapes."""
        try:
            line = self.format(record) + self.terminator
            try:
                self.stream.write(line)
            except UnicodeEncodeError:
                encoding = self.stream.encoding or "ascii"
                self.stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
            self.stream.flush()
        except Exception:  # noqa: BLE001 - logging's own rule: a handler reports, never raises
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Report a lost line on standard error, unless standard error is the stream that failed."""
        if self.stream is sys.stderr or sys.stderr is None:
            return
        problem = describe(sys.exc_info()[1] or ValueError("unknown"))
        with contextlib.suppress(Exception):
            sys.stderr.write(f"sse-monolith: a log line could not be written: {problem}\n")
            sys.stderr.flush()
