"""The gateway in this process, called directly."""

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


class Gateway:
    """Stands for the gateway: remembers the calls and does what the test set."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._failure = failure

    def send(self, token: str, event: Event) -> SendStatus:
        """Send to one stream."""
        self._called("send", token, event)
        return SendStatus.OK

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send to many."""
        self._called("broadcast", tokens, event)
        return BroadcastResult(1, ("T2",))

    def close(self, token: str) -> None:
        """End a stream."""
        self._called("close", token)

    def drain(self, farewell: Event, seconds: float) -> None:
        """End all."""
        self._called("drain", farewell, seconds)

    def _called(self, *call: object) -> None:
        self.calls.append(call)
        if self._failure is not None:
            raise self._failure


def transport_of(gateway: Gateway) -> InProcessTransport:
    """The transport under test."""
    return InProcessTransport(gateway)  # type: ignore[arg-type]


def test_every_call_is_one_call_of_the_gateways() -> None:
    """A broadcast too: one call for all streams."""
    gateway = Gateway()
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
    """False for a send; for a close it is what was wanted."""
    transport = transport_of(Gateway(UnknownToken("T1")))
    assert transport.send("T1", EVENT) is False
    transport.close("T1")


@pytest.mark.parametrize("call", [lambda t: t.send("T1", EVENT), lambda t: t.close("T1")])
def test_a_stream_that_did_not_survive(call: Callable[[InProcessTransport], object]) -> None:
    """The gateway's error becomes the transport's, with the same words."""
    failure = WriteFailed("T1")
    with pytest.raises(TransportError, match="T1") as raised:
        call(transport_of(Gateway(failure)))
    assert raised.value.__cause__ is failure


def test_both_sides_are_transports() -> None:
    """A type checker sees here that each fulfils the seam."""
    sides: list[GatewayTransport] = [transport_of(Gateway()), HttpTransport("http://127.0.0.1:1")]
    assert len(sides) == 2
