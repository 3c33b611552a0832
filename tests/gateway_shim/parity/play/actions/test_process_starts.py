"""The start of gateways that may refuse to run."""

from __future__ import annotations

import sys

import pytest

from gateway_shim.parity.play.actions import process_starts
from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import AwaitExit, TryStart

pytestmark = pytest.mark.slow

_OBSERVE = ["$value:exit:attempt", "$value:answers:attempt"]


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({"CALLBACK_URL": "nonsense"}, [1, {}]),
        ({"CALLBACK_URL": "http://127.0.0.1:1/"}, [None, {"/stream": 503, "/readyz": 200}]),
    ],
)
def test_the_values_are_an_exit_status_or_answers(
    shim: Command, environment: dict[str, str], seen: list[object]
) -> None:
    """A gateway that ends shows its exit status; a gateway that runs shows its answers."""
    process = Process(start=False)
    with shim.player(process) as player:
        scenario = Scenario("s", (TryStart(environment),), _OBSERVE, process=process)
        assert player.play(scenario) == seen
        assert player.context.processes == [player.gateway]


def test_a_gateway_that_neither_runs_nor_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that neither becomes ready nor ends is a failure of its command."""
    monkeypatch.setattr(process_starts, "READY_SECONDS", 0.1)
    process = Process(start=False)
    sleeper = Command(f"'{sys.executable}' -c 'import time; time.sleep(60)'", patience=0.1)
    with sleeper.player(process) as player, pytest.raises(GatewayFailed, match="not ready within"):
        process_starts.try_start(player.context, TryStart({}))


def test_a_bad_environment_ends_the_process(shim: Command) -> None:
    """The values are the exit status and whether there was output; nothing keeps running."""
    with shim.player(Process(start=False)) as player:
        observe = ["$value:exit:x", "$value:logged:x"]
        seen = player.play(Scenario("s", (AwaitExit({"PORT": "x"}, "x"),), observe))
        left = player.context.processes
    assert (seen, [process.exit_status for process in left]) == ([1, True], [None])
