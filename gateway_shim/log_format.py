"""How log lines look: text for people, JSON for machines. No secret, no forged line.

Fields given as ``extra={…}`` are shown in both.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any, TextIO

from gateway_shim.redaction import Redactor, escape

__all__ = ["JsonFormatter", "TextFormatter", "install"]

HANDLER_NAME = "sse-monolith"
"""The name of the one handler that :func:`install` manages."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_PLAIN_VALUE = re.compile(r"[^\s\"'=]+")

_INDENT = "    "


class _Formatter(logging.Formatter):
    """What both formats need: a record's parts, masked."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        super().__init__()
        self._redactor = redactor or Redactor()

    def _message(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except Exception as exc:  # noqa: BLE001 - a wrong log call must not lose the line
            message = f"{record.msg!s} (arguments do not fit: {type(exc).__name__})"
        return self._redactor.text(message)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        return {
            name: self._redactor.field(name, value)
            for name, value in vars(record).items()
            if name not in _STANDARD
        }

    def _trace(self, record: logging.LogRecord) -> str:
        """The traceback and the stack, as many lines as they have; empty if there are none."""
        parts = []
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(self.formatException(record.exc_info))
        elif record.exc_text:  # the record came from another process or handler
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(record.stack_info)
        return self._redactor.text("\n".join(parts))


class TextFormatter(_Formatter):
    """``2026-01-31T12:00:00.123Z INFO app.services.x: message  key=value``.

    A traceback follows on lines of its own, each indented: no line of it can pass for a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        line = (
            f"{_timestamp(record)} {record.levelname} {escape(record.name)}:"
            f" {escape(self._message(record))}"
        )
        fields = " ".join(
            f"{escape(name)}={_text_value(value)}" for name, value in self._fields(record).items()
        )
        if fields:
            line += f"  {fields}"
        trace = self._trace(record)
        if trace:
            line += "".join(f"\n{_INDENT}{escape(part)}" for part in trace.split("\n"))
        return line


class JsonFormatter(_Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, then the fields.

    A traceback is the string ``exception``. A field that is named like one of these gets an
    underscore in front.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        document: dict[str, Any] = {
            "time": _timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": self._message(record),
        }
        fields = self._fields(record)
        for name, value in fields.items():
            document[f"_{name}" if name in document or name == "exception" else name] = value
        trace = self._trace(record)
        if trace:
            document["exception"] = trace
        return escape(json.dumps(document, ensure_ascii=False))


def install(formatter: logging.Formatter, level: str, stream: TextIO | None = None) -> None:
    """Send the process's log lines to a stream; a second call replaces the first one's set-up.

    Args:
        formatter: how they look.
        level: the name of the least important level that is written.
        stream: where to; standard error if not given.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler.name == HANDLER_NAME]:
        root.removeHandler(handler)
        handler.close()
    handler = logging.StreamHandler(stream)
    handler.name = HANDLER_NAME
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(level)


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text_value(value: object) -> str:
    if isinstance(value, str) and _PLAIN_VALUE.fullmatch(value):
        return escape(value)
    return escape(json.dumps(value, ensure_ascii=False))
