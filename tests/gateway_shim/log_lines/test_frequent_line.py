"""Lines of streams: the same lines as those of logging, and no record that nobody would see."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway_shim.log_lines.frequent_line import FrequentLine
from gateway_shim.log_lines.line_limit import LineLimit
from gateway_shim.log_lines.log_format import JsonFormatter
from tests.gateway_shim.fakes import FakeClock

# Not from logging.getLogger(): pytest adds handlers to all loggers that logging knows.
parent = logging.Logger("tests.frequent", logging.INFO)
logger = logging.Logger("tests.frequent.line")
logger.parent = parent

LINE = FrequentLine(logger, "stream opened")
OTHER = FrequentLine(logger, "stream refused", logging.WARNING)


class Journal:
    """A logger whose only handler has a limit of three lines of one kind in a second.

    Attributes:
        clock: the clock of the limit.
        limit: the limit.
        made: how many times the fields of a line were asked for.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limit = LineLimit(3, self.clock)
        self.written = io.StringIO()
        self.handler = logging.StreamHandler(self.written)
        self.handler.setFormatter(JsonFormatter())
        self.handler.addFilter(self.limit)
        self.made = 0

    def _fields(self) -> Mapping[str, object]:
        self.made += 1
        return {"token": f"t{self.made}"}

    def write(self, count: int, line: FrequentLine = LINE) -> None:
        """Write a line some times."""
        for _ in range(count):
            line.write(self._fields)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines that the handler has written."""
        return [json.loads(line) for line in self.written.getvalue().splitlines()]


@pytest.fixture
def journal() -> Iterator[Journal]:
    """Provide a journal below a logger that passes nothing on."""
    journal = Journal()
    parent.addHandler(journal.handler)
    yield journal
    parent.removeHandler(journal.handler)
    journal.limit._forget()  # so that nothing is reported when the tests end


def test_line(journal: Journal) -> None:
    """A line has its level, logger, message and fields, in order."""
    journal.write(1)
    journal.write(1, OTHER)
    shown = [(e["level"], e["logger"], e["message"], e["token"]) for e in journal.lines]
    assert shown == [
        ("INFO", "tests.frequent.line", "stream opened", "t1"),
        ("WARNING", "tests.frequent.line", "stream refused", "t2"),
    ]


def test_place(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """The place of a line is the place where it was made."""
    logger.addHandler(caplog.handler)
    journal.write(1)
    logger.removeHandler(caplog.handler)
    (record,) = caplog.records
    assert record.pathname == __file__
    assert record.funcName == "<module>"
    assert record.lineno > 0


def test_flood(journal: Journal) -> None:
    """Above the limit nothing is made, and the next line says how many were left out."""
    journal.write(1000)
    assert journal.made == 3
    journal.write(1, OTHER)  # another kind
    assert [line["token"] for line in journal.lines] == ["t1", "t2", "t3", "t4"]
    journal.clock.now += 1
    journal.write(1)
    assert journal.lines[-1]["left_out"] == 997


def test_same_lines_as_logging(journal: Journal) -> None:
    """A flood leaves the same lines and the same numbers as a flood of records does."""

    def plain_flood(clock: FakeClock) -> list[dict[str, Any]]:
        other = Journal()
        other.limit = limit = LineLimit(3, clock)
        other.handler.filters = [limit]
        mine = logging.Logger("tests.plain")
        mine.addHandler(other.handler)
        for seconds, count in FLOOD:
            for number in range(count):
                mine.warning("stream opened", extra={"number": number})
            clock.now += seconds
        limit._forget()
        return other.lines

    for seconds, count in FLOOD:
        journal.write(count)
        journal.clock.now += seconds
    expected = plain_flood(FakeClock())
    assert [line.get("left_out") for line in journal.lines] == [
        line.get("left_out") for line in expected
    ]
    assert len(expected) > 5


FLOOD = ((0.5, 10), (0.5, 2), (0.2, 100), (0.9, 1), (1.1, 50), (3, 1), (0.1, 4), (0, 1))


def test_report(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """The end of a flood is reported, with its message."""
    journal.write(10)
    journal.limit.report(everything=True)
    (report,) = [vars(record) for record in caplog.records if "left_out" in vars(record)]
    assert (report["message_left_out"], report["left_out"]) == ("stream opened", 7)
    assert report["name"] == "tests.frequent.line"


def test_level(journal: Journal) -> None:
    """A line whose level is off costs nothing."""
    alone = logging.Logger("tests.frequent.warnings", logging.WARNING)
    alone.addHandler(journal.handler)
    journal.write(5, FrequentLine(alone, "stream opened"))
    assert journal.made == 0
    journal.write(1, FrequentLine(alone, "stream refused", logging.WARNING))
    assert journal.made == 1


def test_a_handler_without_a_limit_gets_every_line(journal: Journal) -> None:
    """The handler of an embedding application gets every record, wherever it is."""
    for place in (logger, parent):
        seen: list[logging.LogRecord] = []
        handler = logging.Handler()
        handler.emit = seen.append  # type: ignore[method-assign]
        place.addHandler(handler)
        journal.write(10)
        place.removeHandler(handler)
        assert len(seen) == 10


def test_another_limit_gets_every_line(journal: Journal) -> None:
    """A handler with a limit of its own counts for itself."""
    other = Journal()
    other.limit.lines_per_second = 8
    parent.addHandler(other.handler)
    journal.write(10)
    parent.removeHandler(other.handler)
    assert (len(journal.lines), len(other.lines)) == (3, 8)
    other.limit._forget()


def test_filters_see_every_line(journal: Journal) -> None:
    """A filter of the logger, or one before the limit, sees every record."""
    seen: list[logging.LogRecord] = []

    def see(record: logging.LogRecord) -> bool:
        seen.append(record)
        return True

    logger.addFilter(see)
    journal.write(10)
    logger.removeFilter(see)
    assert len(seen) == 10
    journal.handler.filters.insert(0, see)
    journal.write(10)
    assert len(seen) == 20


def test_no_handler() -> None:
    """Without any handler a record is made, as by logging, which then uses its last resort."""
    alone = logging.Logger("tests.frequent.alone", logging.INFO)
    made = []

    def fields() -> dict[str, object]:
        made.append(1)
        return {}

    FrequentLine(alone, "nobody listens").write(fields)
    assert made == [1]
