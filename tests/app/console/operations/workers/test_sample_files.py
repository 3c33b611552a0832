"""The files in which workers leave their samples."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.console.operations.workers.merging import Series
from app.console.operations.workers.sample_files import SampleFiles
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.places.place import LogPlace
from tests.app.console.operations.samples import sample

KEPT = 4


class Process:
    """A worker process and its files."""

    def __init__(self, place: LogPlace) -> None:
        self.folder = WorkersFolder(lambda: place)
        self.folder.open()
        self.files = SampleFiles(self.folder, 5.0, KEPT)

    def own(self) -> Path:
        """Return the file of this process."""
        return self.folder.directory / f"samples-{self.folder.process}"

    def read(self) -> dict[int, Series]:
        """Return the samples by worker."""
        return {series.worker: series for series in self.files.read().values()}

    def seconds(self, worker: int) -> list[int]:
        """Return the times of a worker's samples."""
        return [item.time // 1000 - 1000 for item in self.read()[worker].samples]


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    """Return the place of a server with two workers."""
    return LogPlace(tmp_path, survives_restart=True, workers=2)


def test_each_reads_all(place: LogPlace) -> None:
    """Every worker reads the same samples, as they were taken."""
    one, two = Process(place), Process(place)
    one.files.write(1, sample(0, streams=5))
    two.files.write(2, sample(0, gateway=None))
    assert one.read() == two.read()
    assert one.read()[1].samples == [sample(0, streams=5)]
    assert one.read()[2].samples == [sample(0, gateway=None)]
    one.files.write(1, sample(5))
    assert two.seconds(1) == [0, 5]
    one.folder.close()
    two.folder.close()


def test_files_stay_short(place: LogPlace) -> None:
    """The newest samples are kept, and a file is written anew before it grows."""
    one, two = Process(place), Process(place)
    for at in range(0, 500, 5):
        one.files.write(1, sample(at))
        if at % 35 == 0:
            two.read()
        assert len(one.own().read_bytes().splitlines()) <= 1 + 2 * KEPT
    assert one.seconds(1) == two.seconds(1) == [480, 485, 490, 495]
    one.folder.close()
    two.folder.close()


def test_a_process_that_has_ended(place: LogPlace) -> None:
    """Its samples are shown for the time that is kept, and then its file is removed."""
    one, two = Process(place), Process(place)
    two.files.write(2, sample(0))
    one.files.write(1, sample(0))
    assert one.read()[2].is_running
    two.folder.close()  # killed
    assert not one.read()[2].is_running
    one.files.write(1, sample(15))
    assert one.read().keys() == {1, 2}
    one.files.write(1, sample(20))
    one.read()
    assert one.read().keys() == {1}
    assert not two.own().exists()
    one.folder.close()


def test_a_process_that_ends_its_samples(place: LogPlace) -> None:
    """A process that still says goodbye to its streams does not count as stuck."""
    one, two = Process(place), Process(place)
    two.files.end()
    assert one.read() == {}
    two.files.write(2, sample(0))
    two.files.end()
    assert not one.read()[2].is_running
    one.folder.close()
    two.folder.close()


def test_lines_that_cannot_be_read(place: LogPlace) -> None:
    """The beginning of a line waits for its end; a line of another version is passed over."""
    one, two = Process(place), Process(place)
    one.files.write(1, sample(0))
    line = one.own().read_bytes().splitlines(keepends=True)[1].replace(b"1000000", b"1005000")
    with one.own().open("ab") as file:
        file.write(b'[1,{"time":5}]\n[]\n5\n{"a":1}\nnonsense\n[1,[]]\n' + line[:20])
    assert two.seconds(1) == [0]
    with one.own().open("ab") as file:
        file.write(line[20:])
    assert two.seconds(1) == [0, 5]
    one.folder.close()
    two.folder.close()


def test_a_clock_that_was_set_back(place: LogPlace) -> None:
    """Samples of a later time than the newest one are of the wrong clock."""
    one = Process(place)
    for at in (3600, 3605, 0, 5):
        one.files.write(1, sample(at))
    assert one.seconds(1) == [0, 5]
    one.folder.close()


def test_a_disk_that_is_full(
    place: LogPlace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample that is not written is logged once, and written as soon as there is space."""
    one = Process(place)
    one.files.write(1, sample(0))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *_: 0)
        one.files.write(1, sample(5))
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        one.files.write(1, sample(10))
    assert len(caplog.records) == 1
    assert one.seconds(1) == [0]
    one.files.write(1, sample(15))
    assert one.seconds(1) == [0, 5, 10, 15]
    one.folder.close()
