"""The kept samples of a process, or of all workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.console.operations.workers import server_samples
from app.console.operations.workers.merging import merge
from app.console.operations.workers.server_samples import ServerSamples
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.places.place import LogPlace
from tests.app.console.operations.samples import sample


class Worker:
    """A worker with a clock that stands still."""

    def __init__(self, place: LogPlace | None, number: int, kept: int = 3) -> None:
        self.now = 1000.5
        self.folder = WorkersFolder(lambda: place)
        self.folder.open()
        self.samples = ServerSamples(
            5.0, kept, self.folder, number=lambda: number, now=lambda: self.now
        )

    def streams(self) -> list[int]:
        """Return the streams of each sample."""
        samples, for_page = self.samples.read()
        assert for_page == [item.as_json() for item in samples]
        return [item.streams for item in samples]


def test_one_worker() -> None:
    """The newest samples of the process are kept, unchanged, and nothing is shared."""
    worker = Worker(None, 1)
    for streams in range(5):
        worker.samples.add(sample(5 * streams, streams=streams))
    assert worker.streams() == [2, 3, 4]
    assert "workers" not in worker.samples.read()[1][0]
    assert not worker.samples.are_shared
    worker.samples.end()


def test_several_workers(tmp_path: Path) -> None:
    """Each worker has the same history, also one that has just begun."""
    place = LogPlace(tmp_path, survives_restart=True, workers=2)
    one, two = Worker(place, 1), Worker(place, 2)
    one.samples.add(sample(0, streams=1))
    two.samples.add(sample(0, streams=2))
    assert one.streams() == two.streams() == [3]
    one.now = two.now = 1005.1  # the second worker may not have written yet
    one.samples.add(sample(5, streams=1))
    assert one.streams() == two.streams() == [3]
    one.now = two.now = 1005.5
    two.samples.add(sample(5, streams=5))
    assert one.streams() == two.streams() == [3, 6]
    one.samples.end()
    one.folder.close()
    new = Worker(place, 1)
    new.now = 1006.0
    assert new.streams() == [3, 6]
    assert len(new.samples.read()[1][0]["workers"]) == 2
    for worker in (two, new):
        worker.folder.close()


def test_samples_are_taken_at_the_same_moments() -> None:
    """The next sample is due at the next multiple of the interval, whenever a worker began."""
    worker = Worker(None, 1)
    for now, seconds in ((1000.0, 5.0), (1000.5, 4.5), (1004.75, 0.25)):
        worker.now = now
        assert worker.samples.seconds_to_next() == seconds
    assert worker.samples.gathering_seconds == 0.5


def test_what_is_settled_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each read makes the newest samples only, and shows the same as a worker that makes all."""
    place = LogPlace(tmp_path, survives_restart=True, workers=2)
    one, two = Worker(place, 1, kept=20), Worker(place, 2, kept=20)
    ranges = []
    monkeypatch.setattr(
        server_samples, "merge", lambda *args: ranges.append(args[3] - args[2]) or merge(*args)
    )
    for at in range(0, 200, 5):
        one.now = two.now = 1000.5 + at
        one.samples.add(sample(at, streams=at))
        if at % 15:
            two.samples.add(sample(at, streams=1000))
        shown = one.streams()
        if at == 150:
            fresh = Worker(place, 3, kept=20)
            fresh.now = one.now
            assert fresh.streams() == shown
            fresh.folder.close()
        assert len(shown) == min(at // 5 + 1, 20)
    assert [number for number in ranges[10:] if number > 6] == [20], "only the fresh worker's"
    two.folder.close()
    assert one.streams()[-1] == 195
    assert ranges[-1] == 20
    one.folder.close()
