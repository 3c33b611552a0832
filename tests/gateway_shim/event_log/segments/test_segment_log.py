"""Tests of the log in files. test_log.py tests what it shares with the log in memory."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segment import identified_frame
from gateway_shim.event_log.segments import files, members
from gateway_shim.event_log.segments import segment_log as module
from gateway_shim.event_log.segments.layout import segment_name
from gateway_shim.event_log.segments.opening import boot_seconds
from gateway_shim.event_log.segments.segment_log import SegmentLog
from tests.gateway_shim.event_log.recorder import Recorder, event, everything, open_files
from tests.support.timing import TIME_LIMIT, wait_until

Open = Callable[..., SegmentLog]


def test_two_processes(open_log: Open) -> None:
    """Both processes have what each of them appends; positions and frames are the same."""
    first, second = open_log(), open_log()
    assert first.append(EVERYONE, event(1)) == 1
    assert second.newest == 1
    assert second.append("r:a", event(2)) == 2
    assert everything(first) == everything(second)
    assert everything(first)[2] == (2, "r:a", identified_frame(first.epoch, 2, event(2)))
    assert not first.read_stats().in_memory


def test_restart(open_log: Open) -> None:
    """A log that is opened again goes on where it was."""
    first = open_log()
    for number in range(1, 30):
        first.append(EVERYONE, event(number))
    before = everything(first)
    first.close()
    second = open_log()
    assert (second.epoch, everything(second)) == (first.epoch, before)
    assert second.append(EVERYONE, event(30)) == 30


def test_run_reads_new_entries(open_log: Open) -> None:
    """A run at the end of what a process knows sees what another process has appended."""
    first, second = open_log(), open_log()
    first.append(EVERYONE, event(1))
    run = second.run(0, (), 1000)
    assert run is not None
    assert bytes(run.data) == identified_frame(first.epoch, 1, event(1))


def test_woken(open_log: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append wakes the listeners of other processes, without a look at the clock."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 10 * TIME_LIMIT)
    first, second = open_log(), open_log()
    recorder = Recorder(second)
    second.listen(recorder)
    first.append(EVERYONE, event(1))
    wait_until(lambda: recorder.calls, "the listener to be told")
    assert everything(second)[1][0] == 1


def test_writer_that_died_before_it_woke_the_others(
    open_log: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry without a byte in the pipe is found by a look now and then."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    first, second = open_log(), open_log()
    recorder = Recorder(second)
    second.listen(recorder)
    monkeypatch.setattr(first._members, "wake", lambda head: None)
    first.append(EVERYONE, event(1))
    wait_until(lambda: recorder.calls, "the listener to be told")
    assert second.newest == 1
    calls = recorder.calls
    gevent.sleep(0.03)
    assert recorder.calls == calls


def test_waits_for_the_slow(open_log: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append waits while another process is far behind."""
    monkeypatch.setattr(members, "STUCK_SECONDS", 10 * TIME_LIMIT)
    first, second = open_log(size=80000), open_log(size=80000)
    second.completed(0)
    appending = gevent.spawn(lambda: [first.append(EVERYONE, event(n)) for n in range(1, 101)])
    wait_until(lambda: second.newest >= 17, "the first appends")
    assert not appending.ready()
    while not appending.ready():
        assert second.newest <= second._members._completed[0] - 1 + 17
        second.completed(second.newest)
        gevent.sleep(0)
    assert second.newest == 100


def test_trim_in_another_process(open_log: Open) -> None:
    """A process is told what goes before it can no longer read it, and only when it reads."""
    first, second = open_log(), open_log()
    recorder = Recorder(second)
    second.listen(recorder)
    for number in range(1, 101):
        first.append(EVERYONE, event(number, 150))
        assert second.newest == number
    assert second.oldest == 0
    assert recorder.trimmed == []
    assert second.read(99, 1) is not None
    assert second.oldest == first.oldest > 10
    assert recorder.trimmed[-1] == first.oldest - 1
    assert b"" not in recorder.saved


def test_far_behind(open_log: Open, caplog: pytest.LogCaptureFixture) -> None:
    """A process that has missed whole segments goes on with what is left, in the same epoch."""
    first, second = open_log(), open_log()
    recorder = Recorder(second)
    second.listen(recorder)
    for number in range(1, 101):
        first.append(EVERYONE, event(number, 150))
    assert second.read(0, 10) is None
    assert len(recorder.trimmed) == 1
    assert recorder.trimmed[0] < first.oldest
    assert second.epoch == first.epoch
    assert everything(second) == everything(first)
    assert second.append(EVERYONE, event(101)) == 101
    assert caplog.records == []


