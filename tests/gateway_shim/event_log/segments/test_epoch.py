"""Tests of one epoch of the log."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway_shim.errors import LogDamaged
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments import files
from gateway_shim.event_log.segments.epoch import Epoch
from gateway_shim.event_log.segments.layout import SEGMENT_HEAD_BYTES, Identity, segment_name
from tests.gateway_shim.event_log.recorder import event

IDENTITY = Identity("abc", "signature", "boot")
LIMITS = LogLimits(size=3200)


def begin(directory: Path) -> Epoch:
    """Begin an epoch."""
    return Epoch.begin(directory, IDENTITY, LIMITS, 0.0)


def append(epoch: Epoch, number: int, now: float = 0.0, limits: LogLimits = LIMITS) -> list[int]:
    """Append an event of about 100 bytes; return the positions through which was trimmed."""
    trimmed: list[int] = []
    epoch.append(EVERYONE, event(number, 60), limits, now, trimmed.append)
    return trimmed


def test_two_processes(tmp_path: Path) -> None:
    """Two processes append in turn, over the ends of segments; each reads what the other wrote."""
    first = begin(tmp_path)
    second = Epoch.open(tmp_path, IDENTITY)
    for number in range(1, 13):
        writer, reader = (first, second) if number % 2 else (second, first)
        append(writer, number)
        assert not writer.has_news
        assert reader.has_news
        reader.follow()
        assert not reader.has_news
        assert reader.segments.newest == number
    assert len(first.segments.firsts) > 3
    assert first.segments.firsts == second.segments.firsts
    assert first.segments.read(0, 99) == second.segments.read(0, 99)


def test_continue(tmp_path: Path) -> None:
    """An epoch that is opened later has all that was kept."""
    first = begin(tmp_path)
    for number in range(1, 101):
        append(first, number)
    second = Epoch.open(tmp_path, IDENTITY)
    assert second.segments.firsts == first.segments.firsts
    assert second.segments.oldest > 50
    assert second.segments.read(second.segments.oldest - 1, 999) == first.segments.read(
        first.segments.oldest - 1, 999
    )


def test_trim(tmp_path: Path) -> None:
    """The files of trimmed segments are removed; another process keeps them until it drops them."""
    first = begin(tmp_path)
    second = Epoch.open(tmp_path, IDENTITY)
    trimmed = []
    for number in range(1, 101):
        trimmed += append(first, number)
        second.follow()
    names = [segment_name("abc", number) for number in first.segments.firsts]
    assert sorted(os.listdir(tmp_path)) == [*names, "head"]
    sizes = [(tmp_path / name).stat().st_size - SEGMENT_HEAD_BYTES for name in names]
    assert sum(sizes) <= LIMITS.size
    assert second.segments.oldest == 0
    dropped: list[int] = []
    second.drop_trimmed(dropped.append)
    assert dropped == trimmed
    assert second.segments.firsts == first.segments.firsts


def test_expire(tmp_path: Path) -> None:
    """Segments that are too old are removed, except for the newest."""
    limits = LogLimits(size=100000, seconds=80)
    epoch = begin(tmp_path)
    for number in range(1, 10):
        append(epoch, number, 11.0 * number, limits)
    trimmed: list[int] = []
    epoch.expire(limits, 1e6, trimmed.append)
    assert (epoch.segments.oldest, epoch.segments.newest) == (9, 9)
    assert trimmed == sorted(trimmed)
    assert trimmed[-1] == 8


def test_far_behind(tmp_path: Path) -> None:
    """A process that has missed whole segments finds that out."""
    first = begin(tmp_path)
    second = Epoch.open(tmp_path, IDENTITY)
    for number in range(1, 101):
        append(first, number)
    with pytest.raises(LogDamaged, match="missing"):
        second.follow()


def test_without_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without space for a segment, the oldest one goes; without any, nothing is changed."""
    epoch = begin(tmp_path)
    for number in range(1, 15):
        append(epoch, number)
    create, failures = files.create_mapped, [1, 1]

    def fail_first(path: Path, size: int) -> object:
        if failures:
            failures.pop()
            raise OSError(errno.ENOSPC, "No space left on device")
        return create(path, size)

    monkeypatch.setattr(files, "create_mapped", fail_first)
    kept, trimmed, number = epoch.segments.firsts, [], 15
    while failures:
        trimmed += append(epoch, number)
        number += 1
    assert trimmed == [kept[1] - 1, kept[2] - 1]
    assert epoch.segments.oldest == kept[2]
    with pytest.raises(OSError, match="No space"):  # noqa: PT012 - appends until it is full
        while True:
            failures[:] = [1] * 99
            append(epoch, number)
            number += 1
    failures.clear()
    assert epoch.segments.newest == number - 1
    assert len(epoch.segments.firsts) == 1
    other = Epoch.open(tmp_path, IDENTITY)
    assert other.segments.newest == number - 1
    append(epoch, number)
    other.follow()
    assert other.segments.newest == number


def test_begin_without_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch that cannot be begun leaves the old one as it was."""
    append(begin(tmp_path), 1)
    before = sorted(os.listdir(tmp_path))
    create = files.create_mapped

    def fail(path: Path, size: int) -> object:
        if path.name == "head.new":
            raise OSError(errno.ENOSPC, "No space left on device")
        return create(path, size)

    monkeypatch.setattr(files, "create_mapped", fail)
    with pytest.raises(OSError, match="No space"):
        Epoch.begin(tmp_path, IDENTITY._replace(epoch="def"), LIMITS, 0.0)
    assert sorted(os.listdir(tmp_path)) == before
    assert Epoch.open(tmp_path, IDENTITY).segments.newest == 1


def test_strays(tmp_path: Path) -> None:
    """Segments of other epochs and of nobody are removed; other files stay."""
    first = begin(tmp_path)
    append(first, 1)
    (tmp_path / segment_name("abc", 1)).write_text("")
    (tmp_path / segment_name("abc", 77)).write_text("")
    (tmp_path / "notes").write_text("")
    first.remove_strays()
    assert sorted(os.listdir(tmp_path)) == [segment_name("abc", 0), "head", "notes"]
    Epoch.begin(tmp_path, IDENTITY._replace(epoch="def"), LIMITS, 0.0)
    assert sorted(os.listdir(tmp_path)) == [segment_name("def", 0), "head", "notes"]


def test_head_that_goes_back(tmp_path: Path) -> None:
    """A head that names an older entry than before is damaged, and so is one without entries."""
    epoch = begin(tmp_path)
    append(epoch, 1)
    append(epoch, 2)
    other = Epoch.open(tmp_path, IDENTITY)
    epoch.head.commit(1)
    with pytest.raises(LogDamaged, match="head"):
        other.follow()
    epoch.head.commit(3)
    with pytest.raises(LogDamaged, match="segment"):
        other.follow()
