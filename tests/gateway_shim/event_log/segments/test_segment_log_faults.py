"""Tests of the log in files when the system fails it: space, rights, a stopped process."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments import writer_lock
from gateway_shim.event_log.segments.segment_log import SegmentLog
from gateway_shim.event_log.segments.writer_lock import WriterLock
from tests.gateway_shim.event_log.recorder import Recorder, event, everything

Open = Callable[..., SegmentLog]


def test_removed_with_the_directory_around_it(tmp_path: Path) -> None:
    """If a program removes everything, the next append makes the directories again."""
    (tmp_path / "place").mkdir()
    log = SegmentLog(tmp_path / "place" / "log", LogLimits(8000), signature="s")
    shutil.rmtree(tmp_path / "place")
    log._look_around()
    assert log.append(EVERYONE, event(1)) == 1
    assert (tmp_path / "place").stat().st_mode & 0o777 == 0o700
    log.close()


def test_removed_while_there_is_no_space(
    open_log: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that cannot join again at once tries it again, and is not left alone for ever."""
    first, second = open_log(), open_log()
    for log in (first, second):
        log.listen(Recorder(log))
        log.completed(log.newest)
    shutil.rmtree(first._directory)

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkfifo", no_space)
        first._look_around()
        for _ in range(3):
            assert first.read(first.newest, 0) == []
        with pytest.raises(LogUnavailable, match="free some space"):
            first.append(EVERYONE, event(1))
        assert caplog.messages.count("the event log cannot be continued") == 1
    assert first.append(EVERYONE, event(1)) == 1
    second._look_around()
    assert second.append(EVERYONE, event(2)) == 2
    first.completed(1)
    second.completed(2)
    assert (first.others(), second.others()) == ([second.process], [first.process])
    assert len(first._watchers) == len(second._watchers) == 3


def test_stopped_lock_holder(open_log: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a process keeps the lock, appends fail after a time; reads go on."""
    monkeypatch.setattr(writer_lock, "LOCK_SECONDS", 0.02)
    log = open_log()
    log.append(EVERYONE, event(1))
    holder = WriterLock(log._directory)
    holder.acquire()
    with pytest.raises(LogUnavailable, match="another process has held the log's lock"):
        log.append(EVERYONE, event(2))
    log.expire()
    assert everything(log)[-1][0] == 1
    holder.close()
    assert log.append(EVERYONE, event(2)) == 2


def test_without_space(open_log: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without space, an append says what to do, and what is there stays."""
    log = open_log()
    log.append(EVERYONE, event(1))

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", no_space)
        with pytest.raises(LogUnavailable, match="No space left on device; free some space"):
            log.append(EVERYONE, event(2, 5000))
        assert log.append(EVERYONE, event(2)) == 2
    assert log.append(EVERYONE, event(3, 5000)) == 3
    assert [entry[0] for entry in everything(log)] == [0, 1, 2, 3]


def mount(directory: Path, options: str) -> Iterator[Path]:
    """Mount a small file system in memory for a test; skip the test where that is forbidden."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no program mount")
    if done.returncode:
        pytest.skip(f"may not mount: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return the root of a file system of 160 KiB."""
    yield from mount(tmp_path / "small", "size=160k")


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """Return the root of a file system that cannot be written."""
    yield from mount(tmp_path / "read_only", "ro,mode=700")


def test_small_file_system(small: Path) -> None:
    """On a file system that is too small, the log keeps fewer entries, or says so at once."""
    log = SegmentLog(small / "log", LogLimits(8 * 32768), signature="")
    for number in range(1, 2001):
        log.append(EVERYONE, event(number, 100))
    assert log.newest == 2000
    assert 300 < 2000 - log.oldest < 1000
    with pytest.raises(LogUnavailable, match="No space left on device; free some space"):
        SegmentLog(small / "other", LogLimits(8 * 32768), signature="")
    log.close()


def test_read_only_file_system(read_only: Path) -> None:
    """A directory that cannot be written is named, with what to do."""
    with pytest.raises(LogUnavailable, match="Read-only file system; choose a directory"):
        SegmentLog(read_only / "log", LogLimits(), signature="")
    with pytest.raises(LogUnavailable, match="Read-only file system; choose a directory"):
        SegmentLog(read_only, LogLimits(), signature="")


def test_foreign_files(tmp_path: Path) -> None:
    """Somebody else's files are refused or left alone, never written to."""
    directory = tmp_path / "log"
    directory.mkdir(0o700)
    (directory / "head").write_text("notes\n")
    with pytest.raises(LogUnavailable, match="head is not a file of the log; remove it"):
        SegmentLog(directory, LogLimits(8000), signature="")
    assert (directory / "head").read_text() == "notes\n"
    (directory / "head").rename(directory / "notes.segment")
    SegmentLog(directory, LogLimits(8000), signature="").close()
    assert (directory / "notes.segment").read_text() == "notes\n"
