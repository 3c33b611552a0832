"""A browser of a gateway with a log: it reads blocks, keeps the last id, and may read slowly."""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.protocol.event_stream import Event
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway

__all__ = ["Block", "Browser", "following", "publish"]


class Block(NamedTuple):
    """One block of an event stream.

    Args:
        id: the field ``id``; empty if there is none.
        name: the field ``event``; empty if there is none.
        data: the field ``data``; empty if there is none.
        retry: the field ``retry``; empty if there is none.
    """

    id: str = ""
    name: str = ""
    data: str = ""
    retry: str = ""


def following(*, size: int = 1 << 20, **config: Any) -> RunningGateway:
    """Return a gateway with a log of the epoch ``e``, which is not started yet."""
    return RunningGateway(open_log=lambda: MemoryLog(LogLimits(size), epoch="e"), **config)


def publish(running: RunningGateway, *texts: str, audience: str = "*") -> None:
    """Publish one event ``n`` for each text."""
    for text in texts:
        running.gateway.publish(Event("n", text), audience)


class Browser:
    """A browser. It reads nothing until it is asked for its blocks.

    Args:
        running: the gateway.
        last: the cursor for the header ``Last-Event-ID``; empty: no header.
        options: as :meth:`RunningGateway.visit` takes them.
    """

    def __init__(self, running: RunningGateway, last: str = "", **options: Any) -> None:
        headers = {"last-event-id": last} if last else {}
        self.visit = running.visit(headers=headers, **options)
        self.visit.outcome()
        self.raw = b""
        self._blocks: list[Block] = []
        # What was not parsed yet of the body; None until the head has arrived.
        self._rest: bytes | None = None
        self._is_chunked = True
        self._parsed = 0

    def read(self) -> None:
        """Read what the kernel has."""
        sock = self.visit.client.socket
        sock.setblocking(False)
        try:
            while data := sock.recv(65536):
                self.raw += data
        except BlockingIOError:
            pass

    @property
    def blocks(self) -> list[Block]:
        """The blocks that have arrived whole. The chunks' framing is checked."""
        self.read()
        if self._rest is None:
            head, end, _ = self.raw.partition(b"\r\n\r\n")
            if not end:
                return []
            self._is_chunked = b"chunked" in head
            self._rest, self._parsed = b"", len(head) + 4
        self._rest += self.raw[self._parsed :]
        self._parsed = len(self.raw)
        if self._is_chunked:
            payloads, self._rest = _chunks(self._rest)
        else:
            *whole, self._rest = self._rest.split(b"\n\n")
            payloads = [block + b"\n\n" for block in whole]
        self._blocks += [_block(payload) for payload in payloads]
        return self._blocks

    @property
    def texts(self) -> list[str]:
        """The data of the events ``n`` that have arrived."""
        return [block.data for block in self.blocks if block.name == "n"]

    def wait_for(self, text: str) -> list[Block]:
        """Wait for an event ``n`` with a text, and return all blocks."""
        soon(lambda: text in self.texts, f"the event {text[:20]}")
        return self.blocks

    def close(self) -> None:
        """Hang up."""
        self.visit.client.close()


def _chunks(body: bytes) -> tuple[list[bytes], bytes]:
    """Return the payloads of whole chunks, and what follows them."""
    payloads, place = [], 0
    while (line := body.find(b"\r\n", place)) >= 0:
        start = line + 2
        end = start + int(body[place:line], 16)
        if len(body) < end + 2:
            break
        assert body[end : end + 2] == b"\r\n"
        assert start == end or body[start:end].endswith(b"\n\n")
        if start < end:
            payloads.append(body[start:end])
        place = end + 2
    return payloads, body[place:]


def _block(payload: bytes) -> Block:
    fields = {}
    for line in payload.decode().splitlines():
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
    return Block(*(fields.get(name, "") for name in ("id", "event", "data", "retry")))
