"""The limits on streams."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.http import Refusal
from gateway_shim.streams.opening.admission import Admission


def unavailable(code: str, message: str) -> Refusal:
    """Return the answer to a stream that is refused."""
    return Refusal(503, code, message, headers=(("Retry-After", "5"),))


def test_no_limits() -> None:
    """Without limits every stream is admitted, and nothing is counted."""
    admission = Admission(None, None)
    for _ in range(10):
        admission.enter("a")
    assert admission.refuse(10**6, "a") is None
    admission.leave(admission.enter("a"))
    assert not admission._addresses


def test_total() -> None:
    """At the total limit one more client is told to try again later."""
    admission = Admission(2, None)
    assert admission.refuse(1, "a") is None
    assert admission.refuse(2, "a") == unavailable("TOO_MANY_CONNECTIONS", "Too many connections")


def test_per_address() -> None:
    """The streams of each address are counted up and down, separately."""
    admission = Admission(None, 2)
    full = unavailable("TOO_MANY_CONNECTIONS", "Too many connections from this address")
    admission.enter("a")
    assert admission.refuse(0, "a") is None
    admission.enter("a")
    assert admission.refuse(0, "a") == full
    assert admission.refuse(0, "b") is None
    admission.leave("a")
    assert admission.refuse(0, "a") is None
    admission.leave("a")
    assert admission.refuse(0, "a") is None


def test_addresses_are_forgotten() -> None:
    """An address without streams takes no memory."""
    admission = Admission(None, 1)
    for number in range(5):
        admission.refuse(0, f"seen-{number}")
        admission.enter(f"came-{number}")
        admission.leave(f"came-{number}")
    assert not admission._addresses


def test_keys() -> None:
    """Addresses are counted under their key, and addresses without a key are not counted."""
    admission = Admission(None, 1, lambda address: address.rpartition(".")[0])
    assert admission.enter("net.a") == "net"
    assert admission.refuse(0, "net.b") is not None
    admission.leave("net")
    assert admission.refuse(0, "net.b") is None
    for _ in range(3):
        assert admission.refuse(0, "local") is None
        assert admission.enter("local") == ""
    admission.leave("")
    assert not admission._addresses


@pytest.mark.parametrize("limits", [(None, None), (0, 0)])
def test_closed(limits: tuple[int | None, int | None]) -> None:
    """While the gateway is draining every stream is refused for that reason."""
    admission = Admission(*limits)
    assert admission.closed is False
    admission.close()
    assert admission.closed is True
    assert admission.refuse(0, "a") == unavailable("SHUTTING_DOWN", "Server is shutting down")


class OtherProcesses:
    """Other processes with some streams.

    Attributes:
        streams_of_others: how many streams they have.
        told: the numbers of streams that they were told.
    """

    def __init__(self) -> None:
        self.streams_of_others = 0
        self.told: list[int] = []

    def count_streams(self, streams: int) -> None:
        """Note what was told."""
        self.told.append(streams)


def test_the_limit_of_the_server() -> None:
    """The streams of all processes count for the server's limit; each keeps its own limit, too."""
    admission, others = Admission(4, None), OtherProcesses()
    full = unavailable("TOO_MANY_CONNECTIONS", "Too many connections")
    admission.share_with(others, 6)
    others.streams_of_others = 3
    assert admission.refuse(2, "a") is None
    assert admission.refuse(3, "a") == full
    others.streams_of_others = 0
    assert admission.refuse(3, "a") is None
    assert admission.refuse(4, "a") == full
    admission.share_with(others, None)
    others.streams_of_others = 10**6
    assert admission.refuse(3, "a") is None


def test_other_processes_are_told() -> None:
    """The other processes know the number of streams as soon as it changes."""
    admission, others = Admission(None, None), OtherProcesses()
    admission.share_with(others, None)
    key = admission.enter("a")
    admission.enter("b")
    admission.leave(key)
    assert others.told == [1, 2, 1]
