"""The gateways of all workers, for ``GET /api/gateway``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.services.metrics.gateway_states import GatewayStates
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.log import LogStats
from gateway_shim.event_log.places.place import LogPlace
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from gateway_shim.streams.stats import GatewayStats
from tests.support.peers import PeerGroup


class FakeGateway:
    """A gateway with the figures of a test."""

    def __init__(self, stats: GatewayStats, last_event_id: str | None = None) -> None:
        self._stats = stats
        self.last_event_id = last_event_id

    def read_stats(self) -> GatewayStats:
        """Return the figures."""
        return self._stats


def states_of(
    group: PeerGroup, place: LogPlace, number: int, stats: GatewayStats, cursor: str | None = None
) -> tuple[GatewayStates, WorkersFolder]:
    """Return the states as one worker reads them, and its folder."""
    folder, refusals = WorkersFolder(lambda: place), RefusalCounts()
    folder.open()
    refusals.add(RefusalReason.CROSS_SITE)
    gateway = FakeGateway(stats, cursor)
    states = GatewayStates(lambda: gateway, refusals, group.join(), folder, lambda: number)  # type: ignore[arg-type, return-value]
    return states, folder


def test_one_worker_mentions_no_workers(tmp_path: Path) -> None:
    """The state is that of the process."""
    place = LogPlace(tmp_path, survives_restart=True)
    states, _ = states_of(PeerGroup(), place, 1, GatewayStats(active=4))
    answer = states.read()
    assert (answer.streams, answer.workers, answer.log) == (4, None, None)
    assert answer.requests_refused["cross_site"] == 1


def test_several_workers(tmp_path: Path) -> None:
    """The counts are added, the log is shared, and each worker is listed."""
    place, group = LogPlace(tmp_path, survives_restart=True, workers=2), PeerGroup()
    one = GatewayStats(
        active=2, opened=5, joiners=1, bytes_behind=10, log=LogStats(4, 5, 6, 7.0, in_memory=False)
    )
    two = GatewayStats(
        active=3, opened=6, joiners=2, bytes_behind=90, log=LogStats(4, 6, 7, 7.0, in_memory=False)
    )
    one.closed["error"] = 1
    two.closed["error"] = 2
    two.resyncs["lagging"] = 3
    first, first_folder = states_of(group, place, 1, one, "e-5")
    second, second_folder = states_of(group, place, 2, two, "e-6")
    answer = second.read()
    assert (answer.streams, answer.opened, answer.closed["error"]) == (5, 11, 3)
    assert answer.requests_refused["cross_site"] == 2
    assert answer.log is not None
    assert (answer.log.last_event_id, answer.log.newest_position) == ("e-6", 6)
    assert (answer.log.joiners, answer.log.behind_bytes) == (3, 90)
    assert answer.log.resyncs["lagging"] == 3
    assert answer.workers is not None
    assert [(state.worker, state.pid, state.streams) for state in answer.workers] == [
        (1, os.getpid(), 2),
        (2, os.getpid(), 3),
    ]
    assert first.read().streams == 5
    first_folder.close()
    second_folder.close()


def test_answers_that_do_not_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker of another version, and one of another server, are left out."""
    place, group = LogPlace(tmp_path / "a", survives_restart=True, workers=2), PeerGroup()
    states, folder = states_of(group, place, 1, GatewayStats(active=2))
    elsewhere = LogPlace(tmp_path / "b", survives_restart=True, workers=2)
    _, other_folder = states_of(group, elsewhere, 1, GatewayStats(active=9))
    group.join().when_asked("gateway_state", lambda _: {"streams": "many"})
    answer = states.read()
    assert (answer.streams, len(answer.workers or [])) == (2, 1)
    assert "cannot be read" in caplog.text
    folder.close()
    other_folder.close()
