"""Tests of the log in files when its processes are killed: at each line, and at random."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import gateway_shim.event_log.segments
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments.segment_log import SegmentLog
from tests.gateway_shim.event_log.recorder import event, everything
from tests.gateway_shim.event_log.segments.killed_writers import LIMITS, parse
from tests.support.processes.child import ChildProcess
from tests.support.timing import TIME_LIMIT

PACKAGE = str(Path(gateway_shim.event_log.segments.__file__).parent)

Files = dict[str, bytes]
Entries = list[tuple[int, str | None, bytes]]


def files_of(directory: Path) -> Files:
    """Return the content of all files of a log, as a process that opens it now would find it."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


@contextmanager
def each_line(directory: Path) -> Iterator[list[Files]]:
    """Note the files before each line of the log's code that runs in a block.

    A process that is killed there leaves just these.
    """
    states: list[Files] = [files_of(directory)]
    before = sys.gettrace()

    def trace(frame: FrameType, what: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if what == "line":
            state = files_of(directory)
            if state != states[-1]:
                states.append(state)
        return trace

    sys.settrace(trace)
    try:
        yield states
    finally:
        sys.settrace(before)
        states.append(files_of(directory))


class Killed:
    """A log with 40 events, whose process can be killed at each line of an action.

    Args:
        folder: a folder for the log and its copies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.directory = folder / "log"
        self.now = 0.0
        self.log = self.open(self.directory)
        for number in range(1, 41):
            self.log.append(EVERYONE, event(number, 60))
        self.before = everything(self.log)

    def open(self, directory: Path, signature: str = "") -> SegmentLog:
        """Open the log in a directory."""
        limits = LogLimits(3200, 80.0)
        return SegmentLog(directory, limits, signature=signature, clock=lambda: self.now)

    def opened_after_each_line(self, action: Callable[[], object]) -> Iterator[SegmentLog]:
        """Open the log as a process that is killed in an action leaves it, for each line."""
        with each_line(self.directory) as states:
            action()
        for number, state in enumerate(states):
            copy = self._folder / str(number)
            copy.mkdir(0o700)
            for name, data in state.items():
                (copy / name).write_bytes(data)
            log = self.open(copy)
            yield log
            # What was left behind is in nobody's way.
            entries, position = everything(log), log.newest + 1
            assert log.append("r:a", event(position, 70)) == position
            log.close()
            again = self.open(copy)
            assert everything(again)[:-1] == [one for one in entries if one[0] >= again.oldest]
            assert again.epoch == log.epoch
            assert [path for path in copy.iterdir() if path.name == "head.new"] == []
            again.close()
            shutil.rmtree(copy)


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    """Return a log whose process can be killed."""
    killed = Killed(tmp_path)
    yield killed
    killed.log.close()


@pytest.mark.parametrize("size", [0, 60, 5000])
def test_append(killed: Killed, size: int, caplog: pytest.LogCaptureFixture) -> None:
    """A kill at any line of an append leaves nothing of it, or the whole entry, and all others."""
    found = []
    steps = killed.opened_after_each_line(lambda: killed.log.append("r:a", event(41, size)))
    for log in steps:
        entries = everything(log)
        assert log.epoch == killed.log.epoch
        found.append(log.newest)
        assert log.newest in (40, 41)
        expected = [*killed.before, everything(killed.log)[-1]]
        assert (
            entries == expected[log.oldest - killed.before[0][0] : log.newest + 1 - expected[0][0]]
        )
    assert found == sorted(found)
    assert set(found) == {40, 41}
    assert caplog.records == []


def test_expire(killed: Killed, caplog: pytest.LogCaptureFixture) -> None:
    """A kill at any line of a trim leaves the newest entries, without a gap."""
    killed.now = 20.0
    killed.log.append(EVERYONE, event(41))
    killed.before = everything(killed.log)
    killed.now = 101.0
    oldest = []
    for log in killed.opened_after_each_line(killed.log.expire):
        assert log.epoch == killed.log.epoch
        assert everything(log) == killed.before[log.oldest - killed.before[0][0] :]
        oldest.append(log.oldest)
    assert oldest == sorted(oldest)
    assert oldest[-1] == 41 > oldest[0]
    assert caplog.records == []


def test_new_epoch(killed: Killed) -> None:
    """A kill at any line of a new epoch's beginning leaves the old epoch, whole, or a new one."""
    epochs = []
    opened: list[SegmentLog] = []
    action = lambda: opened.append(killed.open(killed.directory, "other"))  # noqa: E731
    for log in killed.opened_after_each_line(action):
        epochs.append(log.epoch == killed.log.epoch)
        assert everything(log) == (killed.before if epochs[-1] else [(0, None, b"")])
    assert epochs == sorted(epochs, reverse=True)
    assert set(epochs) == {True, False}
    opened[0].close()


def test_first_epoch(tmp_path: Path) -> None:
    """A kill at any line of the first opening leaves a directory that can be opened."""
    killed = Killed(tmp_path)
    killed.log.close()
    shutil.rmtree(killed.directory)
    killed.directory.mkdir(0o700)
    opened: list[SegmentLog] = []
    action = lambda: opened.append(killed.open(killed.directory))  # noqa: E731
    count = 0
    for log in killed.opened_after_each_line(action):
        assert everything(log) == [(0, None, b"")]
        count += 1
    assert count > 5
    opened[0].close()


def lines(path: Path) -> list[tuple[int, int, int]]:
    """Return the lines of a file of numbers; a last line without an end was never finished."""
    whole = path.read_text().rpartition("\n")[0]
    return [tuple(map(int, line.split())) for line in whole.splitlines()]  # type: ignore[misc]


def test_random_kills(tmp_path: Path) -> None:
    """Three writers that are killed again and again: no entry is torn, lost, doubled or displaced.

    The reader checks each frame, and that nothing ever begins a new epoch.
    """
    module = "tests.gateway_shim.event_log.segments.killed_writers"
    command = [sys.executable, "-m", module, str(tmp_path), "14", "30"]
    with ChildProcess(command, stderr=subprocess.PIPE) as child:  # ends the writers, too
        _, errors = child.process.communicate(timeout=TIME_LIMIT)
    assert (child.process.returncode, errors.decode()) == (0, "")
    read = lines(tmp_path / "read")
    assert [position for position, _, _ in read] == list(range(1, len(read) + 1))
    numbers = defaultdict(list)
    for _, writer, number in read:
        numbers[writer].append(number)
    assert all(found == list(range(len(found))) for found in numbers.values())
    assert len(numbers) > 3
    assert set(lines(tmp_path / "appended")) <= set(read)
    log = SegmentLog(tmp_path / "log", LIMITS, signature="")
    kept = everything(log)
    assert [(one[0], *parse(one[2])) for one in kept] == read[kept[0][0] - 1 :]
    assert kept[0][0] > 1
    log.close()
    for name in ("wake", "processes"):
        assert list((tmp_path / "log" / name).iterdir()) == []
