"""The limit on connects that wait for the backend's answer."""

from __future__ import annotations

from gateway_shim.protocol.http import Refusal
from gateway_shim.streams.opening.pending_connects import PendingConnects


def limit_key(address: str) -> str:
    """Return the key under which an address is counted."""
    return "" if address.startswith("127.") else address


def busy(where: str = "") -> Refusal:
    """Return the answer to one more connect."""
    message = f"Too many streams are being opened{where}; try again later"
    return Refusal(503, "TOO_MANY_CONNECTIONS", message, headers=(("Retry-After", "5"),))


def test_total() -> None:
    """At the limit one more client is told to try again later, until a connect has its answer."""
    pending = PendingConnects(2, limit_key)
    pending.enter("")
    assert pending.refuse("127.0.0.1") is None
    pending.enter("192.0.2.1")
    assert (pending.count, pending.refuse("192.0.2.2")) == (2, busy())
    pending.leave("192.0.2.1")
    assert (pending.count, pending.refuse("192.0.2.2")) == (1, None)


def test_one_address_has_a_quarter() -> None:
    """One address may have a quarter of the places; others still get some."""
    pending = PendingConnects(8, limit_key)
    for _ in range(2):
        assert pending.refuse("192.0.2.1") is None
        pending.enter("192.0.2.1")
    assert pending.refuse("192.0.2.1") == busy(" from this address")
    assert pending.refuse("2001:db8::1") is None
    pending.leave("192.0.2.1")
    assert pending.refuse("192.0.2.1") is None


def test_some_addresses_are_not_counted() -> None:
    """A proxy on this machine, which has all clients behind it, is not counted."""
    pending = PendingConnects(4, limit_key)
    for _ in range(3):
        pending.enter(limit_key("127.0.0.1"))
    assert pending.refuse("127.0.0.1") is None


def test_nothing_stays() -> None:
    """Addresses that have left take no memory, and a limit of 1 admits one connect."""
    pending = PendingConnects(1, limit_key)
    assert pending.refuse("192.0.2.1") is None
    pending.enter("192.0.2.1")
    pending.leave("192.0.2.1")
    assert (pending.count, len(pending._addresses)) == (0, 0)
