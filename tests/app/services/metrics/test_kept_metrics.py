"""The file of metrics that the workers keep together."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from app.services.metrics.families import Families, Family, SampleKey
from app.services.metrics.kept_metrics import Kept, KeptMetrics
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.places.place import LogPlace


def counted(number: float) -> Families:
    """Return metrics with one counter."""
    return {"n": Family("n", "counter", "Text", {SampleKey("n_total"): number})}


def value(families: Families) -> float:
    """Return the counter."""
    return families["n"].values[SampleKey("n_total")]


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    """Return the place of a server with two workers."""
    return LogPlace(tmp_path, survives_restart=True, workers=2)


def open_folder(place: LogPlace) -> WorkersFolder:
    """Return the folder of a process that has started."""
    folder = WorkersFolder(lambda: place)
    folder.open()
    return folder


def test_a_process_that_ends_stays_in_the_sum(place: LogPlace) -> None:
    """The counts of a process stay, whether it ends in order or is killed, and whoever looks."""
    one, two, three = (open_folder(place) for _ in range(3))
    kept = KeptMetrics(one).update(
        {one.process: counted(1), two.process: counted(2), three.process: counted(4)}
    )
    assert kept.processes.keys() == {one.process, two.process, three.process}
    KeptMetrics(two).end(counted(3))  # in order: with what it has counted since
    two.close()
    three.close()  # killed
    kept = KeptMetrics(one).update({one.process: counted(1)})
    assert (value(kept.ended), list(kept.processes)) == (7, [one.process])
    one.close()


def test_an_answer_from_before_the_end_is_not_counted_again(place: LogPlace) -> None:
    """A process may end between its answer and the moment at which the answer is kept."""
    one, two = open_folder(place), open_folder(place)
    KeptMetrics(two).end(counted(3))
    kept = KeptMetrics(one).update({one.process: counted(1), two.process: counted(2)})
    assert (value(kept.ended), list(kept.processes)) == (3, [one.process])
    one.close()
    two.close()


def test_a_process_that_is_silent_keeps_its_last_metrics(place: LogPlace) -> None:
    """A worker that runs and does not answer is still in the sum."""
    one, two = open_folder(place), open_folder(place)
    KeptMetrics(one).update({one.process: counted(1), two.process: counted(2)})
    kept = KeptMetrics(one).update({one.process: counted(1)})
    assert value(kept.processes[two.process]) == 2
    one.close()
    two.close()


def test_a_worker_that_was_stopped_holds_the_lock(place: LogPlace) -> None:
    """The scrape comes nevertheless, and changes nothing in the file."""
    one = open_folder(place)
    KeptMetrics(one).update({one.process: counted(1)})
    with (one.directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = KeptMetrics(one).update({one.process: counted(5)})
        assert value(kept.processes[one.process]) == 5
    assert value(Kept.decode((one.directory / "metrics.json").read_bytes()).processes[
        one.process
    ]) == 1  # fmt: skip
    one.close()


@pytest.mark.parametrize("content", [b"", b"[", b"[2,{},[],[]]", b"5", b'[1,{"a":5},[],[]]', b"{}"])
def test_a_damaged_file(place: LogPlace, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be read begins anew, and the log says so once."""
    one = open_folder(place)
    (one.directory / "metrics.json").write_bytes(content)
    metrics = KeptMetrics(one)
    assert value(metrics.update({one.process: counted(1)}).processes[one.process]) == 1
    assert len(caplog.records) == 1
    assert metrics.update({}).processes.keys() == {one.process}
    assert len(caplog.records) == 1
    one.close()


def test_a_folder_that_cannot_be_written(
    place: LogPlace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs only what is kept; the log says so once."""
    one = open_folder(place)
    metrics = KeptMetrics(one)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    for _ in range(2):
        assert one.process in metrics.update({one.process: counted(1)}).processes
    assert [record.message for record in caplog.records] == [
        "the figures of the workers cannot be kept; what ended workers have counted may be missing"
        " in the sums"
    ]
    one.close()


def test_names_are_bounded() -> None:
    """A server that replaces its workers for years does not remember all of them."""
    kept = Kept()
    for number in range(1100):
        kept.take({f"p{number}": counted(1)})
        kept.end([])
    assert (len(kept.ended_names), value(kept.ended)) == (1000, 1100)
    assert Kept.decode(kept.encode()) == kept
