"""Tests of a log that takes no entries for a time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments.segment_log import SegmentLog
from gateway_shim.protocol.event_stream import Event
from tests.gateway_shim.following_browser import Browser, publish
from tests.gateway_shim.running_gateway import RunningGateway


def test_no_space_for_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Publishing fails loudly, streams stay open, and it works again once there is space."""

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def open_log() -> SegmentLog:
        return SegmentLog(tmp_path / "log", LogLimits(1 << 16), signature="named")

    with RunningGateway(open_log=open_log) as running:
        browser = Browser(running)
        publish(running, "1")
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", no_space)
            for _ in range(3):
                with pytest.raises(LogUnavailable, match="free some space"):
                    running.gateway.publish(Event("n", "x" * 20_000))
            assert running.stats.appends_failed == 3
            (record,) = caplog.records
            assert "takes no events" in record.message
            assert "free some space" in record.__dict__["reason"]
            publish(running, "2")  # there is room in the segment
        publish(running, "y" * 20_000)
        assert browser.texts == ["1", "2", "y" * 20_000]
        assert [one.message for one in caplog.records[1:]] == ["the event log takes events again"]
        assert running.stats.resyncs.total() == 0
        assert running.stats.appends_failed == 3
