"""The clients: any number of streams read by one epoll loop, in a process of its own.

Good enough not to be what is measured: no object and no parsing per event, one ``readv`` into
the same buffer per wake-up of a socket. What it costs is measured too (``cpu_seconds``).
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from app.bench.clients.browser import stream_request
from app.bench.clients.helper import serve
from app.bench.clients.payload import stamps
from app.bench.errors import BenchFailed

__all__ = ["Crowd"]

_READ_BYTES = 1 << 18
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_PORTS_PER_ADDRESS = 20_000
_STALLED_RECEIVE_BYTES = 4096
_ETHERNET_SEGMENT = 1460
_FIRST_STALLED = 1_000_000


class Crowd:
    """Opens streams and reads them. Every method is a command of the helper process."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._buffer = bytearray(_READ_BYTES)
        self._line_feed_last: set[int] = set()

    def attach(self, port: int, count: int) -> dict[str, Any]:
        """Open plain connections that ask for nothing."""
        for _ in range(count):
            sock = self._new_socket()
            sock.connect(("127.0.0.1", port))
            self._register(sock)
        return {}

    def open(
        self, port: int, count: int, at_once: int, seconds: float, stalled: bool = False
    ) -> dict[str, Any]:
        """Open streams; each counts as open once its first event, the version, has arrived.

        Args:
            port: where the gateway listens.
            count: how many.
            at_once: how many may be on their way at a time.
            seconds: time limit.
            stalled: whether they stop reading once they are open.
        """
        # The request ids of stalled clients are none of those that another crowd's clients have.
        base = len(self._sockets) + stalled * _FIRST_STALLED
        started, cpu = time.monotonic(), time.process_time()
        waiting: dict[int, bytes] = {}  # what came of each stream that is not open yet
        asking: dict[int, bytes] = {}  # the requests that could not be sent at once
        begun = 0
        while begun < count or waiting:
            while begun < count and len(waiting) < at_once:
                fd = self._begin(port, self._new_socket(stalled), asking, base + begun)
                waiting[fd] = b""
                begun += 1
            ready = self._epoll.poll(max(started + seconds - time.monotonic(), 0.0))
            if not ready:
                raise BenchFailed(f"{len(waiting)} of {count} streams not open after {seconds} s")
            for fd, mask in ready:
                if mask & select.EPOLLOUT:
                    os.write(fd, asking.pop(fd))
                    self._epoll.modify(fd, select.EPOLLIN)
                elif fd in waiting:
                    waiting[fd] += self._answer(fd, waiting[fd])
                    if b"\n\n" in waiting[fd]:
                        del waiting[fd]
                        if stalled:
                            self._epoll.unregister(fd)
        return {
            "seconds": time.monotonic() - started,
            "cpu_seconds": time.process_time() - cpu,
        }

    def _begin(self, port: int, sock: socket.socket, asking: dict[int, bytes], number: int) -> int:
        """Connect and ask for a stream; if that has to wait, keep the request in ``asking``."""
        fd, request, mask = sock.fileno(), stream_request(port, number), select.EPOLLIN
        sock.setblocking(False)
        try:
            sock.connect(("127.0.0.1", port))
            sock.send(request)
        except BlockingIOError:
            asking[fd], mask = request, select.EPOLLOUT
        self._sockets[fd] = sock
        self._epoll.register(fd, mask)
        return fd

    def _answer(self, fd: int, before: bytes) -> bytes:
        """More of what a stream that is not open yet is answered."""
        data = os.read(fd, _READ_BYTES)
        if not data or not (before + data).startswith(b"HTTP/1.1 200 "):
            raise BenchFailed(f"a stream was refused: {before + data[:200]!r}")
        return data

    def read(
        self, frames: int, seconds: float, sample: bool = False, rest: float = 0.0
    ) -> dict[str, Any]:
        """Read until so many events have arrived, over all streams.

        Args:
            frames: how many; 0: read for the whole time.
            seconds: time limit.
            sample: whether to return each event's latency. Costs the reader time.
            rest: seconds to sleep after each look at the sockets. Whether a send has to wake a
                sleeping reader then does not depend on how fast the sender is, and a wake-up is
                a good part of what a send costs on loopback.
        """
        samples: list[tuple[int, bytes]] = []
        cpu = time.process_time()
        deadline = time.monotonic() + seconds
        count = size = reads = 0
        first_ns = last_ns = time.monotonic_ns()
        poll, readv, buffer, buffers = self._epoll.poll, os.readv, self._buffer, [self._buffer]
        split = self._line_feed_last
        clock = time.monotonic_ns
        while not frames or count < frames:
            left = deadline - time.monotonic()
            ready = poll(left, 4096) if left > 0 else []
            if not ready:
                break
            if not reads:
                first_ns, cpu = clock(), time.process_time()
            for fd, _ in ready:
                length = readv(fd, buffers)
                if not length:
                    raise BenchFailed("the server ended a stream")
                if sample:
                    samples.append((clock(), bytes(buffer[:length])))
                count += buffer.count(b"\n\n", 0, length)
                # An event's blank line may be cut in two by the border between two reads. As a
                # chunk ends with CR LF that is rare, and the test for it one comparison.
                if split and fd in split:
                    split.discard(fd)
                    count += buffer[0] == 10
                if buffer[length - 1] == 10 and buffer[length - 2] not in (10, 13):
                    split.add(fd)
                size += length
            reads += len(ready)
            last_ns = clock()
            if rest:
                time.sleep(rest)
        if count < frames:
            raise BenchFailed(f"{count} of {frames} events had arrived after {seconds:g} s")
        return {
            "frames": count,
            "bytes": size,
            "reads": reads,
            "first_ns": first_ns,
            "last_ns": last_ns,
            "cpu_seconds": time.process_time() - cpu,
            "latencies_ns": [arrived - sent for arrived, data in samples for sent in stamps(data)],
        }

    def cut(self) -> dict[str, Any]:
        """Reset every connection, as when a proxy dies."""
        for sock in self._sockets.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.close()  # which takes it out of the epoll set, too
        self._sockets.clear()
        self._line_feed_last.clear()
        return {}

    def _new_socket(self, stalled: bool = False) -> socket.socket:
        sock = socket.socket()
        if stalled:
            # A window that fills soon, and segments as on Ethernet: on loopback they are so
            # large that the sender's kernel would hold megabytes before it felt anything.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _STALLED_RECEIVE_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _ETHERNET_SEGMENT)
        block = len(self._sockets) // _PORTS_PER_ADDRESS
        if block:  # one address has no more ports
            sock.bind((f"127.0.0.{1 + block}", 0))
        return sock

    def _register(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sockets[sock.fileno()] = sock
        self._epoll.register(sock.fileno(), select.EPOLLIN)


def _commands() -> dict[str, Callable[..., Any]]:
    crowd = Crowd()
    return {"attach": crowd.attach, "open": crowd.open, "read": crowd.read, "cut": crowd.cut}


if __name__ == "__main__":
    serve(_commands())
