"""Where scenarios are played: one gateway, one stub backend, one scenario at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway_shim.parity.play import observation, performance
from gateway_shim.parity.play.client import HOST_HEADER, Client
from gateway_shim.parity.play.launcher import GatewayProcess
from gateway_shim.parity.play.probe import PATIENCE, Connection, NotHttp, request_bytes
from gateway_shim.parity.play.session import Callback, Session
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.reply import AT_ONCE
from gateway_shim.parity.scenario import Scenario

__all__ = ["Stage"]

_LEAST_PATIENCE = 0.5
_FENCE_TARGET = "/parity/fence"
_DYING_SECONDS = 0.2  # a process that dies closes its sockets before it can be waited for


class Stage:
    """Plays scenarios on a gateway that runs.

    Args:
        host: where the gateway listens.
        port: its port.
        backend: the stub that its CALLBACK_URL names.
        gateway: its process, if it is ours.
        patience: how long to wait for what must happen, seconds.

    Between two calls of :meth:`play` everything that clients hold is closed.
    """

    def __init__(
        self,
        host: str,
        port: int,
        backend: StubBackend,
        gateway: GatewayProcess | None,
        patience: float = PATIENCE,
    ) -> None:
        self.client = Client(host, port, patience)
        self.backend = backend
        self.gateway = gateway
        self.patience = patience
        self.heartbeat_seconds = 15
        self.processes = [] if gateway is None else [gateway]
        self._begin()

    def _begin(self) -> None:
        self.session: Session = self.backend.begin(self._send_during)
        self.streams: dict[str, Connection] = {}
        self.tokens: dict[str, str] = {}
        self.opened: dict[str, float] = {}
        self.answers: dict[str, Connection] = {}
        self.values: dict[str, Any] = {}
        self.process_ended = False

    def play(self, scenario: Scenario) -> Any:
        """Play a scenario.

        Returns:
            What was seen, in the shape of its template; ``{"failed": why}`` if the gateway's
            behaviour made it impossible to go on.

        Raises:
            GatewayFailed: the gateway died.
        """
        self._begin()
        if scenario.process is not None:
            self.heartbeat_seconds = scenario.process.heartbeat_seconds
        try:
            for step in scenario.steps:
                performance.perform(self, step)
            if not self.process_ended:
                self._settle(scenario)
            seen = observation.resolve(scenario.observe, self._look_up())
        except (OSError, NotHttp) as exc:
            if self.gateway is not None:
                self.gateway.wait(_DYING_SECONDS)
                self.gateway.check_alive()
            seen = {"failed": str(exc)}
        finally:
            self.session.end()
            self.client.close_all()
        return observation.normalise(seen)

    def abort(self) -> None:
        """Have :meth:`play` end soon, from any thread: kills every process of this stage."""
        for process in list(self.processes):
            process.kill()

    def wait(self, happens: Callable[[float], bool]) -> bool:
        """Wait for something that should happen, with the patience that is left.

        A gateway that has kept us waiting for nothing gets half the time from then on:
        a broken one fails in seconds, and one that only is slow once is not called broken.

        Args:
            happens: waits for the given seconds; False if it was in vain.
        """
        happened = happens(self.patience)
        if not happened:
            self.patience = max(_LEAST_PATIENCE, self.patience / 2)
        return happened

    def send(self, body: Any, stream: str) -> Connection:
        """Send to a stream by its name."""
        return self.client.send(body, self.tokens.get(stream))

    def _send_during(self, body: Any) -> Any:
        try:
            return observation.answer(self.client.send(body, None))
        except (OSError, NotHttp) as exc:
            return {"failed": str(exc)}

    def _settle(self, scenario: Scenario) -> None:
        """Give callbacks that must not come the time to come, where callbacks are looked at."""
        words = ("$callback", "$calls", "$actions", "$reasons")
        if not any(word in str(scenario.observe) for word in words):
            return
        self.session.expect(AT_ONCE)
        connection = self.client.connect()
        request = request_bytes("GET", _FENCE_TARGET, (HOST_HEADER,))
        connection.write(request)
        connection.read_head(PATIENCE)
        time.sleep(scenario.settle_seconds)

    def _callbacks(self) -> list[Callback]:
        fences = {c.token for c in self.session.callbacks if _url(c) == _FENCE_TARGET}
        return [c for c in self.session.callbacks if c.token not in fences]

    def _about_stream(self, name: str) -> list[Callback]:
        token = self.tokens.get(name)
        return [c for c in self._callbacks() if token is not None and c.token == token]

    def _look_up(self) -> Mapping[str, Callable[[str], Any]]:
        callbacks = self._callbacks()
        reasons = [
            [c.action, c.json.get("reason") if isinstance(c.json, dict) else None]
            for c in callbacks
        ]
        everything = {**self.streams, **self.answers}
        return {
            "head": lambda name: observation.head(everything[name].head),
            "status": lambda name: head.status if (head := everything[name].head) else None,
            "header": lambda name: _header(everything[name.split(":")[0]], name.split(":")[1]),
            "body": lambda name: observation.body_of(everything[name]),
            "saw": lambda name: self._saw(*name.split(":", 1)),
            "ended": lambda name: everything[name].ended,
            "chunks": lambda name: [observation.as_text(c) for c in everything[name].chunks],
            "answer": lambda name: observation.answer(self.answers[name]),
            "value": lambda name: self.values.get(name),
            "about": lambda seconds: self._about(float(seconds)),
            "during": lambda _name: list(self.session.during),
            "callbacks": lambda _name: [observation.callback(c) for c in callbacks],
            "callbacks_of": lambda name: [
                observation.callback(c) for c in self._about_stream(name)
            ],
            "asked": lambda name: bool(self._about_stream(name)),
            "connects": lambda name: [
                c.action for c in self._about_stream(name) if c.action != "disconnect"
            ],
            "calls": lambda _name: [f"{c.method} {c.path} {c.action or '-'}" for c in callbacks],
            "callback_texts": lambda _name: [c.text for c in callbacks],
            "authorizations": lambda _name: [c.authorization for c in callbacks],
            "connections": lambda _name: len({c.connection for c in callbacks}),
            "actions": lambda _name: [c.action for c in callbacks],
            "reasons": lambda _name: reasons,
            "disconnects": lambda _name: [pair for pair in reasons if pair[0] == "disconnect"],
            "callback_url": lambda _name: _url(callbacks[0]) if callbacks else None,
            "url_length": lambda _name: len(str(_url(callbacks[0]))) if callbacks else None,
            "output_mentions": lambda word: (
                self.gateway is not None and word in self.gateway.last_output()
            ),
        }

    def _saw(self, stream: str, text: str) -> bool:
        return text in observation.as_text(self.streams[stream].body)

    def _about(self, seconds: float) -> str:
        took = float(self.values.get("seconds", 0.0))
        return f"about {seconds:g}" if abs(took - seconds) <= 1.0 else f"{took:.1f}"


def _header(connection: Connection, name: str) -> str | None:
    return None if connection.head is None else connection.head.get(name)


def _url(callback: Callback) -> Any:
    request = callback.json.get("request") if isinstance(callback.json, dict) else None
    return request.get("url") if isinstance(request, dict) else None
