"""The clients: any number of streams that one epoll loop reads, in its own process.

The loop is fast enough not to distort the measurements. It makes no object and does no parsing for
an event, and it calls ``readv`` once, into the same buffer, when a socket is readable. Its own cost
is measured, too (``cpu_seconds``).
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

__all__ = ["ClientCrowd"]

_READ_BYTES = 1 << 18
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_PORTS_PER_ADDRESS = 20_000
_STALLED_RECEIVE_BYTES = 4096
_ETHERNET_SEGMENT = 1460
_FIRST_STALLED = 1_000_000


class ClientCrowd:
    """Clients that open streams and read them. Every method is a command of the helper process."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}  # by descriptor
        self._buffer = bytearray(_READ_BYTES)
        # The sockets whose last read ended within the blank line of an event.
        self._line_feed_last: set[int] = set()

    def attach(self, port: int, count: int) -> dict[str, Any]:
        """Open plain connections without a request."""
        for _ in range(count):
            sock = self._new_socket()
            sock.connect(("127.0.0.1", port))
            self._register(sock)
        return {}

    def open(
        self, port: int, count: int, at_once: int, seconds: float, stalled: bool = False
    ) -> dict[str, Any]:
        """Open streams. A stream is open when its first event, the version, has arrived.

        Args:
            port: the port of the gateway.
            count: the number of streams.
            at_once: the largest number of streams that are being opened at a time.
            seconds: the time limit.
            stalled: whether the clients stop reading when their streams are open.
        """
        # The request IDs of stalled clients must differ from those of another crowd.
        base = len(self._sockets) + stalled * _FIRST_STALLED
        started, cpu = time.monotonic(), time.process_time()
        waiting: dict[int, bytes] = {}  # the received bytes of each stream that is not open yet
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
        """Connect and request a stream; keep the request in ``asking`` if it must be sent later."""
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
        """Read more of the answer for a stream that is not open yet."""
        data = os.read(fd, _READ_BYTES)
        if not data or not (before + data).startswith(b"HTTP/1.1 200 "):
            raise BenchFailed(f"a stream was refused: {before + data[:200]!r}")
        return data

    def read(
        self, frames: int, seconds: float, sample: bool = False, rest: float = 0.0
    ) -> dict[str, Any]:
        """Read until a number of events have arrived, counted over all streams.

        Args:
            frames: the number of events; 0 reads until the time limit.
            seconds: the time limit.
            sample: whether to return the latency of each event, which slows the reader down.
            rest: the pause after each poll of the sockets, seconds. On loopback, a good part of the
                cost of a send is waking a sleeping reader. With this pause, that cost does not
                depend on the speed of the sender.
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
                # The blank line of an event may be split between two reads. This is rare, because
                # a chunk ends with CR LF, and the test for it is one comparison.
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
        """Reset every connection, as if a proxy had crashed."""
        for sock in self._sockets.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.close()  # this also removes the socket from the epoll set
        self._sockets.clear()
        self._line_feed_last.clear()
        return {}

    def _new_socket(self, stalled: bool = False) -> socket.socket:
        sock = socket.socket()
        if stalled:
            # The receive window is small, so that it fills soon. The segments are as small as on
            # Ethernet: with the large segments of loopback, the sender's kernel would buffer
            # megabytes before the sender noticed the stalled client.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _STALLED_RECEIVE_BYTES)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _ETHERNET_SEGMENT)
        block = len(self._sockets) // _PORTS_PER_ADDRESS
        if block:  # all ports of the last address are in use
            sock.bind((f"127.0.0.{1 + block}", 0))
        return sock

    def _register(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sockets[sock.fileno()] = sock
        self._epoll.register(sock.fileno(), select.EPOLLIN)


def _commands() -> dict[str, Callable[..., Any]]:
    crowd = ClientCrowd()
    return {"attach": crowd.attach, "open": crowd.open, "read": crowd.read, "cut": crowd.cut}


if __name__ == "__main__":
    serve(_commands())
