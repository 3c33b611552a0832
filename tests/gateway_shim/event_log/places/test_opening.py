"""Tests of the opening of the log: where its events are, and what a next worker finds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import Log
from gateway_shim.event_log.places.opening import open_log
from gateway_shim.event_log.places.place import LogPlace, set_place
from gateway_shim.event_log.segments.segment_log import SegmentLog
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT

LIMITS = LogLimits(1024 * 1024)
Open = Callable[[], Log]


@pytest.fixture(name="place")
def fixture_place(tmp_path: Path) -> Iterator[LogPlace]:
    """Set a place in an empty folder."""
    place = LogPlace(tmp_path / "place", survives_restart=False)
    place.directory.mkdir(mode=0o700)
    set_place(place)
    yield place
    set_place(None)


@pytest.fixture(name="open_one")
def fixture_open_one() -> Iterator[Open]:
    """Return a function that opens the log as one process does; all are closed at the end."""
    opened: list[Log] = []

    def open_one() -> Log:
        opened.append(open_log(LIMITS, "named"))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()


def texts(log: Log) -> list[str]:
    """Return the data of all events in the log."""
    entries = log.read(0, 100)
    assert entries is not None
    return [bytes(entry.frame).split(b"data: ")[1].split(b"\n")[0].decode() for entry in entries]


def test_the_workers_of_one_server(place: LogPlace, open_one: Open) -> None:
    """A worker reads what the worker that it replaces appends, and continues its epoch."""
    old = open_one()
    old.append(EVERYONE, b"data: 1\n\n")
    new = open_one()
    old.append(EVERYONE, b"data: 2\n\n")
    new.append(EVERYONE, b"data: 3\n\n")
    assert (old.epoch, old.newest) == (new.epoch, new.newest)
    assert texts(new) == texts(old) == ["1", "2", "3"]
    assert place.log_directory.is_dir()
    assert not new.read_stats().in_memory


def test_a_worker_that_was_killed(place: LogPlace, open_one: Open) -> None:
    """The events that a worker has appended before SIGKILL are there for the next worker."""
    script = """
import os, sys
from pathlib import Path
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.places.opening import open_log
from gateway_shim.event_log.places.place import LogPlace, set_place
set_place(LogPlace(Path(sys.argv[1]), survives_restart=False))
log = open_log(LogLimits(1024 * 1024), "named")
log.append(EVERYONE, b"data: 1\\n\\n")
print(log.epoch, flush=True)
os.kill(os.getpid(), 9)
"""
    killed = subprocess.run(
        [sys.executable, "-c", script, str(place.directory)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    log = open_one()
    assert log.epoch == killed.stdout.strip()
    assert texts(log) == ["1"]


def test_without_an_arbiter_the_log_is_in_memory(
    open_one: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Flask's own server has a log, which ends with it, and nothing to warn of."""
    assert open_one().read_stats().in_memory
    assert caplog.records == []


def test_a_directory_that_was_removed(
    place: LogPlace, open_one: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """If a program has removed the directory, the next worker makes it again."""
    old = open_one()
    shutil.rmtree(place.directory)
    new = open_one()
    assert new.epoch != old.epoch
    assert not new.read_stats().in_memory
    assert place.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("broken", ["directory", "log"])
def test_a_directory_that_cannot_be_used(
    place: LogPlace, open_one: Open, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    """The server serves nevertheless, with a log in memory and a warning."""
    if broken == "directory":
        place.directory.rmdir()
        place.directory.touch()
    else:
        place.log_directory.touch()
    assert open_one().read_stats().in_memory
    (record,) = caplog.records
    assert record.message == (
        "the event log is in the memory of this process, so a reload or a restart loses events"
    )
    assert record.__dict__["directory"] == str(place.directory)
    path = place.directory if broken == "directory" else place.log_directory
    assert str(path) in record.__dict__["reason"]


def test_a_full_disk_at_the_start(
    place: LogPlace, open_one: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a worker whose log was in memory, the next one begins a new epoch."""
    first = open_one()
    first.close()
    with monkeypatch.context() as patch:
        patch.setattr(SegmentLog, "__init__", unavailable)
        assert open_one().read_stats().in_memory
    third = open_one()
    assert third.epoch != first.epoch
    assert not third.read_stats().in_memory


def test_a_full_disk_later(
    place: LogPlace, open_one: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker goes on in memory when the disk is full, and the next one begins a new epoch."""
    first = open_one()
    before = first.epoch
    with monkeypatch.context() as patch:
        patch.setattr(SegmentLog, "append", unavailable)
        assert first.append(EVERYONE, b"data: 1\n\n") == 1
    assert first.epoch != before
    assert first.read_stats().in_memory
    assert open_one().epoch not in (before, first.epoch)


@pytest.fixture(name="shared_place")
def fixture_shared_place(place: LogPlace) -> LogPlace:
    """Set the place of three workers."""
    set_place(replace(place, workers=3))
    return place


def test_one_of_several_workers(shared_place: LogPlace, open_one: Open) -> None:
    """Several workers share one log in files, and see each other once they serve."""
    first, second = open_one(), open_one()
    first.append(EVERYONE, b"data: 1\n\n")
    assert texts(second) == ["1"]
    assert first.others() == []
    second.completed(1)
    assert first.others() == [second.process]


@pytest.mark.parametrize("broken", ["directory", "log"])
def test_one_of_several_workers_cannot_use_the_directory(
    shared_place: LogPlace, open_one: Open, broken: str
) -> None:
    """It cannot start: with a log of its own, its browsers would miss the others' events."""
    if broken == "directory":
        shared_place.directory.rmdir()
        shared_place.directory.touch()
    else:
        shared_place.log_directory.touch()
    with pytest.raises(LogUnavailable, match="each of 3 workers needs the log") as caught:
        open_one()
    assert str(shared_place.directory) in str(caught.value)
    assert not (shared_place.directory / "log" / "gap").exists()


def test_a_full_disk_for_one_of_several_workers(
    shared_place: LogPlace, open_one: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append fails, and the log goes on once there is space: nothing is lost untold."""
    log = open_one()
    before = log.epoch
    with monkeypatch.context() as patch:
        patch.setattr(SegmentLog, "append", unavailable)
        with pytest.raises(LogUnavailable, match="no space"):
            log.append(EVERYONE, b"data: 1\n\n")
    assert log.append(EVERYONE, b"data: 2\n\n") == 1
    assert (log.epoch, texts(open_one())) == (before, ["2"])


def unavailable(*_: object, **__: object) -> None:
    """Fail as a log does that cannot be used."""
    raise LogUnavailable("no space")
