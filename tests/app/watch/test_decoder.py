"""``SSEDecoder``, compared with the tests' own parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.watch.decoder import EventTooLarge, ServerEvent, SSEDecoder
from tests.support.http.sse_parser import SSEParser
from tests.support.http.test_sse_parser import CASES, Case, cuts


def decode(pieces: list[bytes]) -> tuple[list[ServerEvent], SSEDecoder]:
    """Decode a stream that arrives in these pieces."""
    decoder = SSEDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)], decoder


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_standard(case: Case) -> None:
    """Each case of the standard gives the standard's events, however the stream is cut."""
    expected = [ServerEvent(e.type, e.data, e.last_event_id) for e in case.events]
    for pieces in cuts(case.stream):
        events, decoder = decode(pieces)
        assert events == expected
        assert decoder.last_id == case.last_event_id
        if case.retry != 10**15:
            assert decoder.retry_ms == case.retry


PIECES = [b"data", b"event", b"id", b"retry", b":", b" ", b"a", b"7", b"\0", b"\r", b"\n", b"\r\n"]
LONGER_PIECES = [
    b"\n\n",
    b"data: x\n\n",
    b": c\n\n",
    b"\xef\xbb\xbf",
    b"\xe2\x82\xac",
    b"\xe2",
    b"\xff",
]
LINES = st.sampled_from(PIECES + LONGER_PIECES)


@given(st.lists(LINES, max_size=30).map(b"".join), st.integers(0, 200))
def test_agrees_with_the_parser_of_the_tests(stream: bytes, cut: int) -> None:
    """Two independent implementations of the standard agree on any bytes."""
    parser = SSEParser(strict=False)
    expected = [
        ServerEvent(e.type, e.data, e.last_event_id)
        for e in parser.feed(stream[:cut]) + parser.feed(stream[cut:])
    ]
    events, decoder = decode([stream[:cut], stream[cut:]])
    assert (events, decoder.last_id, decoder.retry_ms) == (
        expected,
        parser.last_event_id,
        parser.retry,
    )


def test_event_is_returned_at_its_last_byte() -> None:
    """An event is returned with its last byte, even if its line end is a CR."""
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r") == []
    assert decoder.feed(b"\r") == [ServerEvent("message", "a", "")]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: b\n\n") == [ServerEvent("message", "b", "")]


def test_last_id_goes_on() -> None:
    """A new stream begins with the last ID of the stream before it."""
    decoder = SSEDecoder(last_id="7")
    assert decoder.feed(b"data: a\n\n") == [ServerEvent("message", "a", "7")]


def test_id_of_its_own() -> None:
    """An event knows if it came with an ID; an ID that is ignored does not count."""
    stream = b"id: 7\ndata\n\ndata\n\nid: 8\n\ndata\n\nid: \0\ndata\n\nid\ndata\n\n"
    events, _ = decode([stream])
    assert [(event.last_id, event.has_id) for event in events] == [
        ("7", True),
        ("7", False),
        ("8", False),
        ("8", False),
        ("", True),
    ]


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        (b"2147483647", 2_147_483_647),
        (b"2147483648", 2_147_483_647),
        (b"9999999999", 2_147_483_647),
        (b"9" * 5000, 2_147_483_647),
        (b"0" * 5000 + b"7", 7),
        (b"0" * 5000, 0),
        (b"12345678901 ", 5),
        (b"+1", 5),
        (b"-1", 5),
        (b"1.5", 5),
        (b"1e3", 5),
        (b"0x10", 5),
        (b"\xd9\xa1", 5),
        (b"\xc2\xb2", 5),
        (b"", 5),
    ],
)
def test_retry(text: bytes, milliseconds: int) -> None:
    """Only ASCII digits are a time, and a very long time is reduced to the longest."""
    assert decode([b"retry: 5\nretry: " + text + b"\n\n"])[1].retry_ms == milliseconds


@pytest.mark.parametrize(
    "stream", [b"data: 123456789", b"data: 1\ndata: 2\ndata: 3\n", b": 4567890123456"]
)
def test_event_beyond_the_limit(stream: bytes) -> None:
    """An event that exceeds the limit is an error, in one line or in several."""
    decoder = SSEDecoder(limit=14)
    with pytest.raises(EventTooLarge, match="more than 14 bytes"):
        decoder.feed(stream)


def test_limit_is_for_one_event() -> None:
    """Any number of events, comments and fields is decoded, each within the limit."""
    decoder = SSEDecoder(limit=14)
    for _ in range(10):
        assert decoder.feed(b"event: a\n: 45678901\ndata: 34567\n\n") == [
            ServerEvent("a", "34567", "")
        ]
