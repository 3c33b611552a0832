"""Log records for the tests of the formats."""

from __future__ import annotations

import logging
import sys
from typing import Any

from gateway_shim.log_lines.log_format import JsonFormatter, TextFormatter


def record(message: object = "hello", *args: object, **extra: object) -> logging.LogRecord:
    """Make a log record with a fixed time."""
    made = logging.makeLogRecord(
        {"name": "app.x", "levelname": "INFO", "levelno": 20, "msg": message, "args": args}
    )
    made.created = 1769860800.1239
    vars(made).update(extra)
    return made


def failure(message: str) -> Any:
    """Return the exc_info of an error with this message."""
    try:
        raise ValueError(message)
    except ValueError:
        return sys.exc_info()


FORMATTERS = [TextFormatter(), JsonFormatter()]
