"""One request of a browser for a stream, and the browser that makes them."""

from __future__ import annotations

import gevent
from gevent.event import Event as Signal

from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.gateway import Gateway
from tests.walks.checks.stream_check import StreamCheck
from tests.walks.machine.fake_socket import FakeSocket

__all__ = ["Browser", "Visit"]


class Browser:
    """A browser, which comes back with the last id that it has received.

    Args:
        audiences: the browser's audiences.

    Attributes:
        audiences: the browser's audiences.
        last_id: the last id that it has received; empty: none.
        ids: all ids that it has received.
        visit: its stream; None while it has none.
    """

    def __init__(self, audiences: tuple[str, ...]) -> None:
        self.audiences = audiences
        self.last_id = ""
        self.ids: list[str] = []
        self.visit: Visit | None = None

    def leave(self, received: float) -> None:
        """End the stream.

        Args:
            received: the part of the written bytes that have arrived, from 0 to 1.
        """
        visit, self.visit = self.visit, None
        if visit is None:
            return
        arrived = visit.check.written * received
        for end, text in visit.check.marks:
            if end <= arrived:
                self.last_id = text
                self.ids.append(text)


class Visit:
    """One request for a stream.

    Args:
        number: the number of the visit.
        framing: the framing that the browser can take.
        audiences: the audiences of its stream.
        check: checks the bytes.

    Attributes:
        number: the number of the visit.
        audiences: the audiences of its stream.
        check: checks the bytes.
        sock: the server's end of the connection.
        gate: set once the backend may answer.
        status: the status of the backend's answer.
        token: the stream's token; empty before the backend is asked.
        opening: runs ``Gateway.open``.
    """

    def __init__(
        self, number: int, framing: BodyFraming, audiences: tuple[str, ...], check: StreamCheck
    ) -> None:
        self.number = number
        self.framing = framing
        self.audiences = audiences
        self.check = check
        self.sock = FakeSocket(check.feed, check.shut)
        self.gate = Signal()
        self.status = 200
        self.token = ""
        self.opening: gevent.Greenlet[..., object]

    def ask(self, gateway: Gateway, url: str, text: str, by_header: bool) -> None:
        """Ask for the stream; the backend answers once :attr:`gate` is set."""
        headers = {"Last-Event-ID": text} if text and by_header else {}
        if text and not by_header:
            url += f"&last_event_id={text}"
        lower = {name.lower(): value for name, value in headers.items()}
        request = StreamRequest(url, lower, self.framing, "192.0.2.1")
        self.opening = gevent.spawn(gateway.open, request, self.sock)

    def answer(self, status: int) -> None:
        """Let the backend answer."""
        if not self.gate.is_set():
            self.status = status
            if status == 200:
                self.check.opens()
            self.gate.set()

    @property
    def is_open(self) -> bool:
        """True if the stream is open, and nothing holds its bytes up."""
        return self.opening.value is OpenResult.OPENED and not self.sock.is_closed
