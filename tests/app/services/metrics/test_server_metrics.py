"""The metrics of a whole server, from any of its workers."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest

from app.services.metrics.server_metrics import ServerMetrics
from app.services.metrics_service import MetricsService
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.places.place import LogPlace
from gateway_shim.streams.stats import GatewayStats
from tests.app.services.metrics.exposition import checked
from tests.support.peers import FakePeers, PeerGroup

OPENED = 'sse_gateway_connections_total{action="connect"}'


class Worker:
    """One worker of a server."""

    def __init__(self, group: PeerGroup, place: LogPlace | None, number: int) -> None:
        self.peers: FakePeers = group.join()
        self.own = MetricsService("1")
        self.folder = WorkersFolder(lambda: place)
        self.metrics = ServerMetrics(self.own, self.peers, self.folder, lambda: number)
        self.metrics.start()

    def open_streams(self, count: int) -> None:
        """Count streams that have opened."""
        for _ in range(count):
            self.own.connection_opened()
        self.own.set_active_connections(count)

    def scrape(self) -> dict[str, float]:
        """Return what a scrape of this worker shows."""
        return checked(self.metrics.render())

    def end(self) -> None:
        """End in order."""
        self.metrics.close()
        self.peers.leave()

    def be_killed(self) -> None:
        """End without any work; the kernel releases the lock of the mark."""
        self.folder.close()
        self.peers.leave()


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    """Return the place of a server with two workers."""
    return LogPlace(tmp_path, survives_restart=True, workers=2)


def test_any_worker_shows_all(place: LogPlace) -> None:
    """Each worker shows the sums, each worker beside them, and the number of workers."""
    group = PeerGroup()
    one, two = Worker(group, place, 1), Worker(group, place, 2)
    one.open_streams(2)
    two.open_streams(3)
    for values in (one.scrape(), two.scrape()):
        assert values[OPENED] == 5
        assert values["sse_gateway_active_connections"] == 5
        assert values['sse_worker_streams{worker="1"}'] == 2
        assert values['sse_worker_streams{worker="2"}'] == 3
        assert (values["sse_workers"], values["sse_workers_silent"]) == (2, 0)
        assert values["sse_workers_expected"] == 2
    one.end()
    two.end()


def test_one_worker_is_shown_as_ever(tmp_path: Path) -> None:
    """A server with one worker has no new names, no labels, and no files."""
    place = LogPlace(tmp_path, survives_restart=True)
    group = PeerGroup()
    old, new = Worker(group, place, 1), Worker(group, place, 1)  # a reload
    old.open_streams(1)
    assert old.scrape().keys() == checked(old.own.render()).keys()
    assert new.scrape()[OPENED] == 0
    old.end()
    assert new.scrape()[OPENED] == 0
    assert list(tmp_path.iterdir()) == []


def test_counts_never_go_back(place: LogPlace) -> None:
    """A worker that ends in order loses nothing; one that is killed: what came after the scrape."""
    group = PeerGroup()
    one, two, three = (Worker(group, place, number) for number in (1, 2, 3))
    for worker in (one, two, three):
        worker.open_streams(2)
    assert one.scrape()[OPENED] == 6
    two.open_streams(1)
    two.end()
    three.open_streams(1)
    three.be_killed()
    successor = Worker(group, place, 2)
    for values in (one.scrape(), successor.scrape()):
        assert values[OPENED] == 7
        assert values["sse_gateway_active_connections"] == 2
        assert values["sse_workers"] == 2
        assert 'sse_worker_streams{worker="3"}' not in values
    one.end()
    assert successor.scrape()[OPENED] == 7
    successor.end()


def test_counts_of_a_worker_are_those_of_its_number(place: LogPlace) -> None:
    """The counters of one worker go on after it was replaced."""
    group = PeerGroup()
    one, two = Worker(group, place, 1), Worker(group, place, 2)
    blocked = 'sse_worker_event_loop_blocked_seconds_total{worker="2"}'
    two.own.loop_measured(0.5, 0.5)
    two.end()
    two = Worker(group, place, 2)
    two.own.loop_measured(0.25, 0.25)
    values = one.scrape()
    assert (values[blocked], values["event_loop_blocked_seconds_total"]) == (0.75, 0.75)
    assert values['sse_worker_event_loop_lag_seconds{worker="2"}'] == 0.25
    one.end()
    two.end()


def test_a_worker_that_does_not_answer(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last figures are shown, and a metric says that they are old."""
    group = PeerGroup()
    one, two = Worker(group, place, 1), Worker(group, place, 2)
    two.open_streams(3)
    assert one.scrape()[OPENED] == 3
    monkeypatch.setattr(FakePeers, "ask", lambda *_, **__: [])
    values = one.scrape()
    assert values[OPENED] == 3
    assert values['sse_worker_streams{worker="2"}'] == 3
    assert (values["sse_workers"], values["sse_workers_silent"]) == (2, 1)
    one.end()
    two.end()


