"""How log lines look."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from gateway_shim.log_lines.line_handler import LineHandler
from gateway_shim.log_lines.log_format import MAX_TRACEBACK_CHARACTERS, JsonFormatter, TextFormatter
from tests.support.hostile_objects import HidesClass, Nameless, Unshowable, raising_str


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


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_request_id_is_shortened_in_the_texts_of_its_record(formatter: logging.Formatter) -> None:
    """A hook may name the id in what it raises, and in the reason of a refusal."""
    request_id = "12345678-1234-1234-1234-123456789012"
    error = failure(f"nobody owns {request_id}")
    line = formatter.format(record(request_id=request_id, reason=request_id, exc_info=error))
    assert request_id not in line
    assert line.count("12345678…") == 3


def test_a_wrong_log_call_keeps_its_line() -> None:
    """Arguments that do not fit the message are somebody's mistake, but no reason to lose it."""
    line = TextFormatter().format(record("only %d", "text"))
    assert line.endswith('app.x: only %d (arguments do not fit: TypeError)  arguments=["text"]')


# ------------------------------------------------------------------ every record becomes a line

FORMATTERS = [TextFormatter(), JsonFormatter()]
LONG = 10**5000
"""More digits than ``str`` converts."""


class Fields(dict[str, object]):
    """A mapping that cannot be looked through."""

    def items(self) -> Any:
        """Fail."""
        raise RuntimeError


def circle() -> list[object]:
    """A list that holds itself."""
    made: list[object] = []
    made.append(made)
    return made


HOSTILE: dict[str, Callable[[], object]] = {
    "long integer": lambda: LONG,
    "long integer, nested": lambda: {"a": [LONG, {LONG: -LONG}]},
    "class that refuses its name": lambda: Nameless("x"),
    "no text": Unshowable,
    "text raises SystemExit": lambda: raising_str(SystemExit),
    "text raises KeyboardInterrupt": lambda: raising_str(KeyboardInterrupt),
    "no class": lambda: HidesClass("x"),
    "no items": lambda: Fields(a=1),
    "in a list": lambda: [Unshowable(), Nameless("x"), HidesClass("x"), Fields()],
    "recursive": circle,
    "deep": lambda: json.loads("[" * 900 + "]" * 900),
    "not a number": lambda: [float("nan"), float("-inf"), {"x": float("inf")}],
    "bytes": lambda: [b"\xff\x00", bytearray(b"x")],
    "sets": lambda: {frozenset({1}), "a", None},
    "lone surrogates": lambda: {"\ud800": "\udfff"},
    "keys of all kinds": lambda: {None: 1, 2: 2, (3,): 3, b"4": 4, 1.5: 5, Unshowable(): 6},
    "long text": lambda: "x" * 10_000_000,
    "many items": lambda: list(range(1_000_000)),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("formatter", FORMATTERS)
def test_any_object_can_be_logged(formatter: logging.Formatter, kind: str) -> None:
    """As field, as argument, as message, as both: one line that can be written and is not long."""
    value = HOSTILE[kind]()
    for made in (
        record("hello", before=1, value=value, after=2),
        record("%s and %d", value, value, before=1),
        record("%s", value, before=1),
        record(value, before=1),
    ):
        line = formatter.format(made)
        assert len(line.splitlines()) == 1
        assert len(line.encode()) < 1_000_000
        assert "before" in line
        if isinstance(formatter, JsonFormatter):
            assert {"time", "level", "logger", "message", "before"} <= json.loads(line).keys()


def test_a_long_integer_is_shown_in_hexadecimal() -> None:
    """Every digit is there in an error's line; the other fields are, too."""
    error = {"levelno": logging.ERROR}
    document = json.loads(JsonFormatter().format(record(n=LONG, m=-LONG, small=2**64, **error)))
    assert (int(document["n"], 16), int(document["m"], 16)) == (LONG, -LONG)
    assert document["small"] == 2**64
    assert hex(LONG) in TextFormatter().format(record("%s", LONG, **error))


def test_long_lines_of_a_traceback_are_cut() -> None:
    """What was raised may repeat a request; the lines before it stay whole."""
    made = record(levelno=logging.ERROR, exc_info=failure("first\n" + "x" * 10_000 + "\nlast"))
    lines = json.loads(JsonFormatter().format(made))["exception"].splitlines()
    assert lines[-3:] == ["ValueError: first", "x" * 2000 + "… (10000 characters)", "last"]


def test_long_texts_below_error_are_cut_sooner() -> None:
    """A client may have chosen them. The line of an error shows more."""
    line = json.loads(JsonFormatter().format(record("x" * 10_000, url="y" * 10_000)))
    assert line["message"] == "x" * 2000 + "… (10000 characters)"
    assert line["url"] == "y" * 500 + "… (10000 characters)"
    made = record("x" * 10_000, url="y" * 10_000, levelno=logging.ERROR)
    line = json.loads(JsonFormatter().format(made))
    assert (line["message"], line["url"]) == ("x" * 10_000, "y" * 10_000)


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_names_of_fields_of_any_kind(formatter: logging.Formatter) -> None:
    """``extra`` may hold keys that are no strings."""
    made = record()
    vars(made).update({5: "five"})  # type: ignore[dict-item]
    assert "five" in formatter.format(made)


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize("created", [None, 1e300, float("nan"), -1e18])
def test_a_record_with_an_impossible_time(formatter: logging.Formatter, created: Any) -> None:
    """It gets the time of now."""
    made = record()
    made.created = created
    assert "hello" in formatter.format(made)


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: Nameless("why"), "Nameless: why"),
        (Unshowable, "Unshowable"),
        (lambda: HidesClass("why"), "HidesClass: why"),
        (lambda: raising_str(SystemExit), "Raising: <exception str() failed>"),
    ],
)
def test_a_traceback_of_an_exception_that_cannot_be_shown(
    formatter: logging.Formatter, make: Callable[[], Exception], shown: str
) -> None:
    """The frames are there, and as much of the exception as can be had."""
    try:
        try:
            raise ValueError("the cause")
        except ValueError as cause:
            raise make() from cause
    except Exception:  # noqa: BLE001 - whatever was made
        made = record("failed", exc_info=sys.exc_info())
    line = formatter.format(made)
    assert "failed" in line
    assert "Traceback (most recent call last):" in line
    assert "in test_a_traceback_of_an_exception_that_cannot_be_shown" in line
    assert shown in line
    assert "ValueError: the cause" in line


