"""Formats log lines: as text for people or as JSON for machines, without secrets.

Both formats show the fields that are given as ``extra={…}``, and then those of the process. Every
record is written, whatever objects it contains: a text that says so replaces a value that cannot be
shown. Long values are cut. No text can forge a line, because control characters are escaped.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

from gateway_shim.log_lines.line_handler import LineHandler
from gateway_shim.log_lines.line_limit import LINES_PER_SECOND, LineLimit
from gateway_shim.log_lines.process_fields import process_fields
from gateway_shim.log_lines.redaction import MAX_CHARACTERS, Redactor, escape, short_id
from gateway_shim.log_lines.safe_text import class_name, describe, text_of

__all__ = [
    "MAX_FIELD_CHARACTERS",
    "MAX_MESSAGE_CHARACTERS",
    "MAX_TRACEBACK_CHARACTERS",
    "JsonFormatter",
    "TextFormatter",
    "install",
    "installed_formatter",
    "installed_limit",
]

HANDLER_NAME = "sse-monolith"
"""The name of the handler that :func:`install` adds and replaces."""

MAX_FIELD_CHARACTERS = 500
"""The characters that are kept of a field below the level ``ERROR``; a client may have sent it."""

MAX_MESSAGE_CHARACTERS = 2000
"""The characters that are kept of a message below the level ``ERROR``."""

MAX_TRACEBACK_CHARACTERS = 256 * 1024
"""The characters that are kept of a traceback: nearly all of one at Python's recursion limit."""

_MAX_TRACEBACK_LINE = 2000
"""The characters that are kept of one line of a traceback; an exception may repeat a request."""

