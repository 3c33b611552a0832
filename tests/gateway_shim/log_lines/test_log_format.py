"""Tests of the formats of log lines."""

from __future__ import annotations

import json
import logging

import pytest

from gateway_shim.log_lines.log_format import JsonFormatter, TextFormatter
from tests.gateway_shim.log_lines.records import failure, record


def test_text_shows_time_level_logger_message_and_fields() -> None:
    """A text line has time, level, logger, message and fields; values are quoted if necessary."""
    line = TextFormatter().format(
        record("to %s", "all", request_id="me", empty="", said='a "b"', n=3, on=True, more=[1, "x"])
    )
    assert line == (
        "2026-01-31T12:00:00.123Z INFO app.x: to all"
        '  request_id=me empty="" said="a \\"b\\"" n=3 on=true more=[1, "x"]'
    )


def test_text_without_fields() -> None:
    """A record without extra fields ends with its message."""
    assert TextFormatter().format(record()) == "2026-01-31T12:00:00.123Z INFO app.x: hello"


def test_json_is_one_object() -> None:
    """A JSON line is one object: the fixed members, then the fields."""
    line = JsonFormatter().format(record("to %s", "all", request_id="me", n=3, said="ü"))
    assert line == (
        '{"time": "2026-01-31T12:00:00.123Z", "level": "INFO", "logger": "app.x",'
        ' "message": "to all", "request_id": "me", "n": 3, "said": "ü"}'
    )


def test_json_fields_do_not_replace_the_fixed_members() -> None:
    """A field with the name of a fixed member gets an underscore."""
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
    """Line ends in a message, an argument, a field or a logger's name cannot forge a line."""
    made = record("a %s " + FORGED, FORGED, field=FORGED, deep={FORGED: [FORGED]})
    made.name = FORGED
    vars(made)[FORGED] = 1
    assert len(formatter.format(made).splitlines()) == 1


def test_a_text_traceback_is_indented() -> None:
    """All lines of a traceback are indented, even those of the error's message."""
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
    """A traceback is a member of the JSON object, within the same line."""
    made = record("failed", exc_info=failure("no"))
    trace = json.loads(JsonFormatter().format(made))["exception"]
    assert trace.splitlines()[0] == "Traceback (most recent call last):"
    assert trace.splitlines()[-1] == "ValueError: no"


def test_a_rendered_traceback_is_shown() -> None:
    """The traceback of a record from a queue or another process is shown."""
    made = record("failed", exc_text="Traceback\nE", exc_info=None)
    assert TextFormatter().format(made).splitlines()[1:] == ["    Traceback", "    E"]


def test_no_traceback_where_there_was_no_exception() -> None:
    """exc_info=True outside of an except clause adds nothing."""
    made = record("hello", exc_info=(None, None, None))
    assert TextFormatter().format(made) == "2026-01-31T12:00:00.123Z INFO app.x: hello"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_request_id_is_shortened_in_the_texts_of_its_record(formatter: logging.Formatter) -> None:
    """The request id of a record is shortened in its traceback and in its other fields, too."""
    request_id = "12345678-1234-1234-1234-123456789012"
    error = failure(f"nobody owns {request_id}")
    line = formatter.format(record(request_id=request_id, reason=request_id, exc_info=error))
    assert request_id not in line
    assert line.count("12345678…") == 3


def test_a_wrong_log_call_keeps_its_line() -> None:
    """A message whose arguments do not fit is logged, together with its arguments."""
    line = TextFormatter().format(record("only %d", "text"))
    assert line.endswith('app.x: only %d (arguments do not fit: TypeError)  arguments=["text"]')
