"""The transport to the gateway in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from app.services.gateway_transport import (
    BroadcastResult,
    GatewayTransport,
    InProcessTransport,
    TransportError,
)
from app.services.remote_gateway.http_transport import HttpTransport
from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.gateway import SendStatus

EVENT = Event("n", "d")


class RecordingGateway:
    """A gateway that records its calls, and raises what the test has set."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._failure = failure

    def send(self, token: str, event: Event) -> SendStatus:
        """Send an event to one stream."""
        self._record("send", token, event)
        return SendStatus.OK

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send an event to many streams."""
        self._record("broadcast", tokens, event)
        return BroadcastResult(1, ("T2",))

    def close(self, token: str) -> None:
        """End a stream."""
        self._record("close", token)

    def drain(self, farewell: Event, seconds: float) -> None:
        """End all streams."""
        self._record("drain", farewell, seconds)

    def _record(self, *call: object) -> None:
        self.calls.append(call)
        if self._failure is not None:
            raise self._failure


def transport_of(gateway: RecordingGateway) -> InProcessTransport:
    """Return the transport under test."""
    return InProcessTransport(gateway)  # type: ignore[arg-type]


def test_every_call_is_one_call_of_the_gateway() -> None:
    """Each call is one call of the gateway, also a broadcast."""
    gateway = RecordingGateway()
    transport = transport_of(gateway)
    assert transport.send("T1", EVENT) is True
    assert transport.broadcast(["T1", "T2"], EVENT) == BroadcastResult(1, ("T2",))
    transport.close("T1")
    transport.drain(["T1"], EVENT, 5.0)
    assert gateway.calls == [
        ("send", "T1", EVENT),
        ("broadcast", ["T1", "T2"], EVENT),
        ("close", "T1"),
        ("drain", EVENT, 5.0),
    ]


def test_an_unknown_token() -> None:
    """An unknown token is False for a send, and is ignored by a close."""
    transport = transport_of(RecordingGateway(UnknownToken("T1")))
    assert transport.send("T1", EVENT) is False
    transport.close("T1")


@pytest.mark.parametrize("call", [lambda t: t.send("T1", EVENT), lambda t: t.close("T1")])
def test_a_stream_that_did_not_survive(call: Callable[[InProcessTransport], object]) -> None:
    """An error of the gateway becomes a TransportError with the same text."""
    failure = WriteFailed("T1")
    with pytest.raises(TransportError, match="T1") as raised:
        call(transport_of(RecordingGateway(failure)))
    assert raised.value.__cause__ is failure


def test_both_sides_are_transports() -> None:
    """Both implementations fit the protocol, as a type checker sees here."""
    sides: list[GatewayTransport] = [
        transport_of(RecordingGateway()),
        HttpTransport("http://127.0.0.1:1"),
    ]
    assert len(sides) == 2
