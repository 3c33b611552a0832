"""The cost of one delivery and its parts: ``python -m tests.bench.cost [STREAMS]``.

The script broadcasts to real sockets over loopback, whose clients are in another process. Then it
broadcasts to sockets whose ``send`` does nothing, which leaves the part that Python adds. The parts
are timed in turn, in one run, by the CPU time of the process. So other work on the machine changes
little but the caches.
"""

from __future__ import annotations

from gateway_shim.event_loop.patching import patch_process

patch_process()

import _socket  # noqa: E402
import os  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.socket import socket as gevent_socket  # noqa: E402

from gateway_shim.event_log.limits import LogLimits  # noqa: E402
from gateway_shim.event_log.memory_log import MemoryLog  # noqa: E402
from gateway_shim.event_loop.turns import let_others_run  # noqa: E402
from gateway_shim.protocol.callbacks import CallbackAnswer  # noqa: E402
from gateway_shim.protocol.event_stream import Dialect, Event, encode, frame  # noqa: E402
from gateway_shim.protocol.results import OpenResult  # noqa: E402
from gateway_shim.protocol.stream_request import StreamRequest  # noqa: E402
from gateway_shim.streams.callbacks.backend import InProcessBackend  # noqa: E402
from gateway_shim.streams.config import GatewayConfig  # noqa: E402
from gateway_shim.streams.gateway import Gateway  # noqa: E402

ROUNDS = 15
EVENT = Event("task_event", '{"event_type":"progress_update","data":{"text":"%s"}}' % ("x" * 150))
BYTES = frame(encode(EVENT, Dialect.NAMED)).chunked

READER = """
import select, socket, sys
poll, socks = select.epoll(), []
for _ in range(int(sys.argv[2])):
    socks.append(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    poll.register(socks[-1].fileno(), select.EPOLLIN)
socks = {sock.fileno(): sock for sock in socks}
while True:
    for number, _ in poll.poll():
        if not socks[number].recv(1 << 18):
            sys.exit()
"""


class Nothing:
    """A socket whose ``send`` does nothing."""

    def send(self, data: bytes) -> int:
        """Return the length of the data."""
        return len(data)


def open_streams(gateway: Gateway, count: int) -> subprocess.Popen[bytes]:
    """Open streams to a reader in another process."""
    listener = _socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(count)
    port = listener.getsockname()[1]
    reader = subprocess.Popen([sys.executable, "-c", READER, str(port), str(count)])
    for number in range(count):
        descriptor = listener._accept()[0]  # type: ignore[attr-defined]
        sock = gevent_socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, descriptor)
        request = StreamRequest(f"/api/sse/stream?request_id={number}", {"host": "x"})
        assert gateway.open(request, sock) is OpenResult.OPENED
    listener.close()
    return reader


def timed(work: Callable[[], Any], streams: int) -> float:
    """Return the CPU time of one call, nanoseconds per stream."""
    gevent.sleep(0.05)  # the reader catches up
    started = time.process_time_ns()
    work()
    return (time.process_time_ns() - started) / streams


def main() -> None:
    """Measure and print the costs."""
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    gateway = Gateway(InProcessBackend(lambda _: CallbackAnswer(200)), GatewayConfig())
    reader = open_streams(gateway, streams)
    logged = Gateway(
        InProcessBackend(lambda _: CallbackAnswer(200)),
        GatewayConfig(),
        open_log=lambda: MemoryLog(LogLimits()),
    )
    logged.start()
    logged_reader = open_streams(logged, streams)
    tokens = tuple(gateway._streams.by_token)
    connections = list(gateway._streams.by_token.values())
    sockets = [connection._sock for connection in connections]

    def bare() -> None:
        for sock in sockets:
            sock.send(BYTES)

    def broadcast() -> None:
        assert gateway.broadcast(tokens, EVENT).delivered == streams

    def publish() -> None:
        assert logged.publish(EVENT).delivered == streams

    def broadcast_into_nothing() -> None:
        nothing: Any = Nothing()
        for connection in connections:
            connection.direct = nothing
        gevent.sleep(0.05)
        broadcast_started = time.process_time_ns()
        broadcast()
        spent.append((time.process_time_ns() - broadcast_started) / streams)
        for connection, sock in zip(connections, sockets, strict=True):
            connection.direct = sock

    def calls_of_nothing() -> None:
        nothing = Nothing()
        for _ in sockets:
            nothing.send(BYTES)

    def turns() -> None:
        for _ in range(streams // 256):
            let_others_run()

    def encoding() -> None:
        frame(encode(EVENT, Dialect.NAMED))

    spent: list[float] = []
    parts: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for work in (bare, broadcast, publish, calls_of_nothing, turns, encoding):
            parts.setdefault(work.__name__, []).append(timed(work, streams))
        broadcast_into_nothing()
    for process in (reader, logged_reader):
        process.kill()
        process.wait()
    found = {name: statistics.median(values) for name, values in parts.items()}
    python = statistics.median(spent) - found["calls_of_nothing"]
    print(
        f"{streams:,} streams, {len(BYTES)} bytes an event,"
        f" medians of {ROUNDS} rounds, ns a delivery"
    )
    print(f"  the whole broadcast               {found['broadcast']:8.0f}")
    print(f"  the same through the event log    {found['publish']:8.0f}")
    print(f"  a bare loop of send               {found['bare']:8.0f}")
    print(f"  what Python adds to each send     {python:8.0f}")
    print(f"    of which letting others run     {found['turns']:8.1f}")
    print(f"    of which encoding, shared by all{found['encoding']:8.1f}")
    os._exit(0)


if __name__ == "__main__":
    main()
