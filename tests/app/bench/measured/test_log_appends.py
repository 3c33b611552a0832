"""The event log alone."""

from __future__ import annotations

import pytest

from app.bench.clients.helper import Helper
from app.bench.errors import BenchFailed
from app.bench.measured.log_appends import (
    BATCH,
    SharedLog,
    append_times_us,
    append_to_memory,
    append_to_segments,
    log_folder,
)
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from tests.support.timing import TIME_LIMIT

LOG = "app.bench.measured.log_appends"


def test_batches() -> None:
    """Each batch is timed, and its events are in the log."""
    log = MemoryLog(LogLimits())
    times = append_times_us(log, 3 * BATCH)
    assert len(times) == 3
    assert min(times) > 0
    assert log.newest == 3 * BATCH
    assert b'"event_type":"progress_update"' in bytes(log.read(0, 1)[0].frame)  # type: ignore[index]


def test_kinds() -> None:
    """A number of appends that is smaller than a batch is one batch."""
    assert len(append_to_memory(1)) == 1
    assert len(append_to_segments(1)) == 1


@pytest.mark.slow
def test_two_processes() -> None:
    """One process reads what the other appends, each event once."""
    with log_folder() as folder, Helper(LOG) as reader, Helper(LOG) as writer:
        for helper in (reader, writer):
            helper.call("open", folder=str(folder))
        reader.begin("read", events=3, seconds=TIME_LIMIT)
        writer.call("append", events=3, pause=0.001)
        delays = reader.finish()
        assert len(delays) == 3
        assert 0 < min(delays) <= max(delays) < TIME_LIMIT * 1e6
    assert not folder.exists()


def test_no_events() -> None:
    """Events that are late end the measurement."""
    with log_folder() as folder:
        log = SharedLog()
        log.open(str(folder))
        with pytest.raises(BenchFailed, match=r"0 of 1 entries after 0\.01 s"):
            log.read(1, 0.01)
        log.append(0, 0.0)


def test_not_open() -> None:
    """A log that is not open cannot be read."""
    with pytest.raises(BenchFailed, match="the log is not open"):
        SharedLog().read(1, 1.0)
