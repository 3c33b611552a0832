"""The transition table, the outbox, and what is held while connecting."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway_shim.errors import InvalidTransition
from gateway_shim.protocol.buffer_budget import BufferBudget
from gateway_shim.protocol.event_stream import frame
from gateway_shim.protocol.lifecycle import (
    TRANSITIONS,
    Outbox,
    OutboxFull,
    Stream,
    StreamEvent,
    StreamState,
)

# Written out once more, from the picture in the module: the table is judged by it.
ALLOWED = {
    ("connecting", "accept"): "open",
    ("connecting", "refuse"): "closed",
    ("connecting", "lose"): "closed",
    ("open", "close"): "closing",
    ("open", "lose"): "closed",
    ("closing", "flushed"): "closed",
    ("closing", "lose"): "closed",
}


def make(*, chunked: bool = True, limit: int = 100) -> Stream:
    """A stream that is connecting."""
    return Stream("t", b"r", chunked=chunked, limit=limit)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(StreamState, StreamEvent)))
def test_every_state_and_event(state: StreamState, event: StreamEvent) -> None:
    """What the table allows moves the stream; everything else raises and changes nothing."""
    stream = make()
    stream.state = state
    after = ALLOWED.get((state.value, event.value))
    if after is not None:
        stream.apply(event)
        assert stream.state is StreamState(after)
    else:
        with pytest.raises(InvalidTransition) as caught:
            stream.apply(event)
        assert (caught.value.state, caught.value.event) == (state, event)
        assert caught.value.__cause__ is None
        assert stream.state is state


def test_table_is_complete() -> None:
    """The table holds these transitions and no others."""
    table = {
        (state.value, event.value): after.value for (state, event), after in TRANSITIONS.items()
    }
    assert table == ALLOWED


def test_new_stream() -> None:
    """A stream starts connecting, holding nothing."""
    stream = make()
    assert (stream.token, stream.request, stream.chunked, stream.limit) == ("t", b"r", True, 100)
    assert stream.state is StreamState.CONNECTING
    assert stream.take_held() == []
    assert (stream.close_held, stream.overflowed) == (False, False)


@pytest.mark.parametrize(("chunked", "expected"), [(True, b"1\r\na\r\n"), (False, b"a")])
def test_bytes_of(chunked: bool, expected: bytes) -> None:
    """A stream's body is chunked or bare, and what it holds is too."""
    stream = make(chunked=chunked)
    assert stream.bytes_of(frame(b"a")) == expected
    stream.hold(frame(b"a"), close=False)
    assert stream.take_held() == [expected]


def test_hold_is_first_in_first_out() -> None:
    """What is held comes out in order, once."""
    stream = make(chunked=False)
    for data in (b"1", b"2", b"3"):
        stream.hold(frame(data), close=False)
    assert stream.take_held() == [b"1", b"2", b"3"]
    assert stream.take_held() == []


def test_hold_without_event() -> None:
    """A send that carries nothing holds nothing (divergence 4)."""
    stream = make()
    stream.hold(None, close=False)
    assert stream.take_held() == []
    assert stream.close_held is False


def test_hold_close_drops_the_rest() -> None:
    """A close is held after its own event; what comes later is dropped, another close too."""
    stream = make(chunked=False, limit=2)
    stream.hold(frame(b"1"), close=False)
    stream.hold(frame(b"2"), close=True)
    stream.hold(frame(b"3"), close=False)
    stream.hold(frame(b"4"), close=True)
    assert stream.close_held is True
    assert stream.take_held() == [b"1", b"2"]
    assert stream.overflowed is False


def test_hold_is_bounded() -> None:
    """Up to the limit everything is held; beyond it, nothing more, and the stream knows."""
    stream = make(chunked=False, limit=3)
    stream.hold(frame(b"123"), close=False)
    assert stream.overflowed is False
    with pytest.raises(OutboxFull):
        stream.hold(frame(b"4"), close=True)
    assert (stream.overflowed, stream.close_held) == (True, False)
    with pytest.raises(OutboxFull):
        stream.hold(frame(b"5"), close=False)
    assert stream.take_held() == [b"123"]


