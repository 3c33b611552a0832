"""The addresses of listening sockets, and which of them overlap."""

from __future__ import annotations

import socket

import pytest

from app.access.listening_addresses import arrived_at, is_loopback, is_taken, resolve_host


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("localhost", "127.0.0.1")],
)
def test_address_of(host: str, address: str) -> None:
    """An address is returned as it is, and a name is looked up."""
    assert resolve_host(host) == address


def test_no_address() -> None:
    """A name without an address is an error, and overlaps with nothing."""
    with pytest.raises(socket.gaierror):
        resolve_host("nowhere.invalid")
    assert not is_taken("127.0.0.1", "nowhere.invalid")


@pytest.mark.parametrize(
    ("address", "host", "taken"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("::1", "localhost", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("127.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::1", "0.0.0.0", False),
        ("127.0.0.1", "::", True),
        ("::", "127.0.0.1", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_is_taken(address: str, host: str, taken: bool) -> None:
    """The wildcard of IPv4 takes all of IPv4; the wildcard of IPv6 takes everything."""
    assert is_taken(address, host) is taken


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "localhost", ""]
)
def test_only_this_machine(address: str) -> None:
    """Loopback in every spelling, and a Unix socket, are reachable from this machine only."""
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "::ffff:10.0.0.1", "128.0.0.1", "evil.example", "localhost.evil"]
)
def test_other_machines_too(address: str) -> None:
    """Wildcards, addresses of a network and names are reachable from other machines."""
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("family", "came_to"), [(socket.AF_INET, ("127.0.0.1", 5001)), (socket.AF_UNIX, None)]
)
def test_arrived_at(family: int, came_to: tuple[str, int] | None) -> None:
    """A request to a Unix socket has no address, because its server name is the client's Host."""
    with socket.socket(family) as connection:
        environ = {
            "gunicorn.socket": connection,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "5001",
        }
        assert arrived_at(environ) == came_to


def test_arrived_at_another_server() -> None:
    """Other servers than gunicorn show neither the socket nor a port."""
    assert arrived_at({"SERVER_NAME": "localhost"}) == ("localhost", 0)
