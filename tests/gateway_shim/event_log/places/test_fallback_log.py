"""Tests of the log that goes on in memory when its files take no more events."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.event_log.places.fallback_log import FallbackLog
from gateway_shim.event_log.segments import writer_lock
from gateway_shim.event_log.segments.segment_log import SegmentLog
from gateway_shim.event_log.segments.writer_lock import WriterLock
from tests.gateway_shim.event_log.recorder import Recorder, event, everything

LIMITS = LogLimits(8000)


class Fallen:
    """Counts how often a log has fallen back."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        """Count."""
        self.times += 1


@pytest.fixture
def fallen() -> Fallen:
    """Return the counter."""
    return Fallen()


@pytest.fixture
def log(tmp_path: Path, fallen: Fallen) -> Iterator[FallbackLog]:
    """Return a log in files."""
    files = SegmentLog(tmp_path / "log", LIMITS, signature="s")
    log = FallbackLog(files, lambda: MemoryLog(LIMITS), fallen)
    yield log
    log.close()


def no_space(*_: object) -> None:
    """Fail as the system does on a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk(
    log: FallbackLog,
    fallen: Fallen,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """On a full disk the event is there at once, in a new epoch, and the listener is told."""
    recorder = Recorder(log)
    log.listen(recorder)
    log.append(EVERYONE, event(1))
    before, calls = log.epoch, recorder.calls
    monkeypatch.setattr(os, "posix_fallocate", no_space)
    assert log.append(EVERYONE, event(2, 5000)) == 1
    assert log.epoch != before
    assert recorder.trimmed == [1]
    assert b"data: 1" in recorder.saved[0]  # read while the files were still there
    assert recorder.calls == calls + 1
    assert b"data: 2" in everything(log)[-1][2]
    assert log.read_stats().in_memory
    assert (log.oldest, log.newest, fallen.times) == (0, 1, 1)
    assert log.append("r:a", event(3)) == 2
    assert recorder.calls == calls + 2
    assert "the event log goes on in memory" in caplog.text
    assert "No space left" in vars(caplog.records[-1])["reason"]


def test_greenlets_that_wait_together(
    log: FallbackLog, fallen: Fallen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that wait for a lock together fall back together, once."""
    monkeypatch.setattr(writer_lock, "LOCK_SECONDS", 0.02)
    holder = WriterLock(tmp_path / "log")
    holder.acquire()
    appends = [gevent.spawn(log.append, EVERYONE, event(number)) for number in range(3)]
    gevent.joinall(appends, raise_error=True)
    assert sorted(each.value for each in appends) == [1, 2, 3]
    assert fallen.times == 1
    holder.close()


def test_closed_log(log: FallbackLog, fallen: Fallen) -> None:
    """A log that was closed does not begin another one."""
    log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        log.append(EVERYONE, event(1))
    assert fallen.times == 0
