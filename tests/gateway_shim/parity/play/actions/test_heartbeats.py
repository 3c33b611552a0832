"""The judgment of heartbeats, played on the shim."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import pytest

from gateway_shim.parity.play.launcher import GatewayProcess
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import AwaitHeartbeats, Open, Pause, Step

pytestmark = pytest.mark.slow

_OBSERVED = ["$value:first_after:s", "$value:apart:s"]


def _scenario(expected_seconds: int, *steps: Step, observe: Any = _OBSERVED) -> Scenario:
    return Scenario("s", steps, observe, process=Process(heartbeat_seconds=expected_seconds))


def _play(shim: Command, real_seconds: int, scenario: Scenario) -> Any:
    with shim.player(Process(heartbeat_seconds=real_seconds)) as player:
        return player.play(scenario)


def test_heartbeats_are_measured_in_intervals(shim: Command) -> None:
    """Heartbeats are measured from the opening and from each other."""
    observe = [*_OBSERVED, "$body:s"]
    seen = _play(shim, 1, _scenario(1, Open(), AwaitHeartbeats(2), observe=observe))
    assert seen == ["1 interval", "1 interval", ": heartbeat\n\n: heartbeat\n\n"]


def test_early_heartbeats_are_wrong(shim: Command) -> None:
    """A heartbeat is wrong if it comes long before the end of its interval."""
    first, apart = _play(shim, 1, _scenario(2, Open(), AwaitHeartbeats(2)))
    assert 0.9 < float(first.removesuffix(" s")) < 1.5
    assert apart.endswith(" s")


def test_late_heartbeats_are_wrong(shim: Command) -> None:
    """A heartbeat is wrong if the gateway writes something else after its time limit."""
    first, apart = _play(shim, 2, _scenario(1, Open(), AwaitHeartbeats(2)))
    assert float(first.removesuffix(" s")) > 1.5
    assert float(apart.removesuffix(" s")) > 1.5


def test_missing_heartbeats_are_wrong(shim: Command) -> None:
    """A heartbeat that does not come is shown as such."""
    assert _play(shim, 15, _scenario(1, Open(), AwaitHeartbeats(2))) == ["never", "never"]


def test_a_slow_kit_is_not_a_late_heartbeat(shim: Command) -> None:
    """A heartbeat that the kit reads late is right."""
    seen = _play(shim, 1, _scenario(1, Open(), Pause(1.6), AwaitHeartbeats(2)))
    assert seen == ["1 interval", "1 interval"]


def test_a_stopped_gateway_is_not_a_late_heartbeat(shim: Command) -> None:
    """A heartbeat is right if the gateway could not send it in time, and sends it as it can."""
    with shim.player(Process(heartbeat_seconds=1)) as player:
        assert player.gateway is not None
        pause = threading.Thread(target=_stop_for_a_while, args=(player.gateway,))
        pause.start()
        seen = player.play(_scenario(1, Open(), AwaitHeartbeats(2)))
        pause.join()
    assert seen == ["1 interval", "1 interval"]


def _stop_for_a_while(gateway: GatewayProcess) -> None:
    """Stop the gateway's processes from 0.7 s to 1.7 s: its first heartbeat is due at 1 s."""
    time.sleep(0.7)
    gateway._signal_group(signal.SIGSTOP)
    time.sleep(1.0)
    gateway._signal_group(signal.SIGCONT)
