"""The runner: many scenarios at a time, and the end of a run that cannot continue."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.runner import Runner
from gateway_shim.parity.play.targets import NotPlayable
from gateway_shim.parity.scenario import Process, Scenario
from tests.support.timing import TIME_LIMIT


class _Player:
    """A player that passes each scenario to its target."""

    gateway = None

    def __init__(self, target: _Target) -> None:
        self._target = target

    def play(self, scenario: Scenario) -> Any:
        return self._target.play(scenario)

    def abort(self) -> None:
        self._target.aborted.set()


class _Target:
    """A target without a gateway."""

    name = "fake"

    def __init__(self, players_at_once: int = 1, starts_gateways: bool = True) -> None:
        self.players_at_once = players_at_once
        self.starts_gateways = starts_gateways
        self.order: list[str] = []
        self.processes: list[Process] = []
        self.aborted = threading.Event()
        self.fails = False

    def play(self, scenario: Scenario) -> Any:
        self.order.append(scenario.id)
        return {"seen": scenario.id}

    @contextlib.contextmanager
    def player(self, process: Process) -> Iterator[Any]:
        if self.fails:
            raise GatewayFailed("no such gateway")
        self.processes.append(process)
        yield _Player(self)


def _scenario(name: str, seconds: float = 0.0, process: Process | None = None) -> Scenario:
    return Scenario(name, (), {}, seconds=seconds, process=process)


def test_everything_is_played_once_the_long_ones_first() -> None:
    """Shared scenarios share one player, longest first, and the others have their own."""
    target = _Target()
    own = Process(heartbeat_seconds=1)
    played: list[str] = []
    runner = Runner(target, lambda scenario: played.append(scenario.id))
    seen = runner.run([_scenario("a"), _scenario("long", 9), _scenario("own", 1, own)])
    assert seen == {name: {"seen": name} for name in ("a", "long", "own")}
    assert [name for name in target.order if name != "own"] == ["long", "a"]
    assert sorted(played) == ["a", "long", "own"]
    assert sorted(target.processes, key=str) == sorted([Process(), own], key=str)


def test_scenarios_run_side_by_side() -> None:
    """As many scenarios run at the same time as the target has players."""
    target = _Target(players_at_once=2)
    met = threading.Barrier(2, timeout=TIME_LIMIT)
    target.play = lambda scenario: met.wait() >= 0  # type: ignore[method-assign]
    assert Runner(target).run([_scenario("a", 1), _scenario("b", 1)]) == {"a": True, "b": True}


def test_few_short_scenarios_share_one_gateway() -> None:
    """The start of another gateway takes longer than a few short scenarios, but not than many."""
    started = []
    for count in (1, 30, 300):
        target = _Target(players_at_once=4)
        assert len(Runner(target).run([_scenario(f"{n}") for n in range(count)])) == count
        started.append(len(target.processes))
    assert started == [1, 1, 4]


def test_a_scenario_that_must_be_alone_is_played_last_and_alone() -> None:
    """Nothing is played beside such a scenario, not even another one of its kind."""
    target = _Target(players_at_once=2)
    playing: list[str] = []
    beside: dict[str, list[str]] = {}

    def play(scenario: Scenario) -> bool:
        beside[scenario.id] = list(playing)
        playing.append(scenario.id)
        time.sleep(0.01)
        playing.remove(scenario.id)
        return True

    target.play = play  # type: ignore[method-assign]
    others = [_scenario(f"{n}", 1, process) for n, process in enumerate([None, Process()] * 3)]
    crowds = [_scenario(name, 9, Process(alone=True)) for name in ("x", "y")]
    Runner(target).run(crowds + others)
    assert list(beside)[-2:] == ["x", "y"]
    assert (beside["x"], beside["y"]) == ([], [])


def test_a_target_without_processes_skips_scenarios_that_need_one() -> None:
    """A scenario that needs its own process is missing from the result."""
    seen = Runner(_Target(starts_gateways=False)).run(
        [_scenario("a"), _scenario("b", 0, Process()), _scenario("c", 0, Process(alone=True))]
    )
    assert seen == {"a": {"seen": "a"}}


def test_a_command_that_does_not_start_is_tried_once() -> None:
    """A command that does not start is tried once, not once for each scenario."""
    target = _Target()
    target.fails = True
    with pytest.raises(GatewayFailed, match="no such gateway"):
        Runner(target).run([_scenario("a"), *(_scenario(f"{n}", 0, Process()) for n in range(9))])
    assert target.processes == []


def test_an_odd_process_that_does_not_start_is_an_observation() -> None:
    """A refusal to start with an odd configuration is recorded, and the run continues."""
    target = _Target()
    odd = Process(callback="http://:$PORT")

    @contextlib.contextmanager
    def player(process: Process) -> Iterator[Any]:
        if process == odd:
            raise GatewayFailed("it ended")
        yield _Player(target)

    target.player = player  # type: ignore[method-assign]
    played: list[str] = []
    runner = Runner(target, lambda scenario: played.append(scenario.id))
    seen = runner.run([_scenario("a"), *(_scenario(f"{n}", 0, odd) for n in range(20))])
    assert seen == {"a": {"seen": "a"}, **{f"{n}": {"failed": "it ended"} for n in range(20)}}
    assert len(played) == len(seen)


def test_a_scenario_that_cannot_be_played_is_missing() -> None:
    """A scenario that this machine cannot play is neither a failure nor in the result."""
    target = _Target()

    @contextlib.contextmanager
    def player(process: Process) -> Iterator[Any]:
        raise NotPlayable("no IPv6 here")
        yield

    target.player = player  # type: ignore[method-assign]
    played: list[str] = []
    runner = Runner(target, lambda scenario: played.append(scenario.id))
    assert (runner.run([_scenario("a", 0, Process())]), played) == ({}, ["a"])


def test_the_death_of_a_gateway_aborts_other_scenarios() -> None:
    """The death of a gateway aborts the scenarios that are being played elsewhere."""
    target = _Target(players_at_once=2)
    playing = threading.Event()

    def play(scenario: Scenario) -> Any:
        if scenario.id == "dies":
            assert playing.wait(TIME_LIMIT)
            raise GatewayFailed("it died")
        playing.set()
        return target.aborted.wait(TIME_LIMIT)

    target.play = play  # type: ignore[method-assign]
    with pytest.raises(GatewayFailed, match="it died"):
        Runner(target).run([_scenario("waits", 1), _scenario("dies", 1), _scenario("never")])
    assert target.aborted.is_set()


def test_a_player_that_is_ready_after_the_end_plays_nothing() -> None:
    """A gateway that becomes ready after the run was stopped plays nothing."""
    target = _Target()
    runner = Runner(target)

    @contextlib.contextmanager
    def player(process: Process) -> Iterator[Any]:
        runner.stop()
        yield _Player(target)

    target.player = player  # type: ignore[method-assign]
    assert (runner.run([_scenario("a", 0, Process())]), target.order) == ({}, [])


def test_many_wrong_answers_end_the_run() -> None:
    """A dozen failures end the run."""
    target = _Target()
    target.play = lambda scenario: {"failed": "nonsense"}  # type: ignore[method-assign]
    with pytest.raises(GatewayFailed, match=r"does not answer like a gateway \(nonsense\)"):
        Runner(target).run([_scenario(f"{n}") for n in range(50)])


def test_a_run_without_scenarios_starts_no_gateway() -> None:
    """A run without scenarios starts no gateway."""
    target = _Target()
    assert (Runner(target).run([]), target.processes) == ({}, [])
