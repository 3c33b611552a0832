"""Tests of what any log must do, with both kinds of logs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_shim.event_log.audience import EVERYONE, NOTES
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import Log
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.event_log.segment import identified_frame
from gateway_shim.event_log.segments.segment_log import SegmentLog
from tests.gateway_shim.event_log.recorder import Recorder, event, everything

Make = Callable[..., Log]


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the log."""
    return Clock()


@pytest.fixture(params=["memory", "segments"])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Make]:
    """Return a function that makes a log with some limits."""
    made: list[Log] = []

    def make(size: int = 8000, seconds: float | None = None) -> Log:
        limits = LogLimits(size, seconds)
        log: Log = (
            MemoryLog(limits, clock=clock)
            if request.param == "memory"
            else SegmentLog(tmp_path / f"log{len(made)}", limits, signature="", clock=clock)
        )
        made.append(log)
        return log

    yield make
    for log in made:
        log.close()


def test_first_entry(make: Make) -> None:
    """A log begins with an entry that is no event."""
    log = make()
    assert (log.oldest, log.newest) == (0, 0)
    assert everything(log) == [(0, None, b"")]
    run = log.run(-1, (), 100)
    assert run is not None
    assert (bytes(run.data), run.end) == (b"", 0)


def test_append(make: Make) -> None:
    """An event gets the next position, and can be read at once, with its id."""
    log = make()
    assert [log.append(EVERYONE, event(1)), log.append("r:a", event(2))] == [1, 2]
    assert log.newest == 2
    assert everything(log)[1:] == [
        (1, EVERYONE, identified_frame(log.epoch, 1, event(1))),
        (2, "r:a", identified_frame(log.epoch, 2, event(2))),
    ]


def test_reaches(make: Make) -> None:
    """A cursor is known if its entry exists or has existed."""
    log = make()
    for number in range(100):
        log.append(EVERYONE, event(number, 200))
    assert log.oldest > 1
    for position in (0, 1, 50, 100):
        assert log.reaches(Cursor(log.epoch, position))
    assert not log.reaches(Cursor(log.epoch, 101))
    assert not log.reaches(Cursor("other", 50))


@pytest.mark.parametrize("audience", ["", "r:\ud800", "u:é\0\n", "t:" + "x" * 5000])
def test_any_audience(make: Make, audience: str) -> None:
    """An audience is any text."""
    log = make()
    log.append(audience, event(1))
    assert everything(log)[1][1] == audience


def test_run(make: Make) -> None:
    """A stream gets the entries of its audiences; at the end, a run without bytes."""
    log = make()
    for number, audience in enumerate([EVERYONE, "r:a", "r:b", EVERYONE], 1):
        log.append(audience, event(number))
    run = log.run(0, {"r:b"}, 1000)
    assert run is not None
    assert (bytes(run.data), run.end) == (identified_frame(log.epoch, 1, event(1)), 1)
    run = log.run(run.end, {"r:b"}, 1000)
    assert run is not None
    assert run.end == 4
    assert b"data: 2" not in bytes(run.data)
    assert b"data: 3" in bytes(run.data)
    end = log.run(4, {"r:b"}, 1000)
    assert end is not None
    assert (bytes(end.data), end.end) == (b"", 4)


def test_bytes_after(make: Make) -> None:
    """The bytes after a position are those of the later frames."""
    log = make()
    log.append(EVERYONE, event(1))
    log.append("r:a", event(2, 100))
    assert log.bytes_after(2) == 0
    assert log.bytes_after(1) == len(identified_frame(log.epoch, 2, event(2, 100)))
    assert log.bytes_after(0) == log.read_stats().size


def test_listener(make: Make) -> None:
    """The listener is told of each append, when the entry can be read already."""
    log = make()
    log.append(EVERYONE, event(1))
    recorder = Recorder(log)
    log.listen(recorder)
    log.append(EVERYONE, event(2))
    log.append("r:a", event(3))
    assert recorder.calls == 2
    assert recorder.trimmed == []


