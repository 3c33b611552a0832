"""Tests of the event stream parser against the HTML standard, with streams cut at every byte."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.http.sse_parser import MalformedStream, SSEEvent, SSEParser, parse


@dataclass(frozen=True)
class Case:
    """A stream, and the events that the standard makes of it."""

    name: str
    stream: bytes
    events: tuple[SSEEvent, ...] = ()
    comments: tuple[str, ...] = ()
    retry: int | None = None
    last_event_id: str = ""
    fault: str | None = None
    """A part of the strict parser's error message; None: a correct server may write this stream."""


def message(data: str, last_event_id: str = "") -> SSEEvent:
    """Return an event without a name."""
    return SSEEvent("message", data, last_event_id)


CASES = [
    Case("nothing at all", b""),
    Case("one line of data", b"data: a\n\n", (message("a"),)),
    Case("lines of data are joined with a newline", b"data: a\ndata: b\n\n", (message("a\nb"),)),
    Case("a named event", b"event: version\ndata: 1\n\n", (SSEEvent("version", "1"),)),
    Case("the name may come last", b"data: 1\nevent: version\n\n", (SSEEvent("version", "1"),)),
    Case("the last name counts", b"event: a\nevent: b\ndata: 1\n\n", (SSEEvent("b", "1"),)),
    Case(
        "a name is for one event only",
        b"event: a\ndata: 1\n\ndata: 2\n\n",
        (SSEEvent("a", "1"), message("2")),
    ),
    Case("an empty name is none", b"event:\ndata: 1\n\n", (message("1"),)),
    Case("one space goes", b"data:  a \n\n", (message(" a "),)),
    Case("no space is needed", b"data:a\n\n", (message("a"),)),
    Case("a tab stays", b"data:\ta\n\n", (message("\ta"),)),
    Case("colons in a value stay", b"data: a: b\n\n", (message("a: b"),)),
    Case("an empty data line is an event", b"data:\n\n", (message(""),)),
    Case("a field without a colon is empty", b"data\n\n", (message(""),)),
    Case("two empty data lines", b"data\ndata:\n\n", (message("\n"),)),
    Case("ready, as a gateway writes it", b"event: ready\ndata:\n\n", (SSEEvent("ready", ""),)),
    Case("blank lines alone", b"\n\n\n"),
    Case("a heartbeat", b": heartbeat\n\n", comments=(" heartbeat",)),
    Case("an empty comment", b":\n\n", comments=("",)),
    Case(
        "a comment does not end an event",
        b"data: a\n: b\ndata: c\n\n",
        (message("a\nc"),),
        comments=(" b",),
    ),
    Case("CRLF", b"data: a\r\ndata: b\r\n\r\n", (message("a\nb"),)),
    Case(
        "lone CR",
        b"data: a\rdata: b\r\r",
        (message("a\nb"),),
        fault="carriage return",
    ),
    Case(
        "all three line ends",
        b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n",
        (message("a\nb\nc"), message("d")),
        fault="carriage return",
    ),
    Case(
        "CR CR LF is two line ends",
        b"data: a\r\r\ndata: b\n\n",
        (message("a"), message("b")),
        fault="carriage return",
    ),
    Case(
        "other line separators are text",
        "data: a\u2028b\u0085c\x0bd\x0ce\n\n".encode(),
        (message("a\u2028b\u0085c\x0bd\x0ce"),),
    ),
    Case("text of every width", "data: é€😀\n\n".encode(), (message("é€😀"),)),
    Case("U+FFFD that the server wrote", "data: \ufffd\n\n".encode(), (message("\ufffd"),)),
    Case("NUL in data", b"data: a\0b\n\n", (message("a\0b"),)),
    Case(
        "a byte order mark at the start",
        b"\xef\xbb\xbfdata: a\n\n",
        (message("a"),),
        fault="byte order mark",
    ),
    Case(
        "only one byte order mark",
        b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n",
        (message("b"),),
        fault="byte order mark",
    ),
    Case(
        "a byte order mark later on",
        b"data: a\n\n\xef\xbb\xbfdata: b\n\n",
        (message("a"),),
        fault="unknown field",
    ),
    Case(
        "a byte order mark in a value",
        b"data: \xef\xbb\xbfa\n\n",
        (message("\ufeffa"),),
    ),
    Case("bytes that are not UTF-8", b"data: \xff\n\n", (message("\ufffd"),), fault="UTF-8"),
    Case(
        "a character cut short by a newline",
        b"data: \xe2\x82\ndata: b\n\n",
        (message("\ufffd\nb"),),
        fault="UTF-8",
    ),
    Case(
        "a surrogate in UTF-8",
        b"data: \xed\xa0\x80\n\n",
        (message("\ufffd\ufffd\ufffd"),),
        fault="UTF-8",
    ),
    Case("an overlong slash", b"data: \xc0\xaf\n\n", (message("\ufffd\ufffd"),), fault="UTF-8"),
    Case(
        "a character cut short by the end",
        b"data: a\n\n\xe2\x82",
        (message("a"),),
        fault="UTF-8",
    ),
    Case("an id", b"id: 7\ndata: a\n\n", (message("a", "7"),), last_event_id="7"),
    Case(
        "an id stays",
        b"id: 7\ndata: a\n\ndata: b\n\n",
        (message("a", "7"), message("b", "7")),
        last_event_id="7",
    ),
    Case(
        "an empty id clears it",
        b"id: 7\ndata: a\n\nid\ndata: b\n\n",
        (message("a", "7"), message("b", "")),
    ),
    Case(
        "an id without data counts",
        b"id: 7\n\n",
        last_event_id="7",
        fault="a block with id '7' and no data",
    ),
    Case(
        "an id in a comment's block counts",
        b": heartbeat\nid: 7\n\ndata: a\n\n",
        (message("a", "7"),),
        comments=(" heartbeat",),
        last_event_id="7",
        fault="a block with id '7' and no data",
    ),
    Case(
        "an id with NUL is ignored",
        b"id: 7\ndata: a\n\nid: 8\x009\ndata: b\n\n",
        (message("a", "7"), message("b", "7")),
        last_event_id="7",
        fault="NUL",
    ),
    Case(
        "an id in an unfinished block does not count",
        b"data: a\n\nid: 7\ndata: b\n",
        (message("a"),),
        fault="inside a block",
    ),
    Case("a retry", b"retry: 1500\n\n", retry=1500),
    Case(
        "a retry counts without a blank line", b"retry: 15\ndata: a\n\n", (message("a"),), retry=15
    ),
    Case("a retry with zeros in front", b"retry: 0010\n\n", retry=10),
    Case("a retry of words", b"retry: soon\n\n", fault="retry"),
    Case("a retry with a sign", b"retry: -1\n\n", fault="retry"),
    Case("a retry with a space behind", b"retry: 1 \n\n", fault="retry"),
    Case("a retry in other digits", "retry: ١٢\n\n".encode(), fault="retry"),
    Case("an empty retry", b"retry\n\n", fault="retry"),
    Case("a retry beyond any clock", b"retry: " + b"9" * 5000 + b"\n\n", retry=10**15),
    Case("an unknown field", b"fish: 1\ndata: a\n\n", (message("a"),), fault="unknown field"),
    Case("an unknown field alone", b"fish\ndata: a\n\n", (message("a"),), fault="unknown field"),
    Case("fields are case-sensitive", b"Data: a\n\n", fault="unknown field"),
    Case("a space before a field", b" data: a\n\n", fault="unknown field"),
    Case("a space before the colon", b"data : a\n\n", fault="unknown field"),
    Case("a name without data", b"event: a\n\ndata: b\n\n", (message("b"),), fault="no data"),
    Case("an end inside a line", b"data: a\n\ndata: b", (message("a"),), fault="inside a block"),
    Case("an end before the blank line", b"data: a\n", fault="inside a block"),
    Case("an end inside a comment", b": a", fault="inside a block"),
]

