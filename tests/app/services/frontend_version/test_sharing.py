"""Pending versions on several servers: each keeps them all, and the last one wins everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.services.frontend_version import pending, untold
from app.services.frontend_version.pending import LARGEST_TOLD, MAX_PENDING, PendingVersions
from app.services.frontend_version.sharing import ASKED_AT_ONCE
from tests.app.state.memory_support import Server
from tests.support.peers import FakePeers, PeerGroup
from tests.support.timing import wait_until


class Process:
    """A process of one of several servers.

    Args:
        group: the processes.
        name: the name of the process, with its server.
        server: the memory of its server.
    """

    def __init__(self, group: PeerGroup, name: str, server: Server) -> None:
        self.peers: FakePeers = group.join(name)
        self.memory = server.memory()
        self.versions = PendingVersions(self.memory, self.peers)
        self.memory.start()
        self.peers.start()

    def version(self, request_id: str) -> str | None:
        """Return the pending version of a request id."""
        event = self.versions.get(request_id)
        return None if event is None else str(event["version"])


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Server, Server]:
    """Return the memories of two servers."""
    for name in "xy":
        (tmp_path / name).mkdir()
    return Server(tmp_path / "x"), Server(tmp_path / "y")


def test_each_server_saves_what_another_one_tells(machines: tuple[Server, Server]) -> None:
    """A restart of the other server finds it, without asking anybody."""
    group = PeerGroup()
    here, there = Process(group, "a@x", machines[0]), Process(group, "b@y", machines[1])
    here.versions.keep("r", {"version": "1"})
    assert there.version("r") == "1"
    here.peers.leave()
    there.peers.leave()
    there.memory.close()
    assert Process(PeerGroup(), "c@y", machines[1]).version("r") == "1"


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_two_servers_keep_versions_at_the_same_time(
    machines: tuple[Server, Server], order: str
) -> None:
    """The later one in the log wins on both, in the memories of the servers, too."""
    group = PeerGroup()
    processes = {
        "a": Process(group, "a@x", machines[0]),
        "b": Process(group, "b@y", machines[1]),
        "c": Process(group, "c@x", machines[0]),
    }
    group.is_paused = True
    for name in order:
        processes[name].versions.keep("r", {"version": name})
    for name in "bca":
        processes[name].peers.read()
    last = order[-1]
    assert [process.version("r") for process in processes.values()] == [last] * 3
    for name, process in processes.items():
        process.peers.leave()
        process.memory.close()
        assert Process(PeerGroup(), f"z@{name}", machines[name == "b"]).version("r") == last


def test_own_versions_do_not_go_back(machines: tuple[Server, Server]) -> None:
    """A process reads its own first note after it has kept a second version."""
    group = PeerGroup()
    here, there = Process(group, "a@x", machines[0]), Process(group, "b@y", machines[1])
    group.is_paused = True
    there.versions.keep("r", {"version": "0"})
    here.versions.keep("r", {"version": "1"})
    here.versions.keep("r", {"version": "2"})
    for _ in range(3):
        assert here.version("r") == "2"
        here.peers.read(1)
    there.peers.read()
    assert here.version("r") == there.version("r") == "2"
    # A note that cannot be written is not waited for.
    here.peers.is_failing = True
    here.versions.keep("r", {"version": "3"})
    there.versions.keep("r", {"version": "4"})
    here.peers.read()
    assert here.version("r") == "4"


def test_a_version_that_could_not_be_told(
    machines: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other server is told when the log takes notes again, unless it has told a later one."""
    monkeypatch.setattr(untold, "PAUSE_SECONDS", 0.001)
    group = PeerGroup()
    here, there = Process(group, "a@x", machines[0]), Process(group, "b@y", machines[1])
    here.peers.is_failing = True
    for name in ("r", "r", "s", "large"):
        here.versions.keep(name, {"version": f"{len(here.peers.told)}"})
    here.versions.keep("large", {"version": "9", "changelog": "x" * LARGEST_TOLD})
    there.versions.keep("s", {"version": "later"})
    assert there.version("r") is None
    here.peers.is_failing = False
    wait_until(lambda: there.version("large") == "9", "the last note")
    assert (there.version("r"), there.version("s")) == ("1", "later")
    assert (here.version("r"), here.version("s")) == ("1", "later")


def test_a_server_that_is_cut_off_alone(machines: tuple[Server, Server]) -> None:
    """A version is told also while nobody is known: another server reads it when it is back."""
    group = PeerGroup()
    here, there = Process(group, "a@x", machines[0]), Process(group, "b@y", machines[1])
    group.members.remove(there.peers)
    here.versions.keep("r", {"version": "1"})
    group.members.append(there.peers)
    there.peers.read()
    assert there.version("r") == "1"


def test_a_server_that_starts_asks(machines: tuple[Server, Server]) -> None:
    """It takes all versions, newer ones in place of what it has saved, in their order of use."""
    group = PeerGroup()
    first = Process(group, "a@x", machines[0])
    old = Process(PeerGroup(), "b@y", machines[1])
    old.versions.keep("r0", {"version": "old"})
    old.memory.close()
    for number in range(ASKED_AT_ONCE + 5):
        first.versions.keep(f"r{number}", {"version": str(number)})
    assert first.version("r3") == "3"
    started = Process(group, "c@y", machines[1])
    assert list(started.versions.snapshot()) == list(first.versions.snapshot())
    assert [started.version(name) for name in ("r0", "r3", "r104")] == ["0", "3", "104"]
    assert len(started.peers.asked) == 3
    # After a gap in the log it takes what it does not have, and keeps what it has.
    group.is_paused = True
    first.versions.keep("r0", {"version": "newer"})
    first.versions.keep("new", {"version": "1"})
    started.peers._read = len(group.notes)
    started.peers.start()
    assert (started.version("r0"), started.version("new")) == ("0", "1")


def test_what_is_told_during_a_load_is_newer(machines: tuple[Server, Server]) -> None:
    """The note is handled before the older answer."""
    group = PeerGroup()
    first = Process(group, "a@x", machines[0])
    first.versions.keep("r", {"version": "1"})
    peers = group.join("b@y")
    memory = machines[1].memory()
    versions = PendingVersions(memory, peers)
    memory.start()
    ask = peers.ask

    def ask_slowly(*args: object, **options: object) -> object:
        answers = ask(*args, **options)  # type: ignore[arg-type]
        first.versions.keep("r", {"version": "2"})
        return answers

    peers.ask = ask_slowly  # type: ignore[assignment,method-assign]
    peers.start()
    assert versions.get("r") == {"version": "2"}


def test_a_large_version_is_asked_for(
    machines: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not in the note, and another server does not share the memory where it is saved."""
    monkeypatch.setattr(pending, "LARGEST_TOLD", 100)
    group = PeerGroup()
    here, there = Process(group, "a@x", machines[0]), Process(group, "b@y", machines[1])
    large = {"version": "1", "changelog": "x" * 200}
    here.versions.keep("r", large)
    assert there.versions.get("r") == large
    group.silent.add("a@x")
    here.versions.keep("s", large)
    assert there.versions.get("s") is None


def test_a_server_that_starts_keeps_the_bound(
    machines: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that is used least is dropped, as everywhere."""
    assert MAX_PENDING == 10_000
    monkeypatch.setattr(pending, "MAX_PENDING", 3)
    group = PeerGroup()
    first = Process(group, "a@x", machines[0])
    for number in range(5):
        first.versions.keep(f"r{number}", {"version": str(number)})
    started = Process(group, "c@y", machines[1])
    assert list(started.versions.snapshot()) == ["r2", "r3", "r4"]
