"""Tests of the line limit: a flood of one kind of line leaves room for others, and is counted."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_shim.log_lines.line_limit import LineLimit, report_left_out
from gateway_shim.log_lines.log_format import JsonFormatter
from tests.gateway_shim.fakes import FakeClock
from tests.support.hostile_objects import Nameless
from tests.support.timing import TIME_LIMIT

logger = logging.getLogger("tests.line_limit")


class Log:
    """A logger with one handler that has a limit, and the lines that the handler writes."""

    def __init__(self, lines_per_second: int) -> None:
        self.clock = FakeClock()
        self.limit = LineLimit(lines_per_second, self.clock)
        self._written = io.StringIO()
        self.handler = logging.StreamHandler(self._written)
        self.handler.setFormatter(JsonFormatter())
        self.handler.addFilter(self.limit)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines that were written since the last call."""
        lines = [json.loads(line) for line in self._written.getvalue().splitlines()]
        self._written.seek(0)
        self._written.truncate()
        return lines

    def flood(self, count: int, message: str = "bad request") -> list[int | None]:
        """Log from one place; return the numbers of left-out lines that the written lines show."""
        for number in range(count):
            logger.warning(message, extra={"number": number})
        return [line.get("left_out") for line in self.lines()]


@pytest.fixture
def log() -> Iterator[Log]:
    """Make a log with a limit of 20 lines of a kind in a second."""
    log = Log(20)
    logger.addHandler(log.handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield log
    logger.removeHandler(log.handler)
    logger.propagate = True
    log.limit._forget()  # so that nothing is reported when the tests end


def test_a_flood(log: Log) -> None:
    """A flood writes 20 lines in the first second and a tenth of it later; each gap is counted."""
    assert log.flood(1000) == [None] * 20
    before = 980
    for _ in range(3):
        log.clock.now += 1
        assert log.flood(1000) == [before, None]
        before = 998


def test_the_end_of_a_flood(log: Log) -> None:
    """One line reports the lines that were left out, if the report is asked for once a second."""
    log.flood(50)
    log.clock.now += 1
    report_left_out()
    assert log.lines() == []
    log.clock.now += 1
    report_left_out()
    report_left_out()
    (line,) = log.lines()
    assert (
        line.items()
        >= {
            "level": "WARNING",
            "logger": "tests.line_limit",
            "message": "log lines like this were left out",
            "message_left_out": "bad request",
            "left_out": 30,
        }.items()
    )
    assert log.flood(50) == [None] * 20


def test_the_next_line_of_any_kind_reports(log: Log) -> None:
    """A process that never asks for the report writes it before its next line."""
    log.flood(21)
    log.clock.now += 3
    logger.info("something else")
    assert [line["message"] for line in log.lines()] == [
        "log lines like this were left out",
        "something else",
    ]


def test_kinds_do_not_share(log: Log) -> None:
    """Lines of another message, level or place have their own limit."""
    log.flood(100)
    assert log.flood(1, "another message") == [None]
    logger.error("bad request")
    logger.warning("bad request")
    assert len(log.lines()) == 2


def test_values_in_the_message_make_few_kinds(log: Log) -> None:
    """Code that formats values into its message is limited, too."""
    for number in range(5000):
        logger.warning(f"bad request {number}")
    assert len(log.lines()) == 8 + 20
    assert len(log.limit._kinds) == 9


def test_memory_is_bounded(log: Log) -> None:
    """Any number of places makes a thousand kinds, and one kind for all others."""
    for line in range(3000):
        record = logging.makeLogRecord({"name": "x", "levelno": 30, "lineno": line, "msg": "m"})
        log.limit.filter(record)
    assert len(log.limit._kinds) == 1001
    log.clock.now += 5
    report_left_out()
    assert (log.limit._kinds, log.limit._messages) == ({}, {})


def test_two_handlers_share_a_limit(log: Log) -> None:
    """Two handlers of one limit count a record once and write the same lines."""
    second = io.StringIO()
    handler = logging.StreamHandler(second)
    handler.addFilter(log.limit)
    logger.addHandler(handler)
    try:
        assert log.flood(30) == [None] * 20
    finally:
        logger.removeHandler(handler)
    assert len(second.getvalue().splitlines()) == 20


def test_tracebacks(log: Log) -> None:
    """A fifth of the lines with a traceback is written."""
    for _ in range(30):
        logger.error("failed", exc_info=ValueError("x"))
    assert len(log.lines()) == 4


def test_nothing_left_out_is_formatted(log: Log) -> None:
    """A line that is left out is not formatted."""

    class Shown:
        count = 0

        def __str__(self) -> str:
            Shown.count += 1
            return "shown"

    for _ in range(100):
        log.handler.handle(
            logging.makeLogRecord({"name": "x", "msg": "seen: %s", "args": (Shown(),)})
        )
    assert Shown.count == 20


def test_the_access_log_is_not_limited() -> None:
    """The lines of the access log are not limited."""
    limit = LineLimit(1)
    record = logging.makeLogRecord({"name": "gunicorn.access", "levelno": 20, "msg": "GET /"})
    assert all(limit.filter(record) for _ in range(10))


def test_incomplete_records(log: Log) -> None:
    """Incomplete records of other code are written."""
    incomplete: list[dict[str, Any]] = [
        {"name": []},
        {"levelno": {}},
        {"lineno": []},
        {"msg": Nameless()},
    ]
    for fields in incomplete:
        assert log.limit.filter(logging.makeLogRecord(fields))
    broken = logging.makeLogRecord({})
    del broken.created
    assert log.limit.filter(broken)


def test_at_exit_and_after_a_fork() -> None:
    """Each process reports its own left-out lines, at the latest when it ends."""
    program = """
import logging, os, sys
from gateway_shim.log_lines.log_format import TextFormatter, install
install(TextFormatter(), "INFO", sys.stdout, lines_per_second=2)
for _ in range(10): logging.warning("parent")
if os.fork():
    os.wait()
else:
    for _ in range(6): logging.warning("child")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIME_LIMIT,
    )
    reports = [
        line.split("were left out  ")[1] for line in done.stdout.splitlines() if "out" in line
    ]
    assert reports == ["message_left_out=child left_out=4", "message_left_out=parent left_out=8"]
