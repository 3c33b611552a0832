"""The limit on wrong passwords."""

from __future__ import annotations

from app.console.attempts import MAX_ADDRESSES, MAX_WRONG, WINDOW_SECONDS, Attempts
from tests.support.peers import PeerGroup


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def test_the_limit() -> None:
    """After ten wrong passwords in a minute, an address waits until the first is a minute old."""
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(MAX_WRONG):
        assert attempts.seconds_to_wait("a") == 0
        attempts.note_wrong("a")
        clock.now += 1
    assert attempts.seconds_to_wait("a") == WINDOW_SECONDS - MAX_WRONG
    assert attempts.seconds_to_wait("b") == 0
    clock.now += WINDOW_SECONDS - MAX_WRONG
    assert attempts.seconds_to_wait("a") == 0
    attempts.note_wrong("a")
    assert attempts.seconds_to_wait("a") == 1, "the second wrong one is 59 s old"


def test_the_memory_is_bounded() -> None:
    """Many addresses take no more memory than the limit, and the newest are remembered."""
    attempts = Attempts(Clock())
    for number in range(MAX_ADDRESSES + 1):
        for _ in range(MAX_WRONG + 1):
            attempts.note_wrong(f"address {number}")
    assert len(attempts._times) == MAX_ADDRESSES
    assert all(len(times) == MAX_WRONG for times in attempts._times.values())
    assert attempts.seconds_to_wait("address 0") == 0
    assert attempts.seconds_to_wait(f"address {MAX_ADDRESSES}") > 0


def test_all_workers_count_together() -> None:
    """The limit is one for the server: another worker gives an address no further guesses."""
    group, clock = PeerGroup(), Clock()
    one, two = (Attempts(clock, group.join()) for _ in range(2))
    for number in range(MAX_WRONG):
        assert two.seconds_to_wait("a") == 0
        (one, two)[number % 2].note_wrong("a")
    assert one.seconds_to_wait("a") == two.seconds_to_wait("a") == WINDOW_SECONDS
    group.join().tell("console_wrong_password", {"of": "another version"})
    assert one.seconds_to_wait("b") == 0
