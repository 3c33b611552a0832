"""Tests of several real processes that share a log, one of which is killed or stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent
import pytest

from gateway_shim.event_log.audience import NOTES
from gateway_shim.event_log.segments.segment_log import SegmentLog
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.peers.note import Note, Role
from gateway_shim.streams.peers.peers import Answer, Peers
from tests.gateway_shim.following_browser import Browser
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.streams.peers.process import open_log
from tests.support.processes.companion import Companion
from tests.support.timing import TIME_LIMIT

Start = Callable[[], "OtherProcess"]


class OtherProcess(Companion):
    """Another process that shares the log.

    Args:
        directory: the directory of the log.

    Attributes:
        name: the name of the process.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__("tests.gateway_shim.streams.peers.process", [str(directory)])
        self.name = ""

    def _wait_until_ready(self) -> None:
        self.name = self.read_line()


class Rest:
    """This process, and the log.

    Attributes:
        running: the gateway of this process.
        peers: its peers.
        log: its log.
        heard: the numbers that it was told, each with the sender.
    """

    def __init__(self, running: RunningGateway, log: SegmentLog) -> None:
        self.running = running
        self.peers: Peers = running.gateway.peers
        self.log = log
        self.heard: list[tuple[str, Any]] = []
        self.peers.when_told("number", lambda sender, number: self.heard.append((sender, number)))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Rest]:
    """Return this process, which shares the log."""
    logs: list[SegmentLog] = []

    def keep() -> SegmentLog:
        logs.append(open_log(tmp_path))
        return logs[0]

    with RunningGateway(open_log=keep) as running:
        yield Rest(running, logs[0])


@pytest.fixture
def start(tmp_path: Path, here: Rest) -> Iterator[Start]:
    """Return a function that starts another process, and waits until both see each other."""
    with ExitStack() as stack:

        def start() -> OtherProcess:
            other = stack.enter_context(OtherProcess(tmp_path))
            soon(lambda: other.name in here.log.others(), "the other process")
            return other

        yield start


def kill(other: OtherProcess) -> None:
    """End a process as the kernel does when memory is short."""
    os.kill(other.pid, signal.SIGKILL)
    other.process.wait(TIME_LIMIT)


def test_three_processes_tell_each_other(here: Rest, start: Start) -> None:
    """Each hears the notes of the two others, once, in the order of the log; streams get none."""
    others = [start(), start()]
    browser = Browser(here.running)
    count = 60
    assert sorted(here.peers.ask("tell", count)) == sorted(Answer(one.name, []) for one in others)
    for number in range(count):
        here.peers.tell("number", number)
        gevent.sleep(0)
    soon(lambda: len(here.heard) == 2 * count, "the notes of the others")
    answers = dict(here.peers.ask("heard"))
    entries = here.log.read(here.log.oldest - 1, 10_000)
    assert entries is not None
    notes = [Note.decode(bytes(entry.frame)) for entry in entries if entry.audience == NOTES]
    told = [(note.sender, note.data) for note in notes if note and note.role == Role.TOLD]
    assert len(told) == 3 * count
    for name, heard in [*answers.items(), (here.peers.process, here.heard)]:
        assert [tuple(one) for one in heard] == [one for one in told if one[0] != name]
    here.running.gateway.publish(Event("n", "1"))
    assert [block.data for block in browser.wait_for("1")] == ["", "1"]
    assert here.running.stats.resyncs.total() == 0


def test_a_process_that_is_killed_while_it_is_asked(here: Rest, start: Start) -> None:
    """The question ends at once with the answers of the others."""
    killed, other = start(), start()
    waits: list[str] = []
    here.peers.when_told("waits", lambda sender, _: waits.append(sender))
    asking = gevent.spawn(here.peers.ask, "wait", to=killed.name, seconds=10 * TIME_LIMIT)
    soon(lambda: waits == [killed.name], "the question to arrive")
    assert not asking.ready()
    kill(killed)
    soon(asking.ready, "the end of the question")
    assert asking.value == []
    assert here.log.others() == [other.name]
    assert here.peers.ask("repeat", ["x", 2]) == [Answer(other.name, "xx")]


def test_a_process_that_is_killed_is_noticed(here: Rest, start: Start) -> None:
    """Nobody has to append anything to notice it, and its files are removed."""
    kill(start())
    newest = here.log.newest
    soon(lambda: not here.peers.are_there, "the end to be noticed")
    assert here.log.newest == newest
    directory = here.log._directory

    def left() -> list[list[str]]:
        assert not here.peers.are_there  # looks again at what was still ending
        return [os.listdir(directory / folder) for folder in ("wake", "processes")]

    soon(lambda: left() == [[here.peers.process]] * 2, "the files to be removed")
    assert here.peers.tell("number", 1)
    assert here.log.newest == newest


def test_a_process_that_is_stopped(here: Rest, start: Start) -> None:
    """It costs its first asker the limit, later ones less; when it goes on, it answers again."""
    stopped = start()
    os.kill(stopped.pid, signal.SIGSTOP)
    assert here.peers.ask("heard", seconds=1.0) == []
    begun = time.monotonic()
    assert here.peers.ask("heard", seconds=10 * TIME_LIMIT) == []
    assert time.monotonic() - begun < TIME_LIMIT
    assert here.peers.tell("number", 1)
    os.kill(stopped.pid, signal.SIGCONT)
    expected = [Answer(stopped.name, [[here.peers.process, 1]])]
    soon(lambda: here.peers.ask("heard") == expected, "the answer")


def test_large_answers(here: Rest, start: Start) -> None:
    """They arrive whole, push no event out of the log, and leave no file."""
    other = start()
    oldest, size = here.log.oldest, 3 * here.log.read_stats().size + (4 << 20)
    assert here.peers.ask("repeat", ["é", size]) == [Answer(other.name, "é" * size)]
    assert here.log.oldest == oldest
    assert os.listdir(here.log._directory / "parcels") == []
