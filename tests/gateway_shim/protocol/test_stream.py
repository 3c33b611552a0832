"""A stream without a socket: its state, the form of its bytes, and its held events."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.errors import InvalidTransition, OutboxFull
from gateway_shim.protocol.buffer_budget import BufferBudget
from gateway_shim.protocol.event_stream import BodyFraming, frame
from gateway_shim.protocol.lifecycle import TRANSITIONS, StreamEvent, StreamState
from gateway_shim.protocol.stream import AfterAccept, Stream

CHUNKED, BARE = BodyFraming.CHUNKED, BodyFraming.BARE


def make(
    *, framing: BodyFraming = CHUNKED, limit: int = 100, budget: BufferBudget | None = None
) -> Stream:
    """Make a stream that is connecting."""
    if budget is None:
        return Stream("t", b"r", framing=framing, limit=limit)
    return Stream("t", b"r", framing=framing, limit=limit, budget=budget)


def test_new_stream() -> None:
    """A stream starts connecting and holds nothing back."""
    stream = make()
    assert (stream.token, stream.request, stream.framing, stream.limit) == ("t", b"r", CHUNKED, 100)
    assert stream.state is StreamState.CONNECTING
    assert stream.take_held() == []
    assert (stream.connecting, stream.held_bytes, stream.limit_key) == (True, 0, "")


@pytest.mark.parametrize(("state", "event"), list(itertools.product(StreamState, StreamEvent)))
def test_apply(state: StreamState, event: StreamEvent) -> None:
    """An event moves the stream as the table says; every other event changes nothing."""
    stream = make()
    stream.state = state
    if (state, event) in TRANSITIONS:
        stream.apply(event)
        assert stream.state is TRANSITIONS[state, event]
    else:
        with pytest.raises(InvalidTransition):
            stream.apply(event)
        assert stream.state is state


# ------------------------------------------------------------------------- the form of the bytes


@pytest.mark.parametrize(("framing", "expected"), [(CHUNKED, b"1\r\na\r\n"), (BARE, b"a")])
def test_bytes_of(framing: BodyFraming, expected: bytes) -> None:
    """A stream's body is chunked or bare, and its held events have the same form."""
    stream = make(framing=framing)
    assert stream.bytes_of(frame(b"a")) == expected
    stream.hold(frame(b"a"), close=False)
    assert stream.take_held() == [expected]


@pytest.mark.parametrize(("framing", "expected"), [(CHUNKED, b"0\r\n\r\n"), (BARE, b"")])
def test_last_bytes(framing: BodyFraming, expected: bytes) -> None:
    """A chunked body ends with the last chunk, a bare one with the connection."""
    assert make(framing=framing).last_bytes == expected


# ------------------------------------------------------------------------- held back


def test_hold_is_first_in_first_out() -> None:
    """Held events come out in their order, once."""
    stream = make(framing=BARE)
    for data in (b"1", b"2", b"3"):
        stream.hold(frame(data), close=False)
    assert stream.take_held() == [b"1", b"2", b"3"]
    assert stream.take_held() == []
    assert stream.accept() is AfterAccept.STAY_OPEN
    assert stream.state is StreamState.OPEN


def test_hold_without_event() -> None:
    """A send without an event and without a close changes nothing (divergence 4)."""
    stream = make()
    stream.hold(None, close=False)
    assert stream.take_held() == []
    assert stream.state is StreamState.CONNECTING


def test_hold_close_drops_the_rest() -> None:
    """A close comes after its own event; later sends are dropped, another close too."""
    stream = make(framing=BARE, limit=2)
    stream.hold(frame(b"1"), close=False)
    stream.hold(frame(b"2"), close=True)
    stream.hold(frame(b"3"), close=False)
    stream.hold(frame(b"4"), close=True)
    assert stream.state is StreamState.CLOSE_HELD
    assert stream.take_held() == [b"1", b"2"]
    assert stream.accept() is AfterAccept.CLOSE


def test_hold_is_bounded() -> None:
    """Up to the limit all events are held; above it the stream overflows and takes no more."""
    stream = make(framing=BARE, limit=3)
    stream.hold(frame(b"123"), close=False)
    assert stream.state is StreamState.CONNECTING
    with pytest.raises(OutboxFull):
        stream.hold(frame(b"4"), close=True)
    assert stream.state is StreamState.OVERFLOWED
    with pytest.raises(OutboxFull):
        stream.hold(frame(b"5"), close=False)
    assert stream.take_held() == [b"123"]
    assert stream.accept() is AfterAccept.FAIL


def test_close_after_an_overflow() -> None:
    """A close without an event is taken even then, and the stream fails all the same."""
    stream = make(framing=BARE, limit=0)
    with pytest.raises(OutboxFull):
        stream.hold(frame(b"1"), close=False)
    stream.hold(None, close=True)
    assert stream.accept() is AfterAccept.FAIL


def test_held_events_count_against_the_budget() -> None:
    """Events that came before the backend's answer are in memory, so the budget counts them."""
    budget = BufferBudget(1000)
    stream = make(framing=BARE, budget=budget)
    stream.hold(frame(b"0123"), close=False)
    stream.hold(frame(b"45"), close=True)
    assert (budget.size, budget.waiting, stream.held_bytes) == (6, 0, 6)
    assert stream.take_held() == [b"0123", b"45"]
    assert (budget.size, stream.held_bytes, stream.state) == (0, 0, StreamState.CLOSE_HELD)


@pytest.mark.parametrize("close", [False, True])
def test_drop_held(close: bool) -> None:
    """A stream whose held events were dropped must end once it opens."""
    budget = BufferBudget(1000)
    stream = make(framing=BARE, budget=budget)
    stream.hold(frame(b"0123"), close=close)
    stream.drop_held()
    assert (budget.size, stream.held_bytes, stream.state) == (0, 0, StreamState.OVERFLOWED)
    assert stream.take_held() == []
    stream.drop_held()
    assert stream.accept() is AfterAccept.FAIL


def test_accept_is_for_connecting_streams() -> None:
    """A stream that is over cannot be accepted; nothing is changed."""
    stream = make()
    stream.apply(StreamEvent.LOSE)
    with pytest.raises(InvalidTransition):
        stream.accept()
    assert stream.state is StreamState.RETURNED


@given(
    sends=st.lists(st.tuples(st.none() | st.binary(min_size=1, max_size=8), st.booleans())),
    limit=st.integers(0, 20),
)
def test_held_bytes_never_exceed_the_limit(
    sends: list[tuple[bytes | None, bool]], limit: int
) -> None:
    """The held events are the first of those that were sent, however many follow."""
    stream = make(framing=BARE, limit=limit)
    before_close = []
    for data, close in sends:
        if stream.state is not StreamState.CLOSE_HELD and data is not None:
            before_close.append(data)
        try:
            stream.hold(frame(data) if data else None, close=close)
        except OutboxFull:
            assert stream.state is StreamState.OVERFLOWED
    held = b"".join(stream.take_held())
    assert len(held) <= limit
    assert b"".join(before_close).startswith(held)
    if stream.state is not StreamState.OVERFLOWED:
        assert held == b"".join(before_close)