def test_outbox_limit() -> None:
    """An outbox takes as many bytes as its limit; one more is refused and not kept."""
    outbox = Outbox(4)
    outbox.put(b"123")
    with pytest.raises(OutboxFull):
        outbox.put(b"45")
    assert outbox.size == 3
    outbox.put(b"4")
    assert outbox.size == 4
    outbox.advance(3)
    outbox.put(b"567")
    assert outbox.size == 4
    assert bytes(outbox.head()) == b"4567"


def test_outbox_shares_bytes() -> None:
    """A broadcast's bytes are not copied into every outbox."""
    data = b"x" * 1000
    outbox = Outbox(1000)
    outbox.put(data)
    assert outbox.head().obj is data
    outbox.advance(10)
    assert outbox.head().obj is data


def test_outbox_joins_small_pieces() -> None:
    """What is written next is many small pieces at once, but no more than a socket may take."""
    outbox = Outbox(1_000_000)
    for _ in range(1000):
        outbox.put(b"x" * 100)
    outbox.advance(50)
    head = outbox.head()
    assert 32_768 <= len(head) < 32_868
    outbox.advance(len(head))
    assert outbox.size == 1000 * 100 - 50 - len(head)


def test_outbox_empty() -> None:
    """An empty outbox has no head."""
    with pytest.raises(IndexError):
        Outbox(1).head()


class OutboxMachine(RuleBasedStateMachine):
    """An outbox beside a plain byte string that says what it should hold."""

    LIMIT = 30

    def __init__(self) -> None:
        super().__init__()
        self.budget = BufferBudget(self.LIMIT)
        self.outbox = Outbox(self.LIMIT, self.budget)
        self.model = b""

    @rule(data=st.binary(min_size=1, max_size=12), as_view=st.booleans())
    def put(self, data: bytes, as_view: bool) -> None:
        """Append, or be refused, exactly at the limit."""
        piece = memoryview(b"_" + data)[1:] if as_view else data
        if len(self.model) + len(data) > self.LIMIT:
            with pytest.raises(OutboxFull):
                self.outbox.put(piece)
        else:
            self.outbox.put(piece)
            self.model += data

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def advance(self, data: st.DataObject) -> None:
        """Write some of the head, or nothing of it."""
        head = self.outbox.head()
        count = data.draw(st.integers(0, len(head)))
        assert self.model.startswith(bytes(head))
        self.outbox.advance(count)
        self.model = self.model[count:]

    @rule()
    def clear(self) -> None:
        """Forget all of it."""
        self.outbox.clear()
        self.model = b""

    @invariant()
    def sizes_agree(self) -> None:
        """The size is that of the bytes, and the budget counts what keeps them in memory."""
        assert self.outbox.size == self.budget.waiting == len(self.model)
        wholes = {id(w): w for w in (getattr(p, "obj", p) for p in self.outbox._pieces)}
        assert self.budget.size == sum(map(len, wholes.values()))
        assert self.budget._holders.keys() == wholes.keys()


TestOutbox = OutboxMachine.TestCase


@given(
    sends=st.lists(st.tuples(st.none() | st.binary(min_size=1, max_size=8), st.booleans())),
    limit=st.integers(0, 20),
)
def test_held_bytes_never_exceed_the_limit(
    sends: list[tuple[bytes | None, bool]], limit: int
) -> None:
    """However many sends come while connecting, what is kept is a beginning of them."""
    stream = make(chunked=False, limit=limit)
    before_close = []
    for data, close in sends:
        if not stream.close_held and data is not None:
            before_close.append(data)
        try:
            stream.hold(frame(data) if data else None, close=close)
        except OutboxFull:
            assert stream.overflowed
    held = b"".join(stream.take_held())
    assert len(held) <= limit
    assert b"".join(before_close).startswith(held)
    if not stream.overflowed:
        assert held == b"".join(before_close)
