"""The sampler: the samples of the last ten minutes, and what happens when one fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gevent
import pytest

from app.console.operations.feed import OperationsFeed
from app.console.operations.sample import Sample
from app.console.operations.sampler import KEPT_SAMPLES, Sampler
from app.console.operations.workers.sample_files import SampleFiles
from app.lifecycle import ShutdownCoordinator
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.places.place import LogPlace
from tests.app.console.operations.samples import LIMITS, sample
from tests.app.console.operations.test_feed import Streams
from tests.support.timing import TIME_LIMIT, wait_until


class Source:
    """A source of samples, which counts them."""

    def __init__(self) -> None:
        self.begun = 0
        self.read_so_far = 0
        self.error: Exception | None = None

    def begin(self) -> None:
        """Count the beginnings."""
        self.begun += 1

    def read(self) -> Sample:
        """Return the next sample."""
        if self.error is not None:
            raise self.error
        self.read_so_far += 1
        return sample(5 * self.read_so_far, streams=950)


class Sampling:
    """A sampler, its source and the streams that it sends to."""

    def __init__(self, **options: Any) -> None:
        self.source, self.streams = Source(), Streams("me")
        self.coordinator = ShutdownCoordinator(0.0)
        feed = OperationsFeed(self.streams)
        feed.watch("me")
        self.sampler = Sampler(self.source, lambda: LIMITS, feed, self.coordinator, **options)

    @property
    def times(self) -> list[int]:
        """The times of the kept samples, seconds after the first."""
        return [item["time"] // 1000 - 1000 for item in self.sampler.state()["samples"]]


def test_a_sample_is_kept_and_sent() -> None:
    """A sample is kept for those who open the page, and sent, with the warnings, to those there."""
    sampling = Sampling()
    sampling.sampler.take()
    gevent.sleep(0)
    state = sampling.sampler.state()
    assert [item["streams"] for item in state["samples"]] == [950]
    assert (state["interval_seconds"], state["kept_samples"]) == (5.0, KEPT_SAMPLES)
    assert state["limits"] == LIMITS.as_json()
    assert [(item["kind"], item["level"]) for item in state["warnings"]] == [
        ("max_streams", "warning")
    ]
    assert sampling.streams.sent == [("me", state["samples"][0] | {"warnings": state["warnings"]})]


def test_ten_minutes_are_kept() -> None:
    """The oldest sample goes when a newer one comes."""
    sampling = Sampling()
    for _ in range(KEPT_SAMPLES + 2):
        sampling.sampler.take()
    assert sampling.times == list(range(15, 5 * (KEPT_SAMPLES + 3), 5))


def test_an_error_leaves_a_gap(caplog: pytest.LogCaptureFixture) -> None:
    """An error is logged once until it is over, and the samples go on."""
    sampling = Sampling()
    for error in (RuntimeError("a"), RuntimeError("b"), None, RuntimeError("c")):
        sampling.source.error = error
        sampling.sampler.take()
    assert [record.getMessage() for record in caplog.records] == [
        "no sample of the server's figures could be taken"
    ] * 2
    assert sampling.times == [5]


def test_it_samples_while_the_process_serves() -> None:
    """The samples come in intervals from the start to the SHUTDOWN; a second start is nothing."""
    sampling = Sampling(interval=0.001)
    sampling.sampler.stop()
    sampling.sampler.start()
    sampling.sampler.start()
    assert sampling.source.begun == 1
    wait_until(lambda: sampling.source.read_so_far > 3, "samples")
    greenlet = sampling.sampler._greenlet
    assert greenlet is not None
    sampling.coordinator.shutdown()
    greenlet.join(TIME_LIMIT)
    assert greenlet.dead
    assert sampling.sampler._greenlet is None


def test_a_slow_sample_does_not_delay_the_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are due at fixed times; those whose time has passed are left out."""
    now, slept = [100.0], list[float]()
    sampling = Sampling(clock=lambda: now[0])

    class Enough(BaseException):
        """The test has seen enough."""

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        if len(slept) > 4:
            raise Enough

    def read() -> Sample:
        now[0] += (1.0, 12.0, 0.0, 0.0)[len(slept) - 1]
        return sample()

    sampling.source.read = read  # type: ignore[method-assign]
    monkeypatch.setattr(gevent, "sleep", sleep)
    with pytest.raises(Enough):
        sampling.sampler._run()
    assert slept == [5.0, 4.0, 0.0, 5.0, 5.0]


def test_several_workers_make_one_sample(tmp_path: Path) -> None:
    """Each worker sends the figures of all to its own consoles, and keeps the same history."""
    place = LogPlace(tmp_path, survives_restart=True, workers=2)
    folders = [WorkersFolder(lambda: place) for _ in range(2)]
    for folder in folders:
        folder.open()
    workers = [Sampling(folder=folder, interval=0.05) for folder in folders]

    def read() -> Sample:
        return replace(sample(streams=950), time=round(datetime.now(UTC).timestamp() * 1000))

    for worker in workers:
        worker.source.read = read  # type: ignore[method-assign]
        worker.sampler.start()
    wait_until(lambda: all(len(worker.streams.sent) > 2 for worker in workers), "samples")
    for worker in workers:
        worker.sampler.stop()
    for worker in workers:
        _, newest = worker.streams.sent[-1]
        assert newest["streams"] % 950 == 0
        assert newest["time"] % 50 == 0
        assert newest["workers"]
    states = [worker.sampler.state()["samples"] for worker in workers]
    assert states[0] == states[1]
    for folder in folders:
        folder.close()


def test_nothing_is_read_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose consoles are closed writes its sample and reads no others."""
    folder = WorkersFolder(lambda: LogPlace(tmp_path, survives_restart=True, workers=2))
    folder.open()
    read = []
    monkeypatch.setattr(SampleFiles, "read", lambda _: read.append(1) or {})
    feed, coordinator = OperationsFeed(Streams()), ShutdownCoordinator(0.0)
    sampler = Sampler(Source(), lambda: LIMITS, feed, coordinator, interval=0.01, folder=folder)
    sampler.take()
    assert read == []
    assert len(list(folder.directory.glob("samples-*"))) == 1
    sampler.state()
    assert read == [1]
    folder.close()