def test_a_traceback_at_the_recursion_limit_is_whole() -> None:
    """Its last line, which names the exception, is not cut off."""

    def there(n: int) -> int:
        return back(n + 1)

    def back(n: int) -> int:
        return there(n + 1)

    try:
        there(0)
    except RecursionError:
        made = record("failed", exc_info=sys.exc_info())
    assert "RecursionError" in TextFormatter().format(made).splitlines()[-1]


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_a_traceback_that_is_too_long_ends_with_what_was_raised(
    formatter: logging.Formatter,
) -> None:
    """Its beginning, the count, and the exception, whose own text is cut too."""
    try:
        try:
            raise KeyError("k" * MAX_TRACEBACK_CHARACTERS)
        except KeyError as cause:
            raise ValueError("last") from cause
    except ValueError:
        made = record("failed", exc_info=sys.exc_info())
    line = formatter.format(made)
    assert len(line) < MAX_TRACEBACK_CHARACTERS + 1000
    assert "KeyError: 'kkk" in line
    assert " characters)" in line
    assert line.rstrip('"}').endswith("ValueError: last")


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_a_record_that_breaks_the_formatter_is_still_a_line(formatter: logging.Formatter) -> None:
    """The last resort keeps the message, the level, the logger and says what happened."""
    made = record()
    made.exc_info = 5  # type: ignore[assignment]
    line = formatter.format(made)
    assert all(part in line for part in ("hello", "INFO", "app.x", "not_shown_because"))


def test_a_text_that_logs_itself_ends() -> None:
    """An object whose text logs the object does not keep the process busy for ever."""
    logger = logging.getLogger("tests.loop")
    calls = 0

    class Loop:
        def __str__(self) -> str:
            nonlocal calls
            calls += 1
            logger.warning("%s", self)
            return "loop"

    handler = LineHandler(io.StringIO())
    handler.setFormatter(TextFormatter())
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.warning("%s", Loop())
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
    assert 0 < calls < 10_000
