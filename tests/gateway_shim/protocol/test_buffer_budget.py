"""The budget counts the bytes that are in memory, each object once."""

from __future__ import annotations

from gateway_shim.protocol.buffer_budget import UNLIMITED, BufferBudget
from gateway_shim.protocol.outbox import Outbox


def test_a_piece_counts_once() -> None:
    """Bytes that several streams hold, whole or in part, count until the last one releases them."""
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
    """Waiting bytes count for each client, bytes in memory once, and cleared bytes not at all."""
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


def test_joined_pieces_count_as_new_bytes() -> None:
    """Small pieces that are joined for a write become a new object, which counts instead."""
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


def test_unlimited() -> None:
    """The budget without a limit counts nothing."""
    UNLIMITED.hold(b"x")
    UNLIMITED.release(b"y")
    assert (UNLIMITED.size, UNLIMITED.exceeded, UNLIMITED._holders) == (0, False, {})
