"""How log lines look."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from gateway_shim.log_format import JsonFormatter, TextFormatter


def record(message: object = "hello", *args: object, **extra: object) -> logging.LogRecord:
    """A log record at a fixed time."""
    made = logging.makeLogRecord(
        {"name": "app.x", "levelname": "INFO", "levelno": 20, "msg": message, "args": args}
    )
    made.created = 1769860800.1239
    vars(made).update(extra)
    return made


def failure(message: str) -> Any:
    """The exc_info of an error with that message."""
    try:
        raise ValueError(message)
    except ValueError:
        return sys.exc_info()


def test_text_shows_time_level_logger_message_and_fields() -> None:
    """A line for people; values that are no plain word are quoted as in JSON."""
    line = TextFormatter().format(
        record("to %s", "all", request_id="me", empty="", said='a "b"', n=3, on=True, more=[1, "x"])
    )
    assert line == (
        "2026-01-31T12:00:00.123Z INFO app.x: to all"
        '  request_id=me empty="" said="a \\"b\\"" n=3 on=true more=[1, "x"]'
    )


def test_text_without_fields() -> None:
    """A record without extra is just its message."""
    assert TextFormatter().format(record()) == "2026-01-31T12:00:00.123Z INFO app.x: hello"


def test_json_is_one_object() -> None:
    """A line for machines: the fixed members, then the fields."""
    line = JsonFormatter().format(record("to %s", "all", request_id="me", n=3, said="ü"))
    assert line == (
        '{"time": "2026-01-31T12:00:00.123Z", "level": "INFO", "logger": "app.x",'
        ' "message": "to all", "request_id": "me", "n": 3, "said": "ü"}'
    )


def test_json_fields_do_not_replace_the_fixed_members() -> None:
    """A field that is named like a fixed member stands beside it."""
    made = record("hello", level="x", exception="y", time="z")
    assert json.loads(JsonFormatter().format(made)) == {
        "time": "2026-01-31T12:00:00.123Z",
        "level": "INFO",
        "logger": "app.x",
        "message": "hello",
        "_level": "x",
        "_exception": "y",
        "_time": "z",
    }


FORGED = "x\n2026-01-31T12:00:00.123Z ERROR app.x: forged\r\u2028\x1b[0m"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_nothing_logged_can_forge_a_line(formatter: logging.Formatter) -> None:
    """Line ends in the message, its arguments, a field's name or value, and the logger's name."""
    made = record("a %s " + FORGED, FORGED, field=FORGED, deep={FORGED: [FORGED]})
    made.name = FORGED
    vars(made)[FORGED] = 1
    assert len(formatter.format(made).splitlines()) == 1


def test_a_text_traceback_is_indented() -> None:
    """A traceback's lines cannot pass for records, not even those of the error's own message."""
    made = record("failed", exc_info=failure(FORGED), stack_info="Stack:\n  here", n=1)
    first, *rest = TextFormatter().format(made).splitlines()
    assert first == "2026-01-31T12:00:00.123Z INFO app.x: failed  n=1"
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-4:] == [
        "    ValueError: x",
        "    2026-01-31T12:00:00.123Z ERROR app.x: forged\\r\\u2028\\u001b[0m",
        "    Stack:",
        "      here",
    ]
    assert all(line.startswith("    ") for line in rest)


def test_a_json_traceback_is_a_member() -> None:
    """A traceback stays within the one line."""
    made = record("failed", exc_info=failure("no"))
    trace = json.loads(JsonFormatter().format(made))["exception"]
    assert trace.splitlines()[0] == "Traceback (most recent call last):"
    assert trace.splitlines()[-1] == "ValueError: no"


def test_a_traceback_rendered_by_someone_else_is_shown() -> None:
    """A record from a queue or another process carries its traceback as text."""
    made = record("failed", exc_text="Traceback\nE", exc_info=None)
    assert TextFormatter().format(made).splitlines()[1:] == ["    Traceback", "    E"]


def test_no_traceback_where_there_was_no_exception() -> None:
    """exc_info=True outside an except clause adds nothing."""
    made = record("hello", exc_info=(None, None, None))
    assert TextFormatter().format(made) == "2026-01-31T12:00:00.123Z INFO app.x: hello"


def test_a_wrong_log_call_keeps_its_line() -> None:
    """Arguments that do not fit the message are somebody's mistake, but no reason to lose it."""
    line = TextFormatter().format(record("only %d", "text"))
    assert line.endswith("app.x: only %d (arguments do not fit: TypeError)")