_MAX_CAUSES = 20
"""The exceptions that are named of a chain whose tracebacks cannot be rendered."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_PLAIN_VALUE = re.compile(r"[^\s\"'=]+")

_INDENT = "    "


class _Formatter(logging.Formatter):
    """The base of both formats. It masks the secrets of a record, and never raises an error."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        super().__init__()
        self._redactor = redactor or Redactor()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        try:
            return self._render(record)
        except BaseException as exc:  # noqa: BLE001 - the line must not be lost
            return self._render(_plain_copy(record, exc))

    def _render(self, record: logging.LogRecord) -> str:
        raise NotImplementedError

    def _message_and_fields(self, record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
        longest, longest_field = MAX_MESSAGE_CHARACTERS, MAX_FIELD_CHARACTERS
        if _is_error(record):  # this line must show what went wrong
            longest = longest_field = MAX_CHARACTERS
        fields = {
            text_of(name): self._redactor.field(name, value, longest_field)
            for name, value in list(vars(record).items())
            if name not in _STANDARD
        }
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = _shorten_id(record, value)
        try:
            message = text_of(record.getMessage())
        except BaseException as exc:  # noqa: BLE001 - a wrong log call must not lose the line
            message = text_of(record.msg)
            if record.args:
                message += f" (arguments do not fit: {class_name(exc)})"
                fields["arguments"] = self._redactor.field("arguments", record.args, longest_field)
        for name, value in process_fields().items():
            fields.setdefault(name, value)
        return self._redactor.text(message, longest), fields

    def _trace(self, record: logging.LogRecord) -> str:
        """Return the lines of the traceback and of the stack; an empty text without both."""
        parts = []
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(self._traceback(record.exc_info))
        elif record.exc_text:  # the record came from another process or handler
            parts.append(text_of(record.exc_text))
        if record.stack_info:
            parts.append(text_of(record.stack_info))
        trace = "\n".join(parts)
        shown = _shorten_id(record, self._redactor.text(trace, MAX_TRACEBACK_CHARACTERS))
        if len(trace) > MAX_TRACEBACK_CHARACTERS and record.exc_info and record.exc_info[1]:
            # The last line, which names the exception, was cut off.
            raised = self._redactor.text(describe(record.exc_info[1]))
            shown += "\n" + _shorten_id(record, raised)
        # Lines are cut after the masking, so that no cut divides a secret.
        return "\n".join(map(_cut_line, shown.split("\n")))

    def _traceback(self, exc_info: Any) -> str:
        try:
            return self.formatException(exc_info)
        except BaseException:  # noqa: BLE001 - even reading the class's name can raise an error
            frames = "".join(traceback.format_tb(exc_info[2]))
            causes = "\nwhile handling ".join(describe(exc) for exc in _chain(exc_info[1]))
            return f"Traceback (most recent call last):\n{frames}{causes}"


class TextFormatter(_Formatter):
    """The format ``2026-01-31T12:00:00.123Z INFO app.services.x: message  key=value``.

    A traceback follows on further lines. Each is indented, so that no line of a traceback looks
    like a record.
    """

    def _render(self, record: logging.LogRecord) -> str:
        message, values = self._message_and_fields(record)
        line = (
            f"{_timestamp(record)} {escape(text_of(record.levelname))}"
            f" {escape(text_of(record.name))}: {escape(message)}"
        )
        fields = " ".join(f"{escape(name)}={_text_value(value)}" for name, value in values.items())
        if fields:
            line += f"  {fields}"
        trace = self._trace(record)
        if trace:
            line += "".join(f"\n{_INDENT}{escape(part)}" for part in trace.split("\n"))
        return line


class JsonFormatter(_Formatter):
    """The format of one JSON object a line.

    The object has ``time``, ``level``, ``logger``, ``message``, and then the fields. A traceback
    is the string ``exception``. A field with one of these names gets an underscore in front of its
    name.
    """

    def _render(self, record: logging.LogRecord) -> str:
        message, fields = self._message_and_fields(record)
        document: dict[str, Any] = {
            "time": _timestamp(record),
            "level": text_of(record.levelname),
            "logger": text_of(record.name),
            "message": message,
        }
        for name, value in fields.items():
            document[f"_{name}" if name in document or name == "exception" else name] = value
        trace = self._trace(record)
        if trace:
            document["exception"] = trace
        return escape(json.dumps(document, ensure_ascii=False))


def install(
    formatter: logging.Formatter,
    level: str,
    stream: TextIO | None = None,
    *,
    lines_per_second: int = LINES_PER_SECOND,
) -> None:
    """Send the log lines of the process to a stream. A second call replaces the first one.

    Args:
        formatter: the format of the lines.
        level: the name of the lowest level that is written.
        stream: the stream to write to; standard error if not given.
        lines_per_second: the limit of lines of one kind in a second.
    """
    root = logging.getLogger()
    # The limit is kept, because a file's handler may share it (gateway_shim.server.server_log).
    limit = installed_limit() or LineLimit()
    limit.lines_per_second = lines_per_second
    for handler in [handler for handler in root.handlers if handler.name == HANDLER_NAME]:
        root.removeHandler(handler)
        handler.close()
    handler = LineHandler(stream)
    handler.name = HANDLER_NAME
    handler.setFormatter(formatter)
    handler.addFilter(limit)
    root.addHandler(handler)
    root.setLevel(level)


def _plain_copy(record: logging.LogRecord, exc: BaseException) -> logging.LogRecord:
    """Return a record with the message of ``record`` and the reason why it was not rendered."""
    kept = {name: text_of(getattr(record, name, "")) for name in ("name", "levelname", "msg")}
    return logging.makeLogRecord({**kept, "not_shown_because": describe(exc)})


def installed_formatter() -> logging.Formatter | None:
    """Return the formatter that :func:`install` has set.

    Returns:
        The formatter; None if :func:`install` was not called in this process.
    """
    for handler in logging.getLogger().handlers:
        if handler.name == HANDLER_NAME:
            return handler.formatter
    return None


def installed_limit() -> LineLimit | None:
    """Return the limit that :func:`install` has set.

    Returns:
        The limit; None if :func:`install` was not called in this process.
    """
    for handler in logging.getLogger().handlers:
        if handler.name == HANDLER_NAME:
            limits = (item for item in handler.filters if isinstance(item, LineLimit))
            return next(limits, None)
    return None


def _shorten_id(record: logging.LogRecord, text: str) -> str:
    """Shorten the record's request id in a text, because a hook's exception may name the id."""
    request_id: object = vars(record).get("request_id")
    if type(request_id) is not str or not request_id:
        return text
    return text.replace(request_id, short_id(request_id))


def _cut_line(line: str) -> str:
    if len(line) <= _MAX_TRACEBACK_LINE:
        return line
    return f"{line[:_MAX_TRACEBACK_LINE]}… ({len(line)} characters)"


def _is_error(record: logging.LogRecord) -> bool:
    level: object = record.levelno  # of any type, if other code has made the record
    return type(level) is int and level >= logging.ERROR


def _timestamp(record: logging.LogRecord) -> str:
    try:
        moment = datetime.fromtimestamp(record.created, UTC)
    except (TypeError, ValueError, OverflowError, OSError):  # a record that other code has made
        moment = datetime.now(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and the exceptions that led to it."""
    for _ in range(_MAX_CAUSES):
        if exc is None:
            return
        yield exc
        exc = exc.__context__ if exc.__cause__ is None else exc.__cause__


def _text_value(value: object) -> str:
    if isinstance(value, str) and _PLAIN_VALUE.fullmatch(value):
        return escape(value)
    return escape(json.dumps(value, ensure_ascii=False))
