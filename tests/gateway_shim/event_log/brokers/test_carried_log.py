"""Tests of the copy of another log in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.errors import LogMoved, LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.brokers import carried_log
from gateway_shim.event_log.brokers.carried_log import CarriedLog
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments import members
from tests.gateway_shim.event_log.recorder import Recorder, event, everything
from tests.support.timing import wait_until

Open = Callable[..., CarriedLog]


@pytest.fixture(name="open_copy")
def fixture_open_copy(tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens the copy as another process would."""
    opened: list[CarriedLog] = []

    def open_copy(size: int = 8000) -> CarriedLog:
        opened.append(CarriedLog(tmp_path / "log", LogLimits(size), signature="s"))
        return opened[-1]

    yield open_copy
    for log in opened:
        log.close()


def copy(log: CarriedLog, *numbers: int, size: int = 0) -> None:
    """Copy events that are numbers behind the newest one."""
    log.copy(log.epoch, log.newest, [(EVERYONE, event(number, size)) for number in numbers])


def test_the_copy_has_the_epoch_and_the_positions(open_copy: Open) -> None:
    """Of the other log, in all processes; the frames name them."""
    carrier, reader = open_copy(), open_copy()
    carrier.begin("other", 41)
    carrier.copy("other", 41, [(EVERYONE, b"data: 1\n\n"), ("r:a", b"data: 2\n\n")])
    assert reader.read(0, 1) is None  # a read finds the new epoch
    for log in (carrier, reader, open_copy()):
        assert (log.epoch, log.oldest, log.newest) == ("other", 41, 43)
        assert everything(log) == [
            (41, None, b""),
            (42, EVERYONE, b"16\r\nid: other-42\ndata: 1\n\n\r\n"),
            (43, "r:a", b"16\r\nid: other-43\ndata: 2\n\n\r\n"),
        ]


def test_the_same_epoch_after_a_gap(open_copy: Open) -> None:
    """A reader of what was before learns that something is missing."""
    carrier, reader = open_copy(), open_copy()
    carrier.begin("e", 0)
    copy(carrier, 1, 2, 3)
    reader.read(0, 1)
    seen = Recorder(reader)
    reader.listen(seen)
    carrier.begin("e", 10)
    copy(carrier, 11)
    for log in (carrier, reader):
        assert log.read(3, 1) is None
        assert log.epoch == "e"
        assert [position for position, *_ in everything(log)] == [10, 11]
    assert seen.trimmed == [3]
    assert seen.saved[0].endswith(event(3) + b"\r\n")


def test_a_copy_that_is_somewhere_else(open_copy: Open) -> None:
    """Nothing is copied if the log is not where the carrier believes."""
    log = open_copy()
    log.begin("e", 0)
    copy(log, 1)
    for epoch, after in (("e", 0), ("e", 2), ("f", 1)):
        with pytest.raises(LogMoved, match="begun anew"):
            log.copy(epoch, after, [(EVERYONE, event(9))])
    assert log.newest == 1


@pytest.mark.parametrize("seen", [("e", 0), ("e", 2), ("f", 1)])
def test_a_copy_is_not_begun_somewhere_else(open_copy: Open, seen: tuple[str, int]) -> None:
    """Another process has copied, or has begun it, since the caller has seen it."""
    stopped, other = open_copy(), open_copy()
    other.begin("e", 0, (stopped.epoch, 0))
    copy(other, 1)
    with pytest.raises(LogMoved):
        stopped.begin("e", 0, seen)
    assert (stopped.epoch, stopped.newest) == ("e", 1)
    assert not other.is_ending
    stopped.begin("g", 0, ("e", 1))
    assert other.is_ending


def test_the_listener_is_called_in_the_hub(open_copy: Open) -> None:
    """So a publisher of this process, who waits, is not taken for the one who delivers."""
    log = open_copy()
    log.begin("e", 0)
    called = []

    class Listener(Recorder):
        def appended(self) -> None:
            called.append(gevent.getcurrent() is gevent.get_hub())

    log.listen(Listener(log))
    copy(log, 1)
    assert called == []
    gevent.sleep(0)
    gevent.sleep(0)
    assert called == [True]


def test_another_process_is_told(open_copy: Open) -> None:
    """Once for each change, also of what it has already read."""
    carrier, reader = open_copy(), open_copy()
    carrier.begin("e", 0)
    reader.read(0, 1)
    seen = Recorder(reader)
    reader.listen(seen)
    copy(carrier, 1)
    assert reader.newest == 1
    wait_until(lambda: gevent.sleep(0) or seen.calls, "the call")
    calls = seen.calls
    reader._tell()
    assert seen.calls == calls


def test_the_copy_waits_for_the_own_streams(
    open_copy: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as they go on: Redis keeps what they have not got yet."""
    log = open_copy()
    log.begin("e", 0)
    log.completed(0)
    copy(log, *range(members.LAG_ENTRIES + 1))
    waiting = gevent.spawn(copy, log, 99)
    gevent.sleep(0.02)
    assert not waiting.ready()
    log.completed(log.newest)
    waiting.get()
    monkeypatch.setattr(carried_log, "STUCK_SECONDS", 0.05)
    copy(log, *range(members.LAG_ENTRIES + 1))
    copy(log, 100)  # it stands still: not waited for any longer


def test_a_full_disk(open_copy: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entries that were copied stay, and the carrier goes on from there."""
    log = open_copy()
    log.begin("e", 0)
    original, count = log._epoch.append, 0

    def append(*arguments: object) -> int:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(28, "No space left on device")
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(log._epoch, "append", append)
    with pytest.raises(LogUnavailable, match="free some space"):
        copy(log, 1, 2, 3, 4)
    assert log.newest == 2
    copy(log, 3, 4)
    assert log.newest == 4


def test_files_that_were_removed(open_copy: Open, tmp_path: Path) -> None:
    """The log begins anew, which the carrier learns at its next copy."""
    log = open_copy()
    log.begin("e", 0)
    (tmp_path / "log" / "head").unlink()
    log._look_around()
    with pytest.raises(LogMoved):
        log.copy("e", 0, [(EVERYONE, event(1))])
    log.begin("e", 0)
    copy(log, 1)
    assert log.newest == 1


def test_trimming(open_copy: Open) -> None:
    """Old entries go as in any log."""
    log = open_copy()
    log.begin("e", 100)
    for number in range(100):
        copy(log, number, size=200)
    assert log.oldest > 101
    assert log.newest == 200
