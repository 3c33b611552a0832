"""The streams of all processes, asked from any of them."""

from __future__ import annotations

from typing import Any

import pytest

from app.console.all_streams.asking import AllStreams
from app.console.stream_table import PAGE_ROWS, Sort
from app.errors import Unavailable
from app.services.connections.registered import Registered
from gateway_shim.errors import UnknownToken
from gateway_shim.streams.reading.listing import Condition, StreamInfo
from tests.support.peers import FakePeers, PeerGroup


class Process:
    """A gateway and the registry of its streams."""

    def __init__(self, group: PeerGroup, number: int, streams: int, name: str = "") -> None:
        self.tokens = [f"{number}-{index}" for index in range(streams)]
        self.closed: list[str] = []
        self.peers: FakePeers = group.join(name)
        self.streams = AllStreams(lambda: self, self, self.peers, lambda: number)  # type: ignore[arg-type, return-value]

    def list_streams(self) -> list[StreamInfo]:
        """Return what a gateway knows: each stream has got as many events as its number says."""
        return [
            StreamInfo(token, "/", "192.0.2.1", Condition.OPEN, int(token[2:]), 0, 0, 0)
            for token in self.tokens
        ]

    def registered(self) -> list[tuple[str, Registered]]:
        """Return what the registry knows."""
        return [(f"id-{token}", Registered(token, "/", 0.0)) for token in self.tokens]

    def holds(self, token: str) -> bool:
        """Return whether the stream is here."""
        return token in self.tokens

    def close(self, token: str) -> None:
        """Record the end of a stream."""
        if token == "2-1":
            raise UnknownToken(token)
        self.closed.append(token)

    def page(self, number: int = 1, find: str = "") -> Any:
        """Return a page, with the most events first."""
        return self.streams.page(find, Sort.EVENTS, number, descending=True)


def test_any_process_lists_all() -> None:
    """Each process shows the same page, with the worker that has each stream."""
    group = PeerGroup()
    processes = [Process(group, number, 150) for number in (1, 2, 3)]
    seen = []
    for process in processes:
        pages = [process.page(number) for number in range(1, 6)]
        assert [len(page.rows) for page in pages] == [100, 100, 100, 100, 50]
        assert {(page.pages, page.found, page.total) for page in pages} == {(5, 450, 450)}
        rows = [row for page in pages for row in page.rows]
        assert all(row.token.startswith(f"{row.worker}-") for row in rows)
        assert [row.events for row in rows] == sorted((row.events for row in rows), reverse=True)
        assert len({row.token for row in rows}) == 450
        seen.append([row.token for row in rows])
        assert process.page(99).page == 5
        assert process.streams.count() == 450
    assert seen[0] == seen[1] == seen[2]


def test_a_process_that_is_alone() -> None:
    """It asks nobody, and its rows mention no worker."""
    alone = Process(PeerGroup(), 1, 3)
    assert [row.worker for row in alone.page().rows] == [None] * 3
    assert (alone.streams.count(), alone.streams.close_elsewhere("1-9")) == (3, False)
    assert alone.streams.are_elsewhere is False


def test_a_search() -> None:
    """Each process searches its own streams."""
    group = PeerGroup()
    one, _ = Process(group, 1, 20), Process(group, 2, 20)
    page = one.page(find="ID-2-1")
    assert {row.token for row in page.rows} == {"2-1", *(f"2-{number}" for number in range(10, 20))}
    assert (page.found, page.total) == (11, 40)


def test_closing_a_stream_of_another_process() -> None:
    """The process that has the stream ends it; one that has ended meanwhile is not found."""
    group = PeerGroup()
    one, two = Process(group, 1, 2), Process(group, 2, 2)
    assert one.streams.close_elsewhere("2-0") is True
    assert one.streams.close_elsewhere("9-9") is False
    assert one.streams.close_elsewhere("2-1") is False
    assert (one.closed, two.closed) == ([], ["2-0"])
    group.join().when_asked("console_close_stream", lambda _: "why")
    with pytest.raises(Unavailable, match="The stream was not closed: why"):
        one.streams.close_elsewhere("9-9")


def test_closing_a_stream_of_a_silent_process() -> None:
    """It may have the stream, so the stream is not called ended."""
    group = PeerGroup()
    one, two, _ = Process(group, 1, 2), Process(group, 2, 2), Process(group, 3, 2)
    group.silent.add(two.peers.process)
    with pytest.raises(Unavailable, match=r"^The stream may be in a process that does not answer"):
        one.streams.close_elsewhere("2-0")
    assert one.streams.close_elsewhere("3-0") is True


def test_a_list_without_a_silent_process() -> None:
    """The page says that streams are missing, but not for a process that has ended."""
    group = PeerGroup()
    one, two, three = (Process(group, number, 150) for number in (1, 2, 3))
    assert [one.page(number).is_complete for number in (1, 2)] == [True, True]
    group.silent.add(two.peers.process)
    pages = [one.page(number) for number in (1, 2)]
    assert [(page.is_complete, page.total) for page in pages] == [(False, 300)] * 2
    two.peers.leave()
    assert one.page().is_complete
    answer = three.streams._answer_list

    def end_instead(question: dict[str, Any]) -> Any:
        return three.peers.leave() if "ranges" in question else answer(question)

    three.peers.when_asked("console_streams", end_instead)
    assert one.page(2).is_complete


def test_streams_of_several_servers() -> None:
    """Workers of two servers have the same number, so each row names the server, too."""
    group = PeerGroup()
    one, _ = Process(group, 1, 1, "p1@x"), Process(group, 1, 2, "p1@y")
    rows = [row.as_json() for row in one.page().rows]
    assert sorted((row["server"], row["worker"]) for row in rows) == [("x", 1), ("y", 1), ("y", 1)]
    assert "server" not in Process(PeerGroup(), 1, 1, "p1@x").page().rows[0].as_json()


def test_an_answer_of_another_version(caplog: pytest.LogCaptureFixture) -> None:
    """An answer that cannot be read is left out, and logged."""
    group = PeerGroup()
    one = Process(group, 1, 150)
    group.join().when_asked("console_streams", lambda _: {"rows": 5})
    page = one.page()
    assert (len(page.rows), page.is_complete) == (PAGE_ROWS, False)
    assert len(one.page(2).rows) == 50
    assert "cannot be read" in caplog.text


def test_a_process_that_answers_only_once() -> None:
    """If a process ends between the two questions, the page is one of the other processes."""
    group = PeerGroup()
    one, two = Process(group, 1, 300), Process(group, 2, 300)
    answer = two.streams._answer_list

    def answer_once(question: dict[str, Any]) -> Any:
        return answer(question) if question.get("posts") else None

    two.peers.when_asked("console_streams", answer_once)
    page = one.page(3)
    assert [row.events for row in page.rows] == list(range(99, -1, -1))
    assert (page.page, page.pages, page.found) == (3, 3, 300)
