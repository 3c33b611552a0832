"""Sends to a gateway behind HTTP: their bodies, and their results."""

from __future__ import annotations

import gevent
import pytest

from app.services.gateway_transport import TransportError
from app.services.remote_gateway.sends import Delivery, Payload, PendingSend, SendResults
from gateway_shim.protocol.event_stream import Event
from tests.support.timing import TIME_LIMIT


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        (Payload(Event("n", "d")), {"event": {"name": "n", "data": "d"}}),
        (Payload(Event(None, "d")), {"event": {"name": "", "data": "d"}}),
        (
            Payload(Event("n", "d"), close=True),
            {"event": {"name": "n", "data": "d"}, "close": True},
        ),
        (Payload(None, close=True), {"close": True}),
    ],
)
def test_the_body_has_only_the_fields_that_are_set(
    payload: Payload, fields: dict[str, object]
) -> None:
    """The body of a POST has the token, and an event or a close only if there is one."""
    send = PendingSend("T", payload, lambda token, result: None, 0.0)
    assert send.request().model_dump(exclude_unset=True) == {"token": "T", **fields}


def test_the_size_of_a_payload() -> None:
    """The size of a payload is the length of its data; a close alone has the size 0."""
    assert Payload(Event("name", "data!")).size == 5
    assert Payload(None, close=True).size == 0


def test_results_are_counted_by_kind() -> None:
    """Results have the number of taken sends, the unknown tokens, and the last failure."""
    results = SendResults(4)
    failures = [TransportError("first"), TransportError("last")]
    for token, result in [
        ("a", Delivery.TAKEN),
        ("b", Delivery.UNKNOWN_TOKEN),
        ("c", failures[0]),
        ("d", failures[1]),
    ]:
        results.put(token, result)
    assert (results.delivered, results.unknown, results.failure) == (1, ["b"], failures[1])


def test_waiting_ends_with_the_last_result() -> None:
    """A wait returns True when all results are there, and False when its time is up."""
    results = SendResults(2)
    waiter = gevent.spawn(results.wait, TIME_LIMIT)
    gevent.sleep(0)
    results.put("a", Delivery.TAKEN)
    assert results.wait(0.001) is False
    results.put("b", Delivery.TAKEN)
    assert waiter.get(timeout=TIME_LIMIT) is True
    assert results.wait(0) is True


def test_there_is_nothing_to_wait_for_without_sends() -> None:
    """Without sends, a wait returns at once."""
    assert SendResults(0).wait(TIME_LIMIT) is True
