"""The log of code that blocks the event loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial

import gevent
import pytest

from app.services.event_loop.loop_watch import LIMIT_SECONDS, LoopWatch
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.slow


def block(seconds: float, until: Callable[[], object] = lambda: True) -> float:
    """Use the processor without letting other greenlets run.

    Args:
        seconds: the length at least.
        until: the block is longer while the result of this is false. The thread that watches may
            have to wait for a processor.

    Returns:
        The length, seconds.
    """
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or not until():
        assert time.perf_counter() - begun < TIME_LIMIT
    return time.perf_counter() - begun


@pytest.fixture
def watch() -> Iterator[LoopWatch]:
    """Return a running watch, which is stopped after the test."""
    watch = LoopWatch()
    watch.start()
    gevent.sleep(0.05)
    yield watch
    watch.stop()


def ends(caplog: pytest.LogCaptureFixture) -> list[float]:
    """Return the logged lengths of blocks that have ended, seconds."""
    return [
        record.__dict__["seconds"]
        for record in caplog.records
        if record.message == "the event loop runs again after it was blocked"
    ]


def reports(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the log records of blocked loops."""
    return [record for record in caplog.records if "event loop is blocked" in record.message]


def reports_of_block(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the reports of :func:`block`. A busy machine may block the loop elsewhere, too."""
    return [report for report in reports(caplog) if "in block\n" in (report.stack_info or "")]


@pytest.mark.parametrize("where", ["a greenlet", "a callback of the hub"])
def test_a_block_is_logged_once_with_its_stack(
    watch: LoopWatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """A block is logged once with its function, also if the function runs in the hub."""
    lengths: list[float] = []

    def block_until_reported() -> None:
        lengths.append(block(0, lambda: reports_of_block(caplog)) + block(LIMIT_SECONDS))

    if where == "a greenlet":
        gevent.spawn(block_until_reported).join()
    else:
        timer = gevent.get_hub().loop.timer(0.001)
        timer.start(block_until_reported)
        wait_until(lambda: gevent.sleep(0) or lengths, "the end of the block")
        timer.close()
    wait_until(lambda: ends(caplog), "the end to be logged")
    (report,) = reports_of_block(caplog)
    assert report.levelno == logging.WARNING
    assert LIMIT_SECONDS - 0.02 <= report.__dict__["seconds"] <= lengths[0] + 0.1


def test_each_block_is_logged(watch: LoopWatch, caplog: pytest.LogCaptureFixture) -> None:
    """Each of two blocks is logged, and each end has the whole length."""
    lengths = []
    for count in (1, 2):
        until = partial(has_reports, caplog, count)
        lengths.append(gevent.spawn(block, 2 * LIMIT_SECONDS, until).get())
        wait_until(partial(has_ends, caplog, lengths), "the end")
        assert has_reports(caplog, count)


def has_reports(caplog: pytest.LogCaptureFixture, count: int) -> bool:
    """Return True if :func:`block` was reported so often."""
    return len(reports_of_block(caplog)) == count


def has_ends(caplog: pytest.LogCaptureFixture, lengths: list[float]) -> bool:
    """Return True if as many blocks have ended that were not shorter (to a millisecond)."""
    shortest = min(lengths) - 0.001
    return len([end for end in ends(caplog) if end >= shortest]) >= len(lengths)


class ManualClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.mark.parametrize(("blocked", "logged"), [(0.05, 0), (0.079, 0), (0.081, 1), (60.0, 1)])
def test_the_limit(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, blocked: float, logged: int
) -> None:
    """A block of the limit, less one beat, is logged; a shorter block is not."""
    clock = ManualClock()
    # Only this test looks: two threads that look at the same time would both report the block.
    monkeypatch.setattr(LoopWatch, "_watch", lambda self, stop: None)
    watch = LoopWatch(clock=clock)
    watch.start()
    clock.now += blocked  # nothing yields after this line, so the loop cannot beat
    watch.look()
    watch.look()
    watch.stop()
    assert len(reports(caplog)) == logged


def test_the_end_is_logged_with_the_whole_length(caplog: pytest.LogCaptureFixture) -> None:
    """The length ends with the first beat after the block, whenever the thread checks."""
    clock = ManualClock()
    watch = LoopWatch(clock=clock)
    watch.start()
    clock.now += 0.1
    watch.look()
    clock.now += 3.0
    watch.look()
    assert ends(caplog) == []
    watch._beat()
    clock.now += 0.02
    watch._beat()
    watch.look()
    watch.look()
    watch.stop()
    assert (len(reports(caplog)), ends(caplog)) == (1, [3.1])


def test_nothing_is_watched_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """A stopped watch logs nothing, and a watch that never ran can be stopped."""
    LoopWatch().stop()
    watch = LoopWatch()
    watch.start()
    watch.stop()
    watch.stop()
    gevent.sleep(0.05)
    gevent.spawn(block, 2 * LIMIT_SECONDS).join()
    gevent.sleep(0.05)
    assert reports(caplog) == []
