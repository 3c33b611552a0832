"""A gateway with many streams and a connection manager, with counters around both."""

from __future__ import annotations

import gc
import logging
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from app.bench.clients.browser import stream_request
from app.services.callback_handler import CallbackHandler
from app.services.connection_manager import ConnectionManager, ServiceType
from app.services.connections.publisher import GatewayPublisher
from app.services.gateway_transport import InProcessTransport
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.callbacks.backend import InProcessBackend
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway

__all__ = [
    "FEW",
    "MANY",
    "CountedGateway",
    "CountingHandler",
    "CountingMetrics",
    "CountingSocket",
    "browser_request",
    "note_encodings",
    "objects_of",
]

FEW, MANY = 50, 1000
"""The numbers of streams that the guards compare."""


class CountingSocket:
    """A stand-in for a stream's socket, which accepts all bytes and counts the calls."""

    def __init__(self, calls: Counter[str], real: Any) -> None:
        self._calls = calls
        self._real = real

    def send(self, data: bytes) -> int:
        """Count the call, and accept all bytes."""
        self._calls["send"] += 1
        return len(data)

    def close(self) -> None:
        """Close the real socket."""
        self._real.close()

    def __getattr__(self, name: str) -> Any:
        """Count the use of any other attribute, and return the real socket's."""
        self._calls[name] += 1
        return getattr(self._real, name)


class CountingMetrics:
    """Metrics that count the calls of every method."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return a method that counts its calls."""

        def count(*_: object) -> None:
            self.calls[name] += 1

        return count


class CountingHandler(logging.Handler):
    """A log handler that counts records of all levels."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count the record."""
        self.count += 1


def browser_request(number: int) -> StreamRequest:
    """Return the request of one browser, as the server's parser returns it."""
    first, *lines = stream_request(5000, number).decode().strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    url = first.split(" ")[1]
    return StreamRequest(url, {name.lower(): text for name, text in headers.items()}, address="::1")


class CountedGateway:
    """A context manager that opens streams, and closes them at the end.

    Args:
        streams: the number of streams.
        gateway: makes the gateway; a worse gateway proves that a guard can fail.
        manager: makes the connection manager.
        log: whether events go through a log.
    """

    def __init__(
        self,
        streams: int,
        gateway: type[Gateway] = Gateway,
        manager: type[ConnectionManager] = ConnectionManager,
        *,
        log: bool = False,
    ) -> None:
        self.streams = streams
        self.metrics = CountingMetrics()
        open_log = (lambda: MemoryLog(LogLimits())) if log else None
        self.gateway = gateway(InProcessBackend(self._handle), GatewayConfig(), open_log=open_log)
        publisher = GatewayPublisher(self.gateway) if log else None
        transport = InProcessTransport(self.gateway)
        self.manager = manager(transport, self.metrics, publisher=publisher)
        self._handler = CallbackHandler(self.manager)
        self.calls: Counter[str] = Counter()
        self._clients: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Open the streams."""
        self.gateway.start()
        for number in range(self.streams):
            ours, client = socket.socketpair()
            self._clients.append(client)
            assert self.gateway.open(browser_request(number), ours) is OpenResult.OPENED
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the streams."""
        self.gateway.stop()
        for client in self._clients:
            client.close()

    def count_calls(self) -> None:
        """Replace the sockets of all streams by sockets that count and send nothing."""
        for connection in self.gateway._streams.by_token.values():
            counting: Any = CountingSocket(self.calls, connection._sock)
            connection._sock = counting
            if connection.direct is not None:
                connection.direct = counting

    def stall(self) -> None:
        """Broadcast until the kernel takes nothing more for any stream, as no client reads."""
        connections = self.gateway._streams.by_token.values()
        while any(connection.backlog is None for connection in connections):
            self.broadcast()

    def broadcast(self) -> None:
        """Send one progress event to all streams."""
        data = {"event_type": "progress_update", "data": {"text": "x" * 100, "value": 0.5}}
        assert self.manager.send_event(None, data, "task_event", ServiceType.TASK)

    def _handle(self, payload: Mapping[str, Any]) -> CallbackAnswer:
        return CallbackAnswer(self._handler.handle(payload)[0])


def objects_of(run: Callable[[], object]) -> int:
    """Return how many more objects the garbage collector knows after a call than before."""
    gc.collect()
    before = len(gc.get_objects())
    run()
    gc.collect()
    return len(gc.get_objects()) - before


def note_encodings(monkeypatch: Any) -> list[object]:
    """Make every encoding of an event append the event to the returned list."""
    noted: list[object] = []
    encode = event_stream.encode

    def note(event: event_stream.Event, dialect: event_stream.Dialect) -> bytes:
        noted.append(event)
        return encode(event, dialect)

    monkeypatch.setattr(event_stream, "encode", note)
    return noted
