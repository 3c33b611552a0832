"""Tests of gaps: an epoch is not continued after events were sent without the log."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.places.gaps import end_after_gap, note_gap
from gateway_shim.event_log.places.place import LogPlace
from gateway_shim.event_log.segments.segment_log import SegmentLog
from tests.gateway_shim.event_log.recorder import event


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    """Return a place with a log of one event."""
    place = LogPlace(tmp_path, survives_restart=True)
    epoch_of(place)
    return place


def epoch_of(place: LogPlace) -> str:
    """Open the log as the next process does, append an event, and return its epoch."""
    end_after_gap(place)
    log = SegmentLog(place.log_directory, LogLimits(8000), signature="s")
    log.append(EVERYONE, event(1))
    log.close()
    return log.epoch


def test_a_gap_ends_the_epoch_once(place: LogPlace, caplog: pytest.LogCaptureFixture) -> None:
    """After a gap one new epoch begins, which says why, and which goes on."""
    first = epoch_of(place)
    assert epoch_of(place) == first
    note_gap(place)
    note_gap(place)
    assert [path.name for path in place.directory.iterdir()] == ["log"]  # see state_directory.py
    second = epoch_of(place)
    assert second != first
    assert vars(caplog.records[-1])["reason"] == "events were sent that are not in the log"
    assert epoch_of(place) == second


def test_a_process_that_has_the_log_open(place: LogPlace) -> None:
    """A process that uses the log notices the new epoch of the process that has found a gap."""
    old = SegmentLog(place.log_directory, LogLimits(8000), signature="s")
    note_gap(place)
    second = epoch_of(place)
    old.append(EVERYONE, event(2))
    assert old.epoch == second
    old.close()


def test_a_full_disk(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no file can be made, the gap is noted in the log itself."""
    first = epoch_of(place)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", fail)
        note_gap(place)
    assert epoch_of(place) != first


def test_nothing_to_end(tmp_path: Path) -> None:
    """Without a log, a gap needs no note; without a head, a new epoch begins anyway."""
    note_gap(None)
    place = LogPlace(tmp_path, survives_restart=True)
    note_gap(place)
    assert list(tmp_path.iterdir()) == []
    place.log_directory.mkdir()
    note_gap(place)
    end_after_gap(place)
    assert list(tmp_path.rglob("*")) == [place.log_directory]


def test_log_of_a_newer_version(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of a newer version is not changed."""
    note_gap(place)
    head = place.log_directory / "head"
    before = head.read_bytes()
    monkeypatch.setattr("gateway_shim.event_log.segments.layout.VERSION", 0)
    with pytest.raises(LogUnavailable, match="newer version"):
        end_after_gap(place)
    assert head.read_bytes() == before