def test_trim_by_size(make: Make) -> None:
    """The oldest entries go when the log is full; the listener can read them until then."""
    log = make(size=8000)
    recorder = Recorder(log)
    log.listen(recorder)
    for number in range(1, 101):
        log.append(EVERYONE, event(number, 200))
    stats = log.read_stats()
    assert (stats.newest, stats.oldest) == (100, log.oldest)
    assert 4000 <= stats.size <= 8000
    assert everything(log)[-1][0] == 100
    assert recorder.trimmed == sorted(set(recorder.trimmed))
    assert recorder.trimmed[-1] == log.oldest - 1
    for through, saved in zip(recorder.trimmed, recorder.saved, strict=True):
        assert saved == identified_frame(log.epoch, through, event(through, 200))
    assert log.read(log.oldest - 2, 1) is None
    assert log.run(log.oldest - 2, (), 1) is None
    assert log.read(log.oldest - 1, 1) is not None


def test_trim_by_time(make: Make, clock: Clock) -> None:
    """Entries that are too old go when the log is asked to; the newest one stays."""
    log = make(seconds=80)
    for number in range(1, 20):
        clock.now += 10.5
        log.append(EVERYONE, event(number))
    clock.now += 30
    recorder = Recorder(log)
    log.listen(recorder)
    log.expire()
    assert recorder.trimmed[-1] == log.oldest - 1
    assert [entry[0] for entry in everything(log)][-1] == 19
    assert 12 <= log.oldest <= 15
    clock.now += 10000
    log.expire()
    assert (log.oldest, log.newest) == (19, 19)
    assert log.append(EVERYONE, event(20)) == 20


def test_clock_that_jumps(make: Make, clock: Clock) -> None:
    """A clock that jumps back or forward costs no more than old entries, never the newest."""
    log = make(seconds=80)
    for number, now in enumerate([1e9, 5.0, 0.0, 1e12, 3.0], 1):
        clock.now = now
        log.append(EVERYONE, event(number))
        log.expire()
        assert everything(log)[-1][0] == number
        assert log.read_stats().newest == number


@pytest.mark.parametrize("size", [1000, 8000, 20000])
def test_long_entry(make: Make, size: int) -> None:
    """An entry may be longer than a segment, and even than the log."""
    log = make(size=8000)
    for number in range(1, 4):
        log.append(EVERYONE, event(number))
        log.append(EVERYONE, event(number, size))
        assert everything(log)[-1] == (
            2 * number,
            EVERYONE,
            identified_frame(log.epoch, 2 * number, event(number, size)),
        )
    assert log.append(EVERYONE, event(7)) == 7


def test_views_outlive_the_log(make: Make) -> None:
    """Bytes that somebody holds stay as they are when they are trimmed, and after the end."""
    log = make(size=8000)
    log.append(EVERYONE, event(1, 100))
    held = log.run(0, (), 1000)
    assert held is not None
    frame = identified_frame(log.epoch, 1, event(1, 100))
    for number in range(2, 400):
        log.append(EVERYONE, event(number, 100))
    assert log.oldest > 1
    log.close()
    assert bytes(held.data) == frame


STEPS = st.lists(
    st.tuples(
        st.sampled_from([EVERYONE, EVERYONE, "r:a", "u:é", NOTES, "t:" + "x" * 50]),
        st.sampled_from([0, 1, 20, 90, 300, 2000]),
        st.sampled_from([0.0, 1.0, 30.0]),
    ),
    max_size=40,
)


@pytest.mark.parametrize("kind", ["memory", "segments"])
@settings(max_examples=40)
@given(steps=STEPS)
def test_model(kind: str, steps: list[tuple[str, int, float]]) -> None:
    """Whatever is appended: all that is kept is what was appended, without a gap."""
    clock, limits = Clock(), LogLimits(1600, 80.0)
    with tempfile.TemporaryDirectory() as folder:
        log: Log = (
            MemoryLog(limits, clock=clock)
            if kind == "memory"
            else SegmentLog(Path(folder) / "log", limits, signature="", clock=clock)
        )
        expected: list[tuple[int, str | None, bytes]] = [(0, None, b"")]
        for audience, size, pause in steps:
            clock.now += pause
            position = log.append(audience, event(len(expected), size))
            frame = event(len(expected), size)  # a note is kept as it is
            if audience != NOTES:
                frame = identified_frame(log.epoch, position, frame)
            expected.append((len(expected), audience, frame))
            found = everything(log)
            assert found == expected[log.oldest :]
            assert found
        log.close()
