"""Tests of which processes are on this server, and which on others."""

from __future__ import annotations

from gateway_shim.streams.peers.servers import (
    is_on_this_server,
    processes_of_other_servers,
    server_of,
)
from tests.support.peers import PeerGroup


def test_the_names_of_many_servers() -> None:
    """The part after the at sign names the server; also that of a boot, with a period."""
    assert server_of("p-17-0123456789ab@89abcdef0123.4567cdef") == "89abcdef0123.4567cdef"
    assert server_of("p-17-0123456789ab") == server_of("") == ""


def test_other_servers() -> None:
    """The processes of each other server, in alphabetical order, without those of this one."""
    group = PeerGroup()
    here = group.join("p2@b")
    for name in ("p9@c", "p1@b", "p3@a", "p1@c"):
        group.join(name)
    assert processes_of_other_servers(here) == {"a": ["p3@a"], "c": ["p1@c", "p9@c"]}
    assert is_on_this_server(here, "p1@b")
    assert not is_on_this_server(here, "p1@c")


def test_one_server() -> None:
    """The workers of a server without an engine are all on it; a process may also be alone."""
    group = PeerGroup()
    here = group.join("p1")
    assert processes_of_other_servers(here) == {}
    group.join("p2")
    assert processes_of_other_servers(here) == {}
    assert is_on_this_server(here, "p2")