each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def read(case: Case, cuts: list[bytes]) -> None:
    """Parse the pieces, and compare all results of the parser with the case."""
    parser = SSEParser(strict=False)
    returned: list[SSEEvent] = []
    for piece in cuts:
        returned += parser.feed(piece)
    parser.close()
    assert (
        tuple(parser.events),
        tuple(parser.comments),
        parser.retry,
        parser.last_event_id,
    ) == (case.events, case.comments, case.retry, case.last_event_id)
    assert returned == parser.events
    if case.fault is None:
        assert parser.warnings == []
    else:
        assert case.fault in " ".join(parser.warnings)


def cuts(stream: bytes) -> list[list[bytes]]:
    """Return the stream whole, in single bytes, and in two pieces for every byte."""
    pieces = [[stream], [stream[i : i + 1] for i in range(len(stream))]]
    if len(stream) < 200:
        pieces += [[stream[:i], stream[i:]] for i in range(len(stream) + 1)]
    return pieces


@each_case
def test_lenient(case: Case) -> None:
    """A lenient parser gives the results of the standard, wherever the stream is cut."""
    for pieces in cuts(case.stream):
        read(case, pieces)


@each_case
def test_strict(case: Case) -> None:
    """A strict parser gives the same results, and raises an error for incorrect streams."""
    for pieces in cuts(case.stream):
        parser = SSEParser()
        if case.fault is None:
            for piece in pieces:
                parser.feed(piece)
            parser.close()
            assert tuple(parser.events) == case.events
            assert parser.warnings == []
        else:
            with pytest.raises(MalformedStream, match=case.fault):  # noqa: PT012 - feed or close
                for piece in pieces:
                    parser.feed(piece)
                parser.close()


