"""Events are encoded once if streams get the same one after another."""

from __future__ import annotations

import pytest

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.streams.sending.encoded_events import EncodedEvents

EVENT = Event("version", '{"version":"1"}')


@pytest.mark.parametrize("dialect", list(Dialect))
def test_same_bytes(dialect: Dialect) -> None:
    """The bytes are those of the encoder, whatever came before."""
    encode = EncodedEvents(dialect)
    for event in (EVENT, Event("version", '{"version":"2"}'), Event(None, ""), EVENT, EVENT):
        assert encode(event) == event_stream.frame(event_stream.encode(event, dialect))


def test_equal_events_share_a_frame() -> None:
    """An equal event gets the same frame, so that what is made of it can be shared, too."""
    encode = EncodedEvents(Dialect.NAMED)
    frame = encode(EVENT)
    assert encode(Event("version", '{"version":"1"}')) is frame
    assert encode(Event("version", '{"version":"1"} ')) is not frame


def test_large_events_are_not_kept() -> None:
    """A large event is not kept in memory."""
    encode = EncodedEvents(Dialect.NAMED)
    large = Event("large", "x" * 5000)
    assert encode(large) is not encode(large)
    assert encode._last is None