def test_process_with_another_form(open_log: Open, caplog: pytest.LogCaptureFixture) -> None:
    """The newer process has the log; the older one can append no more, and keeps its entries."""
    first = open_log()
    first.append(EVERYONE, event(1))
    second = open_log(signature="other")
    second.append(EVERYONE, event(2))
    with pytest.raises(LogUnavailable, match=r"newer process .* another form"):
        first.append(EVERYONE, event(3))
    for _ in range(3):
        assert len(everything(first)) == 2
    assert [record.message for record in caplog.records] == [
        "the event log begins anew, so clients are told that they missed events",
        "the event log cannot be continued",
    ]
    assert (second.epoch == first.epoch, second.newest) == (False, 1)


@pytest.mark.parametrize("call", ["append", "read", "expire"])
def test_new_epoch(call: str, open_log: Open) -> None:
    """Both processes go on in a new epoch; what was left of the old one may be copied before."""
    first, second = open_log(), open_log()
    recorder = Recorder(first)
    first.listen(recorder)
    first.append(EVERYONE, event(1))
    old = first.epoch
    damage(first)
    assert second.newest == 0
    assert second.read(0, 10) is None
    second.append(EVERYONE, event(2))
    assert first.epoch == old != second.epoch
    if call == "append":
        assert first.append(EVERYONE, event(3)) == 2
    elif call == "read":
        assert first.read(0, 10) is None
    else:
        first.expire()
    assert recorder.trimmed == [1]
    assert len(recorder.saved[0]) == len(identified_frame(old, 1, event(1)))
    assert first.epoch == second.epoch
    assert everything(first) == everything(second)


def damage(log: SegmentLog) -> None:
    """Change a byte of the newest frame."""
    path = log._directory / segment_name(log.epoch, 0)
    data = path.read_bytes()
    place = data.index(b"data: 1")
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"X")


def test_damaged_entry_is_not_handed_out(open_log: Open, caplog: pytest.LogCaptureFixture) -> None:
    """A process that finds a damaged entry begins a new epoch, and says why."""
    first, second = open_log(), open_log()
    recorder = Recorder(second)
    second.listen(recorder)
    first.append(EVERYONE, event(1))
    damage(first)
    run = second.run(0, (), 1000)
    assert run is not None
    assert (bytes(run.data), run.end) == (b"", 0)
    assert second.read(0, 10) is None
    assert [record.__dict__["reason"] for record in caplog.records] == ["a segment is damaged"]
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize("call", ["append", "read"])
def test_removed_directory(call: str, open_log: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that somebody has removed is made again; the processes meet in a new epoch."""
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    first, second = open_log(), open_log()
    recorders = [Recorder(first), Recorder(second)]
    for log, recorder in zip((first, second), recorders, strict=True):
        log.listen(recorder)
    shutil.rmtree(first._directory)
    wait_until(lambda: all(one.calls for one in recorders), "both to notice")
    if call == "append":
        first.append(EVERYONE, event(1))
    else:
        assert first.read(0, 1) is None
    wait_until(lambda: second.read(0, 1) is None, "the other one to see the new epoch")
    assert first.epoch == second.epoch
    before = recorders[0].calls
    second.append(EVERYONE, event(2))
    wait_until(lambda: recorders[0].calls > before, "the listener to be told")
    assert everything(first) == everything(second)


def test_descriptors(tmp_path: Path) -> None:
    """A log that was closed leaves no descriptor open, and no file of its process."""
    log = SegmentLog(tmp_path / "log", LogLimits(8000), signature="s")
    log.listen(Recorder(log))
    for number in range(1, 200):
        log.append(EVERYONE, event(number, 100))
    assert len(open_files(tmp_path)) > 3
    log.close()
    log.close()
    del log
    # The event loop closes the pipe in its next round.
    wait_until(lambda: not open_files(tmp_path), lambda: f"the end of {open_files(tmp_path)}")
    assert os.listdir(tmp_path / "log" / "wake") == []
    assert os.listdir(tmp_path / "log" / "processes") == []


def test_failed_opening(tmp_path: Path) -> None:
    """A log that cannot be opened keeps no descriptor."""
    (tmp_path / "head").mkdir()
    tmp_path.chmod(0o700)
    with pytest.raises(LogUnavailable, match="remove it"):
        SegmentLog(tmp_path, LogLimits(8000), signature="")
    assert open_files(tmp_path) == []


def test_log_of_an_earlier_boot(tmp_path: Path) -> None:
    """A log whose segments seem to come from the future has no negative age, and goes on."""
    now = [1e6]
    limits = LogLimits(8000, 80.0)
    for time in (1e6, 5.0):
        now[0] = time
        log = SegmentLog(tmp_path, limits, signature="", clock=lambda: now[0])
        log.append(EVERYONE, event(1))
        log.expire()
        assert log.read_stats().oldest_age == 0.0
        log.close()
    assert log.newest == 2


def test_clock() -> None:
    """The clock is the time since the machine was started, which all processes share."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert uptime - 1 <= boot_seconds() <= uptime + TIME_LIMIT
    assert files.unavailable(OSError(99, "?"), Path("x")).args[0].endswith("another directory")
