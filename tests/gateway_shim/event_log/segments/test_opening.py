"""Tests of how a log is opened: continued, or begun anew with a reason."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments import layout
from gateway_shim.event_log.segments.epoch import Epoch
from gateway_shim.event_log.segments.layout import segment_name
from gateway_shim.event_log.segments.opening import Opening
from gateway_shim.event_log.segments.writer_lock import WriterLock

LIMITS = LogLimits(3200)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[WriterLock]:
    """Return the lock of the directory."""
    lock = WriterLock(tmp_path)
    yield lock
    lock.close()


def opening(directory: Path, signature: str = "s", boot: str | None = "boot 1") -> Opening:
    """Return the opening of a log on a machine with a boot."""
    file = directory / "boot_id"
    if boot is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(f"{boot}\n")
    return Opening(directory, LIMITS, signature, lambda: 0.0, file)


def appended(directory: Path, lock: WriterLock) -> Epoch:
    """Return a new log with an event."""
    epoch = opening(directory).open(lock)
    epoch.append(EVERYONE, b"data: 1\n\n", LIMITS, 0.0, lambda _: None)
    return epoch


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the reasons that were logged."""
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    return [str(record.__dict__["reason"]) for record in caplog.records]


def test_continue(tmp_path: Path, lock: WriterLock, caplog: pytest.LogCaptureFixture) -> None:
    """A new directory gets an epoch, which the next opening continues; neither is worth a line."""
    first = appended(tmp_path, lock)
    second = opening(tmp_path).open(lock)
    assert (second.name, second.segments.newest) == (first.name, 1)
    assert reasons(caplog) == []
    assert lock.try_to_acquire()


def test_reasons(tmp_path: Path, lock: WriterLock, caplog: pytest.LogCaptureFixture) -> None:
    """A log that cannot be continued begins anew, and the reason is logged."""
    known = {appended(tmp_path, lock).name}
    for signature, boot, reason in [
        ("other", "boot 1", "the form of the events has changed"),
        ("other", "boot 2", "the machine was started again"),
        ("other", None, None),
    ]:
        caplog.clear()
        epoch = opening(tmp_path, signature, boot).open(lock)
        assert reasons(caplog) == ([reason] if reason else [])
        assert (epoch.name in known) == (reason is None)
        known.add(epoch.name)


def test_damage(tmp_path: Path, lock: WriterLock, caplog: pytest.LogCaptureFixture) -> None:
    """A missing head, a missing segment and a damaged one each begin a new epoch."""
    for damage, reason in [
        (lambda name: (tmp_path / "head").unlink(), "the file head is missing"),
        (lambda name: (tmp_path / name).unlink(), "a segment is missing"),
        (lambda name: (tmp_path / name).write_bytes(b"x" * 400), "a segment is damaged"),
        (lambda name: (tmp_path / name).write_bytes(b""), "a file of the log is too short"),
        (lambda name: (tmp_path / "head").write_bytes(b""), "a file of the log is too short"),
    ]:
        epoch = appended(tmp_path, lock)
        caplog.clear()
        damage(segment_name(epoch.name, 0))
        assert opening(tmp_path).open(lock).name != epoch.name
        assert reasons(caplog) == [reason]


def test_newer_version(tmp_path: Path, lock: WriterLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of a newer version is refused, and not touched."""
    monkeypatch.setattr(layout, "VERSION", 2)
    appended(tmp_path, lock)
    monkeypatch.undo()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(LogUnavailable, match="newer version"):
        opening(tmp_path).open(lock)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert lock.try_to_acquire()


def test_leftovers_are_removed(tmp_path: Path, lock: WriterLock) -> None:
    """The leftovers of a killed process are removed, unless another process appends just now."""
    epoch = appended(tmp_path, lock)
    stray = tmp_path / segment_name(epoch.name, 2)
    stray.write_text("")
    other = WriterLock(tmp_path)
    other.acquire()
    opening(tmp_path).open(lock)
    assert stray.exists()
    other.close()
    opening(tmp_path).open(lock)
    assert not stray.exists()
    stray.write_text("")
    lock.acquire()
    opening(tmp_path).open_locked("a segment is missing")
    assert not stray.exists()


def test_trouble(tmp_path: Path, lock: WriterLock, caplog: pytest.LogCaptureFixture) -> None:
    """A log whose files were removed begins anew, with the reason that the process knows."""
    (tmp_path / "log").mkdir()
    appended(tmp_path / "log", lock)
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "log").mkdir()
    opening(tmp_path / "log").open_locked("its files were removed")
    assert reasons(caplog) == ["its files were removed"]
