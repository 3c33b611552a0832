"""Sends to a gateway behind HTTP: each while it waits, and the results that one caller collects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from gevent.event import Event as Signal

from app.schemas.sse_gateway_schema import SSEGatewayEvent, SSEGatewaySendRequest
from app.services.gateway_transport import TransportError
from gateway_shim.protocol.event_stream import Event

__all__ = ["Delivery", "Payload", "PendingSend", "Report", "SendResult", "SendResults"]


class Delivery(Enum):
    """The gateway's answer to a send."""

    TAKEN = auto()
    """The stream took the send."""
    UNKNOWN_TOKEN = auto()
    """The gateway does not know the stream, or no longer knows it."""


SendResult = Delivery | TransportError
"""The result of a send: the gateway's answer, or the reason why there is none."""

Report = Callable[[str, SendResult], None]
"""Gets the token and the result of a send, once. Must neither block nor raise."""


class Payload:
    """The content of one or many sends: an event, the end of the stream, or both in this order.

    Args:
        event: the event; None: only the end.
        close: whether the send ends the stream.

    Attributes:
        size: the characters of the event's data.
        waiting_sends: the number of sends that wait with this payload.
    """

    __slots__ = ("close", "event", "size", "waiting_sends")

    def __init__(self, event: Event | None, *, close: bool = False) -> None:
        # Not validated: the gateway says what is wrong with an event.
        self.event = (
            None
            if event is None
            else SSEGatewayEvent.model_construct(name=event.name or "", data=event.data)
        )
        self.close = close
        self.size = 0 if event is None else len(event.data)
        self.waiting_sends = 0


@dataclass(slots=True, eq=False)
class PendingSend:
    """A send that waits for its POST.

    Args:
        token: the token of the stream.
        payload: the content.
        report: gets the result.
        since: the time at which the send was queued, monotonic seconds.
    """

    token: str
    payload: Payload
    report: Report
    since: float

    def request(self) -> SSEGatewaySendRequest:
        """Return the body of the POST.

        It is made when it is posted, so that a broadcast that waits stores its data only once.
        """
        fields: dict[str, Any] = {"token": self.token}
        if self.payload.event is not None:
            fields["event"] = self.payload.event
        if self.payload.close:
            fields["close"] = True
        return SSEGatewaySendRequest.model_construct(**fields)


class SendResults:
    """The results of the sends that one caller waits for.

    Args:
        missing: the number of sends.

    Attributes:
        delivered: the number of sends that were taken.
        unknown: the tokens that the gateway does not know.
        failure: the reason of the last send that failed, or None.
    """

    def __init__(self, missing: int) -> None:
        self.delivered = 0
        self.unknown: list[str] = []
        self.failure: TransportError | None = None
        self._missing = missing
        self._complete = Signal()

    def put(self, token: str, result: SendResult) -> None:
        """Add the result of one send (a :data:`Report`)."""
        if result is Delivery.TAKEN:
            self.delivered += 1
        elif result is Delivery.UNKNOWN_TOKEN:
            self.unknown.append(token)
        else:
            self.failure = result
        self._missing -= 1
        if not self._missing:
            self._complete.set()

    def wait(self, seconds: float) -> bool:
        """Wait until all results are there, or until the time is up.

        Args:
            seconds: the longest wait.

        Returns:
            Whether all results are there.
        """
        return not self._missing or self._complete.wait(seconds)
