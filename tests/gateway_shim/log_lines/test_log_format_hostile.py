"""Tests of the formats of log lines: every record becomes a line, whatever it contains."""

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
from tests.gateway_shim.log_lines.records import FORMATTERS, failure, record
from tests.support.hostile_objects import HidesClass, Nameless, Unshowable, raising_str

LONG = 10**5000
"""More digits than ``str`` converts."""


class Fields(dict[str, object]):
    """A mapping that cannot be iterated over."""

    def items(self) -> Any:
        """Raise an error."""
        raise RuntimeError


def circle() -> list[object]:
    """Make a list that contains itself."""
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
    """Any object in a field, an argument or a message becomes one short line."""
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
    """An error's line shows all digits of a long integer, and the other fields."""
    error = {"levelno": logging.ERROR}
    document = json.loads(JsonFormatter().format(record(n=LONG, m=-LONG, small=2**64, **error)))
    assert (int(document["n"], 16), int(document["m"], 16)) == (LONG, -LONG)
    assert document["small"] == 2**64
    assert hex(LONG) in TextFormatter().format(record("%s", LONG, **error))


def test_long_lines_of_a_traceback_are_cut() -> None:
    """A long line of a traceback is cut; the lines before it stay whole."""
    made = record(levelno=logging.ERROR, exc_info=failure("first\n" + "x" * 10_000 + "\nlast"))
    lines = json.loads(JsonFormatter().format(made))["exception"].splitlines()
    assert lines[-3:] == ["ValueError: first", "x" * 2000 + "… (10000 characters)", "last"]


def test_long_texts_below_error_are_cut_sooner() -> None:
    """Long texts are cut sooner below the level ERROR, because a client may have sent them."""
    line = json.loads(JsonFormatter().format(record("x" * 10_000, url="y" * 10_000)))
    assert line["message"] == "x" * 2000 + "… (10000 characters)"
    assert line["url"] == "y" * 500 + "… (10000 characters)"
    made = record("x" * 10_000, url="y" * 10_000, levelno=logging.ERROR)
    line = json.loads(JsonFormatter().format(made))
    assert (line["message"], line["url"]) == ("x" * 10_000, "y" * 10_000)


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_names_of_fields_of_any_kind(formatter: logging.Formatter) -> None:
    """The names of fields may be other objects than strings."""
    made = record()
    vars(made).update({5: "five"})  # type: ignore[dict-item]
    assert "five" in formatter.format(made)


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize("created", [None, 1e300, float("nan"), -1e18])
def test_a_record_with_an_impossible_time(formatter: logging.Formatter, created: Any) -> None:
    """A record with an impossible time gets the current time."""
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
    """The traceback of an exception without a text has its frames and the exception's class."""
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
    """A traceback at the recursion limit keeps its last line, which names the exception."""

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
def test_a_traceback_that_is_too_long_ends_with_the_exception(
    formatter: logging.Formatter,
) -> None:
    """A traceback that is too long shows its beginning, its length and the exception."""
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
    """A record that breaks the formatter keeps its message, level and logger."""
    made = record()
    made.exc_info = 5  # type: ignore[assignment]
    line = formatter.format(made)
    assert all(part in line for part in ("hello", "INFO", "app.x", "not_shown_because"))


def test_a_text_that_logs_itself_ends() -> None:
    """An object whose text logs the object does not cause an endless loop."""
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
