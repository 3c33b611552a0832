"""Work without end goes on after an error."""

from __future__ import annotations

from typing import NoReturn

import gevent
import pytest

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.event_log.segment import Entry
from gateway_shim.streams.replay import endless
from tests.gateway_shim.following_browser import Browser
from tests.gateway_shim.running_gateway import RunningGateway


def test_work_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Each error is logged, and the work is called again until its greenlet is killed."""
    monkeypatch.setattr(endless, "PAUSE_SECONDS", 0)
    calls = []

    def work() -> NoReturn:
        calls.append(len(calls))
        raise ValueError if len(calls) < 3 else gevent.GreenletExit

    gevent.spawn(endless.repeat, work).join()
    assert calls == [0, 1, 2]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_the_follower_survives_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error while an entry of another process is read is logged, and the entry arrives."""
    monkeypatch.setattr(endless, "PAUSE_SECONDS", 0)
    log = MemoryLog(LogLimits(1 << 20), epoch="e")
    with RunningGateway(open_log=lambda: log) as running:
        browser = Browser(running)
        read = log.read

        def fail_once(after: int, limit: int) -> list[Entry] | None:
            monkeypatch.setattr(log, "read", read)
            raise ValueError

        monkeypatch.setattr(log, "read", fail_once)
        log.append("*", b"event: n\ndata: 1\n\n")
        browser.wait_for("1")
        log.append("*", b"event: n\ndata: 2\n\n")
        browser.wait_for("2")
        assert "the delivery of events has failed and is tried again" in caplog.messages