def test_the_time_limit_of_an_answer(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape must come within about 2 seconds."""
    limits = []
    monkeypatch.setattr(FakePeers, "ask", lambda *_, seconds, **__: limits.append(seconds) or [])
    one = Worker(PeerGroup(), place, 1)
    one.scrape()
    assert limits
    assert max(limits) <= 1.0
    one.end()


def test_an_answer_of_another_version(
    place: LogPlace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that cannot be read counts as silence, and the others are shown."""
    group = PeerGroup()
    one, two = Worker(group, place, 1), Worker(group, place, 2)
    two.peers.when_asked("metrics", lambda _: {"process": two.folder.process, "families": [5]})
    values = one.scrape()
    assert (values["sse_workers"], values["sse_workers_silent"]) == (2, 1)
    assert "cannot be read" in caplog.text
    one.end()
    two.end()


def test_other_servers_are_not_counted(place: LogPlace, tmp_path: Path) -> None:
    """Servers may share a log through an engine; each of them is scraped for itself."""
    group = PeerGroup()
    here = Worker(group, place, 1)
    folder = tmp_path / "other"
    folder.mkdir()
    there = Worker(group, LogPlace(folder, survives_restart=True, workers=2), 1)
    there.open_streams(5)
    assert here.scrape()[OPENED] == 0
    here.end()
    there.end()


def test_a_new_server_begins_at_zero(place: LogPlace) -> None:
    """The counts of an earlier run in the same directory are removed."""
    old = Worker(PeerGroup(), place, 1)
    old.open_streams(5)
    old.end()
    new = Worker(PeerGroup(), LogPlace(place.directory, survives_restart=True, workers=2), 1)
    assert new.scrape()[OPENED] == 0
    assert len(list((place.directory / "workers").iterdir())) == 1
    new.end()


def test_many_scrapes_at_once_ask_once(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of scrapes does not multiply with the workers."""
    asked = []

    def ask(*_: object, **__: object) -> list[object]:
        asked.append(1)
        gevent.sleep(0.01)
        return []

    monkeypatch.setattr(FakePeers, "ask", ask)
    one = Worker(PeerGroup(), place, 1)
    scrapes = [gevent.spawn(one.metrics.render) for _ in range(20)]
    assert len({scrape.get() for scrape in scrapes}) == 1
    assert len(asked) == 1
    one.scrape()
    assert len(asked) == 2
    one.end()


def test_a_scrape_whose_client_leaves(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other clients that wait for the same scrape get it."""
    monkeypatch.setattr(FakePeers, "ask", lambda *_, **__: gevent.sleep(0.01) or [])
    one = Worker(PeerGroup(), place, 1)
    first, second = gevent.spawn(one.metrics.render), gevent.spawn(one.metrics.render)
    gevent.sleep(0)
    first.kill()
    assert b"sse_workers 1.0" in second.get()
    one.end()


def test_events_of_another_worker_are_delivered_here(place: LogPlace) -> None:
    """The streams of a worker that did not publish an event count as deliveries, too."""
    one = Worker(PeerGroup(), place, 1)
    stats = GatewayStats()
    one.own.watch_gateway(lambda: stats)
    one.own.broadcast_finished(2, 0.001)
    stats.delivered_for_others = 5
    for _ in range(2):
        assert one.scrape()["sse_gateway_broadcast_deliveries_total"] == 7
    assert checked(one.own.render())["sse_gateway_broadcast_deliveries_total"] == 7
    one.end()
