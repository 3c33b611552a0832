"""The player of scenarios: one gateway, one stub backend, one scenario at a time."""

from __future__ import annotations

import time
from typing import Any

from gateway_shim.parity.play import observation
from gateway_shim.parity.play.actions.dispatch import run_step
from gateway_shim.parity.play.client import HOST_HEADER
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.launcher import GatewayProcess
from gateway_shim.parity.play.placeholders import CALLBACK_KINDS, FENCE_TARGET, placeholders
from gateway_shim.parity.play.probe import PATIENCE, NotHttp, request_bytes
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.reply import AT_ONCE
from gateway_shim.parity.scenario import Scenario

__all__ = ["Player"]

_DYING_SECONDS = 0.2  # a process that dies closes its sockets before its exit can be waited for


class Player:
    """Plays scenarios on a gateway that runs.

    Args:
        host: the address where the gateway listens.
        port: the gateway's port.
        backend: the stub backend that the gateway's CALLBACK_URL names.
        gateway: the gateway's process; None if the kit has not started the gateway.
        patience: how long to wait for anything that must happen, seconds.

    Between two calls of :meth:`play` all connections of the clients are closed.
    """

    def __init__(
        self,
        host: str,
        port: int,
        backend: StubBackend,
        gateway: GatewayProcess | None,
        patience: float = PATIENCE,
    ) -> None:
        self.context = PlayContext(host, port, backend, gateway, patience)

    @property
    def gateway(self) -> GatewayProcess | None:
        """The gateway's process; None if the kit has not started the gateway."""
        return self.context.gateway

    def play(self, scenario: Scenario) -> Any:
        """Play a scenario.

        Returns:
            What was seen, in the shape of the scenario's template; ``{"failed": reason}`` if the
            gateway's behavior made it impossible to continue.

        Raises:
            GatewayFailed: the gateway died.
        """
        context = self.context
        context.begin()
        if scenario.process is not None:
            context.heartbeat_seconds = scenario.process.heartbeat_seconds
        try:
            for step in scenario.steps:
                run_step(context, step)
                context.backend.wait_closed(context.patience)
            if not context.process_ended:
                self._await_late_callbacks(scenario)
            seen = observation.resolve(scenario.observe, placeholders(context))
        except (OSError, NotHttp) as exc:
            if context.gateway is not None:
                context.gateway.wait(_DYING_SECONDS)
                context.gateway.check_alive()
            seen = {"failed": str(exc)}
        finally:
            context.end()
        return observation.normalise(seen)

    def abort(self) -> None:
        """Kill every gateway process of this player, so that :meth:`play` ends soon.

        Any thread may call this method.
        """
        for process in list(self.context.processes):
            process.kill()

    def _await_late_callbacks(self, scenario: Scenario) -> None:
        """Give unwanted callbacks the time to arrive, if the scenario looks at callbacks.

        A stream of the player's own comes first: callbacks that the gateway began before that
        stream's have probably arrived by then.
        """
        if not any(kind in str(scenario.observe) for kind in CALLBACK_KINDS):
            return
        self.context.session.expect(AT_ONCE)
        connection = self.context.client.connect()
        connection.write(request_bytes("GET", FENCE_TARGET, (HOST_HEADER,)))
        connection.read_head(PATIENCE)
        time.sleep(scenario.settle_seconds)
