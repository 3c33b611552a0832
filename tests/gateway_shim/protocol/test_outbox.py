"""The outbox: its limit, its order, and the pieces that it shares."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway_shim.errors import OutboxFull
from gateway_shim.protocol.buffer_budget import BufferBudget
from gateway_shim.protocol.outbox import Outbox


def test_limit() -> None:
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


def test_shares_bytes() -> None:
    """The bytes of a broadcast are not copied into every outbox."""
    data = b"x" * 1000
    outbox = Outbox(1000)
    outbox.put(data)
    assert outbox.head().obj is data
    outbox.advance(10)
    assert outbox.head().obj is data


def test_joins_small_pieces() -> None:
    """Many small pieces are written at once, but not more than a socket may take."""
    outbox = Outbox(1_000_000)
    for _ in range(1000):
        outbox.put(b"x" * 100)
    outbox.advance(50)
    head = outbox.head()
    assert 32_768 <= len(head) < 32_868
    outbox.advance(len(head))
    assert outbox.size == 1000 * 100 - 50 - len(head)


def test_empty() -> None:
    """An empty outbox has no head."""
    with pytest.raises(IndexError):
        Outbox(1).head()


class OutboxMachine(RuleBasedStateMachine):
    """An outbox beside a plain byte string that has the bytes that the outbox should hold."""

    LIMIT = 30

    def __init__(self) -> None:
        super().__init__()
        self.budget = BufferBudget(self.LIMIT)
        self.outbox = Outbox(self.LIMIT, self.budget)
        self.model = b""

    @rule(data=st.binary(min_size=1, max_size=12), as_view=st.booleans())
    def put(self, data: bytes, as_view: bool) -> None:
        """Append bytes, which are refused exactly above the limit."""
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
        """Write a part of the head, or nothing."""
        head = self.outbox.head()
        count = data.draw(st.integers(0, len(head)))
        assert self.model.startswith(bytes(head))
        self.outbox.advance(count)
        self.model = self.model[count:]

    @rule()
    def clear(self) -> None:
        """Remove all bytes."""
        self.outbox.clear()
        self.model = b""

    @invariant()
    def sizes_agree(self) -> None:
        """Compare the size with the bytes, and the budget with the objects that hold them."""
        assert self.outbox.size == self.budget.waiting == len(self.model)
        wholes = {id(w): w for w in (getattr(p, "obj", p) for p in self.outbox._pieces)}
        assert self.budget.size == sum(map(len, wholes.values()))
        assert self.budget._holders.keys() == wholes.keys()


TestOutbox = OutboxMachine.TestCase