def test_lone_ids_where_they_are_accepted() -> None:
    """A strict parser accepts a block with an id and no data if the test asks for it."""
    parser = SSEParser(lone_ids=True)
    assert parser.feed(b": heartbeat\nid: 7\n\n") == []
    assert parser.last_event_id == "7"
    assert parser.feed(b"data: a\n\nid\n\n") == [message("a", "7")]
    assert parser.last_event_id == ""


def test_id_of_the_stream_before() -> None:
    """A parser that continues a stream keeps the last id until an event has another one."""
    parser = SSEParser(last_event_id="7")
    assert parser.last_event_id == "7"
    assert parser.feed(b"data: a\n\nid: 8\ndata: b\n\n") == [message("a", "7"), message("b", "8")]
    assert parser.last_event_id == "8"


def test_event_is_returned_at_its_last_byte() -> None:
    """An event is returned with the byte that completes it, even if that byte is a CR."""
    parser = SSEParser(strict=False)
    assert parser.feed(b"data: a\n") == []
    assert parser.feed(b"\n") == [message("a")]
    assert parser.feed(b"data: b\r") == []
    assert parser.feed(b"\r") == [message("b")]
    assert parser.feed(b"\ndata: c\n\n") == [message("c")]


def test_parse_whole_stream() -> None:
    """``parse`` reads a whole stream, and is strict by default."""
    assert parse(b"data: a\n\n") == [message("a")]
    assert parse(b"data: a\n\ndata: b", strict=False) == [message("a")]
    with pytest.raises(MalformedStream):
        parse(b"data: a\n\ndata: b")


def test_large_event_in_small_pieces() -> None:
    """A line of one megabyte, fed in pieces of one kilobyte, becomes one event."""
    parser = SSEParser()
    parser.feed(b"data: ")
    for _ in range(1024):
        parser.feed(b"x" * 1024)
    assert parser.feed(b"\n\n") == [message("x" * 1024 * 1024)]
