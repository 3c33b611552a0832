"""PendingVersions: they are kept in order of use, for later processes and for others."""

from __future__ import annotations

import sqlite3

import pytest

from app.services.frontend_version import pending as pending_module
from app.services.frontend_version.pending import PendingVersions
from app.state.server_memory import ServerMemory
from tests.app.state.memory_support import Server, server
from tests.support.peers import PeerGroup
from tests.support.timing import wait_until

__all__ = ["server"]


def started(server: Server) -> PendingVersions:
    """Return the pending versions of another process."""
    memory = server.memory()
    versions = PendingVersions(memory)
    memory.start()
    return versions


def restart(server: Server) -> PendingVersions:
    """End all processes, and return the pending versions of a new one."""
    for memory in server.memories:
        memory.close()
    return started(server)


def v(name: str) -> dict[str, str]:
    """Return the data of a version event."""
    return {"version": name}


def test_without_a_memory_they_live_as_long_as_the_process() -> None:
    """A version is kept and replaced."""
    versions = PendingVersions(ServerMemory())
    versions.keep("a", v("1"))
    versions.keep("a", v("2"))
    assert (versions.get("a"), versions.get("b"), len(versions)) == (v("2"), None, 1)


def test_a_restart_keeps_them(server: Server) -> None:
    """Each request id gets the last version that was kept for it, of any text."""
    versions = started(server)
    for request_id, version in (("a", v("1")), ("ü\ud800", v("\ud800")), ("a", v("2"))):
        versions.keep(request_id, version)
    versions = restart(server)
    assert [versions.get(request_id) for request_id in ("a", "ü\ud800", "c")] == [
        v("2"),
        v("\ud800"),
        None,
    ]


def test_a_restart_keeps_the_order_of_use(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit, the version goes that was not used for the longest time."""
    monkeypatch.setattr(pending_module, "MAX_PENDING", 3)
    versions = started(server)
    for request_id in "abc":
        versions.keep(request_id, v(request_id))
    versions.get("a")
    versions = restart(server)
    versions.keep("d", v("d"))
    for process in (versions, restart(server)):
        assert [process.get(request_id) for request_id in "abcd"] == [
            v("a"),
            None,
            v("c"),
            v("d"),
        ]


def test_a_lower_limit_after_a_restart(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only as many as are kept are read, and the others are removed."""
    versions = started(server)
    for number in range(9):
        versions.keep(str(number), v(str(number)))
    monkeypatch.setattr(pending_module, "MAX_PENDING", 2)
    versions = restart(server)
    assert (len(versions), versions.get("8"), versions.get("7")) == (2, v("8"), v("7"))
    assert server.rows("SELECT count(*) FROM versions") == [(2,)]


def test_another_process_finds_a_version_at_once(server: Server) -> None:
    """During a reload, what either process is told is known to both; the last version counts."""
    first, second = started(server), started(server)
    first.keep("a", v("1"))
    assert second.get("a") == v("1")
    second.keep("a", v("2"))
    assert first.get("a") == v("2")
    assert second.get("a") == v("2")


def test_much_news_is_read_in_parts(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connect never waits for all of a long list, and in the end everything is known."""
    monkeypatch.setattr(pending_module, "ROWS_AT_ONCE", 2)
    first, second = started(server), started(server)
    for number in range(5):
        first.keep(str(number), v(str(number)))
    assert [second.get("4"), len(second)] == [None, 2]
    assert [second.get("4"), len(second)] == [None, 4]
    assert second.get("4") == v("4")


def test_an_own_version_that_waits_to_be_saved_is_the_newest(server: Server) -> None:
    """It is saved last, so a version that another process saves meanwhile does not replace it."""
    first, second = started(server), started(server)
    with server.writing():
        second.keep("a", v("last"))  # not saved yet
    first.keep("a", v("meanwhile"))
    assert second.get("a") == v("last")
    wait_until(lambda: first.get("a") == v("last"), "the save")
    assert second.get("a") == v("last")


def test_a_damaged_row_is_ignored(server: Server) -> None:
    """The request id then has no pending version, as if it had never had one."""
    versions = started(server)
    for request_id in "abc":
        versions.keep(request_id, v(request_id))
    for memory in server.memories:
        memory.close()
    connection = sqlite3.connect(server.file, isolation_level=None)
    connection.execute("UPDATE versions SET data = x'7b7d' WHERE request_id = x'61'")
    connection.execute("UPDATE versions SET data = 5 WHERE request_id = x'62'")
    connection.close()
    versions = started(server)
    assert [versions.get(request_id) for request_id in "abc"] == [None, None, v("c")]


def test_other_processes_are_told(server: Server) -> None:
    """A version is known elsewhere although its save waits; an older one does not replace it."""
    group = PeerGroup()
    told: list[tuple[str, str]] = []

    def process() -> PendingVersions:
        memory = server.memory()
        versions = PendingVersions(
            memory, group.join(), lambda who, event: told.append((who, event["version"]))
        )
        memory.start()
        return versions

    first, second = process(), process()
    first.keep("a", v("1"))
    with server.writing():
        second.keep("a", v("2"))
        second.keep("b", v("2"))
        first.keep("b", v("3"))
        assert [first.get("a"), first.get("b"), second.get("b")] == [v("2"), v("3"), v("3")]
    assert told == [("a", "1"), ("a", "2"), ("b", "2"), ("b", "3")]
    for memory in server.memories:
        memory.wait_until_saved(("version", "a"), ("version", "b"))
    assert [versions.get("a") for versions in (first, second)] == [v("2")] * 2
    assert [versions.get("b") for versions in (first, second)] == [v("3")] * 2
    later = restart(server)
    assert (later.get("a"), later.get("b")) == (v("2"), v("3"))


def test_a_large_version_is_not_in_the_note(server: Server) -> None:
    """It would push events out of the log; other processes read it where it is saved."""
    group, told = PeerGroup(), list[dict[str, str]]()
    peers = group.join()
    memory = server.memory()
    versions = PendingVersions(memory, peers)
    other_memory = server.memory()
    other = PendingVersions(other_memory, group.join(), lambda _, event: told.append(event))
    for started_memory in (memory, other_memory):
        started_memory.start()
    large = {"version": "1", "changelog": "x" * pending_module.LARGEST_TOLD}
    versions.keep("a", large)
    assert len(str(peers.told)) < 200
    assert (other.get("a"), told) == (large, [large])


def test_a_process_alone_tells_nobody() -> None:
    """Without other processes, nothing is told."""
    group = PeerGroup()
    peers = group.join()
    PendingVersions(ServerMemory(), peers).keep("a", v("1"))
    assert peers.told == []


def test_the_others_end_while_a_large_version_is_saved(
    monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    """No note is written then, so none is waited for: what others tell later counts."""
    group = PeerGroup()
    peers, other = group.join(), group.join()
    memory = server.memory()
    versions = PendingVersions(memory, peers)
    memory.start()
    monkeypatch.setattr(memory, "wait_until_saved", lambda *_: other.leave())
    versions.keep("a", {"version": "1", "changelog": "x" * pending_module.LARGEST_TOLD})
    PendingVersions(ServerMemory(), group.join()).keep("a", v("2"))
    assert versions.get("a") == v("2")
