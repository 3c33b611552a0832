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
from app.bench.clients.event_blocks import EventBlocks
from app.bench.clients.helper import serve
from app.bench.clients.opening import StreamOpening
from app.bench.clients.payload import stamps
from app.bench.errors import BenchFailed

__all__ = ["ClientCrowd"]

_READ_BYTES = 1 << 18
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_PORTS_PER_ADDRESS = 20_000
_STALLED_RECEIVE_BYTES = 4096
_ETHERNET_SEGMENT = 1460


class ClientCrowd:
    """Clients that open streams and read them. Every method is a command of the helper process."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}  # by descriptor
        self._buffer = bytearray(_READ_BYTES)
        # The sockets whose last read ended within the blank line of an event.
        self._line_feed_last: set[int] = set()
        # The number of the client of each stream, by descriptor.
        self._numbers: dict[int, int] = {}
        # The last event ID of each client, by its number; kept when its connection is lost.
        self._cursors: dict[int, str] = {}

    def attach(self, port: int, count: int) -> dict[str, Any]:
        """Open plain connections without a request."""
        for _ in range(count):
            sock = self._new_socket()
            sock.connect(("127.0.0.1", port))
            self._register(sock)
        return {}

    def open(
        self,
        port: int,
        count: int,
        at_once: int,
        seconds: float,
        stalled: bool = False,
        resume: bool = False,
        first: int = 0,
    ) -> dict[str, Any]:
        """Open streams. A stream is open when its version event has arrived.

        What a client has missed comes before its version event.

        Args:
            port: the port of the gateway.
            count: the number of streams.
            at_once: the largest number of streams that are being opened at a time.
            seconds: the time limit.
            stalled: whether the clients stop reading when their streams are open.
            resume: whether the clients send their last event IDs.
            first: the number of the first client. Two crowds of one server must not have the same
                numbers, because the request IDs are made of them.

        Returns:
            The times, and the smallest number of events with an ID that a client got first.
        """
        base = len(self._sockets) + first
        started_ns, cpu = time.monotonic_ns(), time.process_time()
        deadline = time.monotonic() + seconds
        waiting: dict[int, StreamOpening] = {}
        begun, ids = 0, []
        while begun < count or waiting:
            while begun < count and len(waiting) < at_once:
                opening = self._begin(port, self._new_socket(stalled), base + begun, resume)
                waiting[opening.fd] = opening
                begun += 1
            ready = self._epoll.poll(max(deadline - time.monotonic(), 0.0))
            if not ready:
                raise BenchFailed(f"{len(waiting)} of {count} streams not open after {seconds} s")
            for fd, mask in ready:
                if fd not in waiting:
                    continue  # an event for a stream that is open already
                opening = waiting[fd]
                if mask & select.EPOLLOUT:
                    os.write(fd, opening.request)
                    self._epoll.modify(fd, select.EPOLLIN)
                    continue
                opening.read()
                if opening.blocks.has_version:
                    del waiting[fd]
                    self._keep(fd, opening.blocks)
                    ids.append(opening.blocks.ids)
                    if stalled:
                        self._epoll.unregister(fd)
        return {
            "started_ns": started_ns,
            "seconds": (time.monotonic_ns() - started_ns) / 1e9,
            "cpu_seconds": time.process_time() - cpu,
            "fewest_ids": min(ids, default=0),
        }

    def _begin(self, port: int, sock: socket.socket, number: int, resume: bool) -> StreamOpening:
        """Connect and request a stream."""
        cursor = self._cursors.get(number) if resume else None
        opening = StreamOpening(sock.fileno(), stream_request(port, number, cursor))
        mask = select.EPOLLIN
        sock.setblocking(False)
        try:
            sock.connect(("127.0.0.1", port))
            sock.send(opening.request)
        except BlockingIOError:
            mask = select.EPOLLOUT  # the request is sent later
        self._sockets[opening.fd] = sock
        self._numbers[opening.fd] = number
        self._epoll.register(opening.fd, mask)
        return opening

    def _keep(self, fd: int, blocks: EventBlocks) -> None:
        if blocks.cursor is not None:
            self._cursors[self._numbers[fd]] = blocks.cursor

    def wake(self) -> dict[str, Any]:
        """Let the stalled clients read again, with the next command that reads."""
        for fd in self._sockets:
            self._epoll.register(fd, select.EPOLLIN)
        return {}

    def drain(self, quiet: float, seconds: float) -> dict[str, Any]:
        """Read until nothing has arrived for a while, and keep the last event ID of each client.

        This reads slower than :meth:`read`.

        Args:
            quiet: the time without data after which all has arrived, seconds.
            seconds: the time limit.
        """
        deadline = time.monotonic() + seconds
        blocks: dict[int, EventBlocks] = {}
        while ready := self._epoll.poll(quiet, 4096):
            if time.monotonic() > deadline:
                raise BenchFailed(f"the streams still got data after {seconds:g} s")
            for fd, _ in ready:
                data = os.read(fd, _READ_BYTES)
                if not data:
                    raise BenchFailed("the server ended a stream")
                blocks.setdefault(fd, EventBlocks()).feed(data)
        for fd, found in blocks.items():
            self._keep(fd, found)
        return {}

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
            "sent_ns": [sent for _, data in samples for sent in stamps(data)],
        }

    def cut(self) -> dict[str, Any]:
        """Reset every connection, as if a proxy had crashed."""
        for sock in self._sockets.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.close()  # this also removes the socket from the epoll set
        self._sockets.clear()
        self._numbers.clear()
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
    names = ("attach", "open", "wake", "drain", "read", "cut")
    return {name: getattr(crowd, name) for name in names}


if __name__ == "__main__":
    serve(_commands())
