"""What is in memory counts, and once."""

from __future__ import annotations

from gateway_shim.protocol.buffer_budget import UNLIMITED, BufferBudget
from gateway_shim.protocol.event_stream import frame
from gateway_shim.protocol.lifecycle import Outbox, Stream


def test_a_piece_counts_once() -> None:
    """Bytes that several hold, whole or in part, count until the last one lets go."""
    budget = BufferBudget(10)
    data = b"0123456789"
    budget.hold(data)
    budget.hold(memoryview(data)[7:])
    assert (budget.size, budget.exceeded) == (10, False)
    other = bytes(bytearray(data))
    budget.hold(other)
    assert (budget.size, budget.exceeded) == (20, True)
    budget.release(data)
    assert budget.size == 20
    budget.release(memoryview(data))
    budget.release(other)
    assert (budget.size, budget.exceeded, budget._holders) == (0, False, {})


def test_outboxes_share_a_budget() -> None:
    """What waits is counted for each client, what is in memory once; cleared, it is neither."""
    budget = BufferBudget(1000)
    data = b"x" * 600
    outboxes = [Outbox(1000, budget) for _ in range(3)]
    for outbox in outboxes:
        outbox.put(data)
    assert (budget.size, budget.waiting) == (600, 1800)
    outboxes[0].advance(500)
    assert (budget.size, budget.waiting) == (600, 1300)
    outboxes[0].advance(100)
    outboxes[1].clear()
    assert (budget.size, budget.waiting, outboxes[1].size) == (600, 600, 0)
    outboxes[2].clear()
    assert (budget.size, budget.waiting) == (0, 0)


def test_joined_pieces_count_as_what_they_are_now() -> None:
    """Small pieces that are joined for a write are other bytes than before."""
    budget = BufferBudget(1000)
    shared = b"s" * 50
    outboxes = [Outbox(1000, budget) for _ in range(2)]
    for outbox in outboxes:
        outbox.put(shared)
        outbox.put(b"own")
    head = outboxes[0].head()
    assert (len(head), budget.size, budget.waiting) == (53, 53 + 53, 106)
    outboxes[0].advance(53)
    outboxes[1].clear()
    assert (budget.size, budget.waiting, budget._holders) == (0, 0, {})


def test_what_a_connecting_stream_keeps_counts() -> None:
    """Events that came before the backend's answer are in memory, too."""
    budget = BufferBudget(1000)
    stream = Stream("t", b"r", chunked=False, limit=100, budget=budget)
    stream.hold(frame(b"0123"), close=False)
    stream.hold(frame(b"45"), close=True)
    assert (budget.size, budget.waiting, stream.held_bytes) == (6, 0, 6)
    assert stream.take_held() == [b"0123", b"45"]
    assert (budget.size, stream.held_bytes, stream.overflowed) == (0, 0, False)


def test_what_is_kept_can_be_dropped() -> None:
    """The stream is then one that has to end once it opens."""
    budget = BufferBudget(1000)
    stream = Stream("t", b"r", chunked=False, limit=100, budget=budget)
    stream.hold(frame(b"0123"), close=False)
    stream.drop_held()
    assert (budget.size, stream.held_bytes, stream.overflowed) == (0, 0, True)
    assert stream.take_held() == []


def test_unlimited() -> None:
    """Without a budget nothing is counted."""
    UNLIMITED.hold(b"x")
    UNLIMITED.release(b"y")
    assert (UNLIMITED.size, UNLIMITED.exceeded, UNLIMITED._holders) == (0, False, {})
