"""The context in which steps run: one gateway, its stub backend, and the state of a scenario.

The actions of :mod:`gateway_shim.parity.play.actions` and the player know this module, and it
knows neither of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway_shim.parity.play import observation
from gateway_shim.parity.play.client import Client
from gateway_shim.parity.play.launcher import GatewayProcess
from gateway_shim.parity.play.probe import PATIENCE, NotHttp, ProbeConnection
from gateway_shim.parity.play.session import Session
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.scenario import Process

__all__ = ["PlayContext"]

_LEAST_PATIENCE = 0.5


class PlayContext:
    """A gateway that runs, its stub backend, and what a scenario has seen so far.

    Args:
        host: the address where the gateway listens.
        port: the gateway's port.
        backend: the stub backend that the gateway's CALLBACK_URL names.
        gateway: the gateway's process; None if the kit has not started the gateway.
        patience: how long to wait for anything that must happen, seconds.

    Call :meth:`begin` before each scenario and :meth:`end` after it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        backend: StubBackend,
        gateway: GatewayProcess | None,
        patience: float = PATIENCE,
    ) -> None:
        # For all scenarios:
        self.client = Client(host, port, patience)  # makes every request of the scenario
        self.backend = backend
        self.gateway = gateway
        self.patience = self._most_patience = patience  # seconds; :meth:`wait` changes the first
        self.processes = [] if gateway is None else [gateway]  # all gateways that run now
        self.heartbeat_seconds = Process().heartbeat_seconds  # the gateway's interval
        # For the scenario that is played:
        self.session: Session  # the callbacks, and the answers that they get
        self.streams: dict[str, ProbeConnection]  # by the stream's name in the scenario
        self.tokens: dict[str, str]  # by the stream's name
        # When each stream was requested, and when its head came, monotonic seconds:
        self.opened: dict[str, tuple[float, float]]
        self.answers: dict[str, ProbeConnection]  # answers to sends and requests, by name
        self.values: dict[str, Any]  # what steps have measured, by name
        self.process_ended: bool  # whether a step has ended the gateway
        self.begin()

    def begin(self) -> None:
        """Forget the previous scenario and begin a new session of the stub backend."""
        self.session = self.backend.begin(self._send_during_callback)
        self.streams = {}
        self.tokens = {}
        self.opened = {}
        self.answers = {}
        self.values = {}
        self.process_ended = False

    def end(self) -> None:
        """Let every held callback continue, and close every connection of the clients.

        The next scenario may begin when the backend has finished its answers.
        """
        self.session.end()
        self.client.close_all()
        self.backend.wait_idle(self.patience)

    def wait(self, happens: Callable[[float], bool]) -> bool:
        """Wait for something that should happen, with the patience that remains.

        Each wait in vain halves the patience, down to half a second, and each other wait doubles
        it, up to its first value. So a broken gateway fails within seconds, and one fault does not
        leave less time to what works.

        Args:
            happens: waits for the given number of seconds; returns False if it waited in vain.

        Returns:
            What ``happens`` returned.
        """
        happened = happens(self.patience)
        if happened:
            self.patience = min(self._most_patience, self.patience * 2)
        else:
            least = min(_LEAST_PATIENCE, self._most_patience)
            self.patience = max(least, self.patience / 2)
        return happened

    def send(self, body: Any, stream: str) -> ProbeConnection:
        """Send a body to the stream that has the given name in the scenario."""
        return self.client.send(body, self.tokens.get(stream))

    def _send_during_callback(self, body: Any) -> Any:
        try:
            return observation.answer(self.client.send(body, None))
        except (OSError, NotHttp) as exc:
            return {"failed": str(exc)}
