"""Scenarios that are played on several targets at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.runner import Runner
from gateway_shim.parity.play.targets import Target
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.thread_group import ThreadGroup

__all__ = ["play_on_all"]


def play_on_all(
    targets: Sequence[Target],
    scenarios: Sequence[Scenario],
    on_played: Callable[[Scenario], None] = lambda _scenario: None,
) -> list[dict[str, Any]]:
    """Play the same scenarios on all targets at the same time.

    Args:
        targets: the targets.
        scenarios: the scenarios.
        on_played: called with each scenario when a target has played it, from any thread.

    Returns:
        For each target what was seen, by scenario id.

    Raises:
        GatewayFailed: a gateway of one target failed; the other targets are stopped.
    """
    seen: list[dict[str, Any]] = [{} for _ in targets]
    failures: list[GatewayFailed] = []
    runners = [Runner(target, on_played) for target in targets]

    def play(index: int) -> None:
        try:
            seen[index] = runners[index].run(scenarios)
        except GatewayFailed as exc:
            failures.append(exc)
            for runner in runners:
                runner.stop()

    threads = ThreadGroup([partial(play, index) for index in range(len(targets))])
    try:
        threads.wait()
    finally:
        for runner in runners:
            runner.stop()
        threads.wait()
    if failures:
        raise failures[0]
    return seen
